"""ECG levels 2 and 3 and EHR level 3 in, log-odds out: HyperFusion (Duenias et al. 2025), the record writes weights.

A hypernetwork turns the record's embedding e into the weights of one layer of the ECG's network, a patient's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lemof_core.encoders import Level, pool_level
from lemof_core.fusion.contract import FusedHead, FusionInput, FusionNet, NetOutput, NetSizes

D_EMBEDDING = 8


class HyperFusion(FusionNet):
    """Level 3 of the ECG plus a 1x1 convolution of its level 2, whose weights the record gives.

    W = W_g e + b_g and b = V_g e, with e (B, 8) the record's embedding.

    # NOTE[DIFF] paper: the generated layer is the shortcut of the last residual block of a 3D CNN. here: a shortcut of
    # its own from level 2 to the finished level 3 (level 2 averaged to as many tokens). because: every encoder has
    # those levels, not every one a shortcut.
    # NOTE[DIFF] paper: e comes from three layers of a network trained beforehand on the tabular data. here: one layer
    # on the EHR's pooled level 3. because: its encoder was trained beforehand.
    # NOTE[DIFF] paper: the variance of e, which the starting weights depend on, is measured on the training data. here:
    # e leaves a LayerNorm, so it is 1. because: nothing to measure, and it stays true while e is learnt.
    # NOTE[DIFF] paper: dropout 0.6 and 0.5 around the hidden layer. here: the rivals' common dropout. because: equal
    # terms.
    """

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__(sizes)
        self.d_in, self.d_out = sizes.ecg[1].d, sizes.ecg[2].d
        self.embedding = nn.Sequential(
            nn.Linear(sizes.d_ehr, D_EMBEDDING), nn.PReLU(), nn.LayerNorm(D_EMBEDDING, elementwise_affine=False)
        )
        self.weight_generator = nn.Linear(D_EMBEDDING, self.d_out * self.d_in)
        self.bias_generator = nn.Linear(D_EMBEDDING, self.d_out, bias=False)
        # Principled start (Chang et al. 2020): Var(W_g) = 2 / (2 d_in d_e Var(e)), Var(V_g) = 2 / (2 d_e Var(e)), so
        # that weights and biases give half the variance each of a layer with He's start, fed unit variance.
        _uniform_(self.weight_generator.weight, 1 / (self.d_in * D_EMBEDDING))
        nn.init.zeros_(self.weight_generator.bias)
        _uniform_(self.bias_generator.weight, 1 / D_EMBEDDING)
        self.hidden = nn.Sequential(
            nn.Dropout(sizes.dropout), nn.Linear(self.d_out, sizes.d), nn.ReLU(), nn.Dropout(sizes.dropout)
        )
        self.head = FusedHead(sizes.d, sizes)

    def own_weights(self, ehr: Tensor) -> tuple[Tensor, Tensor]:
        """Return each sample's weights (B, d_out, d_in) and biases (B, d_out), from its EHR's vector (B, d_ehr)."""
        embedded = self.embedding(ehr)
        return self.weight_generator(embedded).unflatten(1, (self.d_out, self.d_in)), self.bias_generator(embedded)

    def shortcut(self, tokens: Tensor, ehr: Tensor) -> Tensor:
        """Return (B, N, d_out): the tokens (B, N, d_in) through each sample's own layer."""
        weights, biases = self.own_weights(ehr)
        return torch.einsum("bni,boi->bno", tokens, weights) + biases[:, None]

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output."""
        mid, high = given.ecg[1], given.ecg[2]
        _, ehr = self.top(given)
        tokens = _resampled(mid.tokens, self.sizes.ecg[1].n_tokens, self.sizes.ecg[2].n_tokens)
        fused = Level(high.tokens + self.shortcut(tokens, ehr), high.mask)
        hidden = self.hidden(pool_level(fused, self.sizes.ecg[2]))
        return NetOutput(self.head(hidden, given.ecg_summary, given.raw_ehr))


def _uniform_(weight: Tensor, variance: float) -> None:
    bound = math.sqrt(3 * variance)
    nn.init.uniform_(weight, -bound, bound)


def _resampled(tokens: Tensor, n_from: int, n_to: int) -> Tensor:
    """Return (B, R * n_to, d): the tokens (B, R * n_from, d) of R records, averaged record by record."""
    if n_from == n_to:
        return tokens
    records = tokens.unflatten(1, (-1, n_from)).flatten(0, 1).transpose(1, 2)
    averaged = functional.adaptive_avg_pool1d(records, n_to).transpose(1, 2)
    return averaged.unflatten(0, (len(tokens), -1)).flatten(1, 2)
