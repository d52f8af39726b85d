"""EHR in, three levels of tokens out: a plain network on the facts of each variable, a yardstick."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.encoders.contract import Encoder, Level, LevelInfo
from lemof_core.encoders.ehr_summary import N_SERIES_FACTS, N_STATIC_FACTS, flat_facts
from lemof_core.encoders.ft_transformer import FeatureTokenizer

N_CHUNKS = 8


class BaselineMlp(Encoder):
    """Three layers of hidden units; a level's tokens are eight equal slices of its units, each with its own projection.

    One vector as the only token would make cross-attention idle: softmax over one key is 1, whatever is asked.
    Each layer's linear map is eq. 1's own W^(k).

    # NOTE[DIFF] paper: "Baseline", without a word on what it is, nor on what a vector encoder's tokens are. here: this
    # network and these slices. because: the simplest with three levels, and cross-attention needs tokens.
    """

    def __init__(
        self,
        *,
        series_names: tuple[str, ...],
        static_names: tuple[str, ...],
        widths: tuple[int, int, int] = (256, 128, 64),
        d: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.widths = widths
        ins = (len(series_names) * N_SERIES_FACTS + len(static_names) * N_STATIC_FACTS, *widths[:2])
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(d_in, d_out), nn.LayerNorm(d_out), nn.ReLU(), nn.Dropout(dropout))
            for d_in, d_out in zip(ins, widths, strict=True)
        )
        self.tokenizers = nn.ModuleList(
            FeatureTokenizer(n_features=N_CHUNKS, n_facts=width // N_CHUNKS, d=d) for width in widths
        )
        low, mid, high = (
            LevelInfo(name, N_CHUNKS, d, "units", _slice_names(width))
            for name, width in zip(("low", "mid", "high"), widths, strict=True)
        )
        self.levels = (low, mid, high)

    @property
    def gate_widths(self) -> tuple[int, int, int]:
        """Return the hidden units of each layer."""
        return self.widths

    def stem(self, modality: Modality) -> Tensor:
        """Return all facts (B, V * 8 + S * 2)."""
        return flat_facts(modality)

    def block(self, k: int, state: Tensor) -> Tensor:
        """Return the hidden units (B, widths[k - 1]) of layer k."""
        return self.blocks[k - 1](state)

    def read(self, k: int, state: Tensor) -> Level:
        """Return level k: tokens (B, 8, d)."""
        tokens = self.tokenizers[k - 1](state.unflatten(1, (N_CHUNKS, -1)))
        return Level(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def scale(self, k: int, state: Tensor, gate: Tensor) -> Tensor:
        """Return the hidden units times the gate (B, widths[k - 1])."""
        return state * gate


def _slice_names(width: int) -> tuple[str, ...]:
    size = width // N_CHUNKS
    return tuple(f"units {i * size + 1}-{(i + 1) * size}" for i in range(N_CHUNKS))
