"""Tokens of the chosen levels in, y_Omega2 out: Module 2, level-guided cross-attention (LeMoF eq. 9 to 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.config import CrossAttentionConfig
from lemof_core.encoders import Level, LevelInfo, pool_level
from lemof_core.encoders.ehr_summary import N_SERIES_FACTS, N_STATIC_FACTS, raw_summary, series_facts, static_facts
from lemof_core.encoders.ft_transformer import FeatureTokenizer


@dataclass(frozen=True)
class CrossOutput:
    """logit (B, 1); attention maps (B, n_heads, N_query, N_key), rows sum to 1; embedding (B, d_embedding)."""

    logit: Tensor
    ecg_from_ehr: Tensor
    ehr_from_ecg: Tensor
    embedding: Tensor


class CrossDirection(nn.Module):
    """Attn_{i<-j} = softmax(Q_i K_j^T / sqrt d) V_j, query tokens (B, N_i, d_i), key tokens (B, N_j, d_j).

    Written out because nn.MultiheadAttention has no way to hand back permuted weights, which is how we show how much
    the map mattered.

    >>> out, weights = CrossDirection(8, 6, d=4, n_heads=2)(torch.zeros(2, 3, 8), torch.zeros(2, 5, 6), None)
    >>> out.shape, weights.shape
    (torch.Size([2, 3, 4]), torch.Size([2, 2, 3, 5]))
    """

    def __init__(self, d_query: int, d_key: int, *, d: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(d_query, d)
        self.key = nn.Linear(d_key, d)
        self.value = nn.Linear(d_key, d)

    def forward(
        self, query: Tensor, key: Tensor, key_mask: Tensor | None, order: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (attended (B, N_i, d), weights (B, h, N_i, N_j)); `order` (N_j) permutes the weights over the keys."""
        q, k, v = (self._split(layer(x)) for layer, x in ((self.query, query), (self.key, key), (self.value, key)))
        score = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if key_mask is not None:
            score = score.masked_fill(~key_mask[:, None, None, :], -torch.inf)
        weights = torch.softmax(score, dim=-1)
        used = weights if order is None else weights[..., order]
        return (used @ v).transpose(1, 2).flatten(2), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class CrossAttention(nn.Module):
    """Module 2 on one pair of levels. EHR level 0 means M2's own tokens of the raw series.

    # NOTE[DIFF] paper: no residual, one head, a logistic on the concatenated attention (preset `paper`).
    # here (preset `robust`): residual, 4 heads, LayerNorm, small MLP head, and a skip from the ECG's
    # read-out quantities and the raw EHR. because: the literal form cannot use a planted interaction that the tokens
    # do hold.
    # NOTE[DIFF] paper: eq. 12 concatenates the attention outputs. here: their mean over query tokens first.
    # because: G needs a vector of fixed size.
    # NOTE[DIFF] paper: G_O2 is fitted like the other G (a logistic regression on finished features). here: attention
    # and output are learnt together by gradient, stopped early on val. because: the paper names no loss that would
    # train the attention before its G, and a frozen random attention is not what it draws.
    """

    def __init__(
        self,
        config: CrossAttentionConfig,
        ecg_info: LevelInfo,
        ehr_info: LevelInfo,
        *,
        ehr_level: int,
        n_series: int,
        n_static: int,
        d_ecg_skip: int,
    ) -> None:
        super().__init__()
        d = config.d
        if ehr_level == 0:  # no summary is among them
            ehr_info = replace(ehr_info, d=d, pool="mean")
            self.own_series = FeatureTokenizer(n_features=n_series, n_facts=N_SERIES_FACTS, d=d)
            self.own_static = FeatureTokenizer(n_features=n_static, n_facts=N_STATIC_FACTS, d=d)
        self.config, self.ecg_info, self.ehr_info, self.ehr_level = config, ecg_info, ehr_info, ehr_level
        d_ehr, n_heads = ehr_info.d, 1 if config.vectors else config.n_heads  # heads have nothing to weigh of one token
        self.ecg_asks = CrossDirection(ecg_info.d, d_ehr, d=d, n_heads=n_heads)
        self.ehr_asks = CrossDirection(d_ehr, ecg_info.d, d=d, n_heads=n_heads)
        if config.residual:
            self.ecg_self, self.ehr_self = nn.Linear(ecg_info.d, d), nn.Linear(d_ehr, d)
        d_joint = 2 * d
        if config.skip:
            n_raw = 2 * n_series + n_static * N_STATIC_FACTS
            self.ecg_skip = nn.Sequential(
                nn.LayerNorm(d_ecg_skip), nn.Dropout(config.dropout / 2), nn.Linear(d_ecg_skip, d)
            )
            self.raw_skip = nn.Sequential(nn.Dropout(config.dropout / 2), nn.Linear(n_raw, d))
            d_joint += 2 * d
        self.norm = nn.LayerNorm(d_joint) if config.norm else nn.Identity()
        self.hidden = (
            nn.Sequential(nn.Linear(d_joint, d), nn.ReLU(), nn.Dropout(config.dropout))
            if config.mlp_head
            else nn.Identity()
        )
        self.out = nn.Linear(d if config.mlp_head else d_joint, 1)

    def ehr_tokens(self, level: Level | None, ehr: Modality) -> Level:
        """Return what stands for the EHR: an encoder level, or Module 2's own tokens."""
        if self.ehr_level:
            if level is None:
                raise ValueError(
                    f"cross-attention on EHR level {self.ehr_level} needs that level's tokens, however: None"
                )
            return level
        tensors = ehr.tensors
        series = self.own_series(series_facts(tensors["value"], tensors["mask"], tensors["since"]))
        tokens = torch.cat([series, self.own_static(static_facts(tensors["static"], tensors["static_mask"]))], dim=1)
        return Level(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def _read(self, level: Level, info: LevelInfo) -> tuple[Tensor, Tensor]:
        """Return (tokens (B, N, d), mask (B, N)) of the level; read as one vector, N is 1."""
        if not self.config.vectors:
            return level.tokens, level.mask
        vector = pool_level(level, info)
        return vector[:, None], torch.ones(len(vector), 1, dtype=torch.bool, device=vector.device)

    def forward(
        self,
        ecg_level: Level,
        ecg_summary: Tensor,
        ehr_level: Level | None,
        ehr: Modality,
        *,
        orders: tuple[Tensor, Tensor] | None = None,
    ) -> CrossOutput:
        """Return the output for stays that have both modalities. `ecg_summary` (B, d_summary) feeds the skip.

        orders: permutations of the EHR and the ECG keys, to measure what the attention weights were worth.
        """
        ecg_tokens, ecg_mask = self._read(ecg_level, self.ecg_info)
        ehr_tokens, ehr_mask = self._read(self.ehr_tokens(ehr_level, ehr), self.ehr_info)
        to_ehr, to_ecg = (None, None) if orders is None else orders
        ecg_out, ecg_weights = self.ecg_asks(ecg_tokens, ehr_tokens, ehr_mask, to_ehr)
        ehr_out, ehr_weights = self.ehr_asks(ehr_tokens, ecg_tokens, ecg_mask, to_ecg)
        if self.config.residual:
            ecg_out, ehr_out = (
                torch.relu(ecg_out + self.ecg_self(ecg_tokens)),
                torch.relu(ehr_out + self.ehr_self(ehr_tokens)),
            )
        parts = [_mean(ecg_out, ecg_mask), _mean(ehr_out, ehr_mask)]
        if self.config.skip:
            tensors = ehr.tensors
            names = ("value", "mask", "since", "static", "static_mask")
            parts += [self.ecg_skip(ecg_summary), self.raw_skip(raw_summary(*(tensors[name] for name in names)))]
        joint = self.norm(torch.cat(parts, dim=1))
        embedding = self.hidden(joint)
        return CrossOutput(self.out(embedding), ecg_weights, ehr_weights, embedding)


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    weight = mask.to(tokens.dtype)[..., None]
    return (tokens * weight).sum(1) / weight.sum(1).clamp_min(1.0)
