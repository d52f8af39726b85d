"""The contract of an encoder: what a level is, how its tokens become one vector, how a gate reaches its channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lemof_core.batch import Modality


@dataclass(frozen=True)
class LevelInfo:
    """What a level's tokens are.

    axis: "seconds" (token i covers axis_values[i] .. axis_values[i + 1]), or what axis_values name, one a token:
    "feature", "hours" (when the token's hour began, relative to t0) or "units" (hidden units, which mean nothing by
    themselves).
    pool: "mean" over valid tokens; "cls": the first token is the summary and no feature; "last": the last token;
    "ends": of each record the last token's first half and the first token's second half, where the two directions of
    a recurrent network have read everything.
    """

    name: str
    n_tokens: int  # of one record, where a sample has several
    d: int
    axis: str
    axis_values: tuple[Any, ...]
    pool: str = "mean"


@dataclass(frozen=True)
class Level:
    """Tokens (B, N, d) of one level and which of them count (B, N) bool."""

    tokens: Tensor
    mask: Tensor


class Encoder(nn.Module, ABC):
    """Three levels, runnable stage by stage: `stem`, then for k = 1, 2, 3 `block` and `read`.

    Between a block and its reading a fusion may gate what the encoder hands on:

        state = encoder.stem(modality)
        state, level = encoder.stage(k, state)
        state = encoder.scale(k, state, gate)
        level = encoder.read(k, state)
    """

    levels: tuple[LevelInfo, LevelInfo, LevelInfo]

    @abstractmethod
    def stem(self, modality: Modality) -> Any:
        """Return the state that block 1 reads."""

    @abstractmethod
    def block(self, k: int, state: Any) -> Any:
        """Return the state after block k: h^(k) = F^(k)(W^(k) h^(k-1) + b^(k)) (LeMoF eq. 1)."""

    @abstractmethod
    def read(self, k: int, state: Any) -> Level:
        """Return level k of the state after block k; the state alone decides it."""

    @abstractmethod
    def scale(self, k: int, state: Any, gate: Tensor) -> Any:
        """Return the state after block k with its channels times the gate (B, gate_widths[k - 1]).

        Ones change nothing; zeros leave nothing of the sample in level k.
        """

    @property
    def gate_widths(self) -> tuple[int, int, int]:
        """Return how many channels of the state a gate multiplies after each block: the level's own unless said."""
        low, mid, high = self.levels
        return low.d, mid.d, high.d

    @property
    def own_transforms(self) -> list[nn.Module]:
        """Return eq. 1's W^(k), b^(k) where they stand apart from the blocks, named `adapter` or in `adapters`."""
        return [
            module
            for name, module in self.named_modules()
            if not list(module.children()) and {"adapter", "adapters"} & set(name.split("."))
        ]

    def stage(self, k: int, state: Any) -> tuple[Any, Level]:
        """Return (state for stage k + 1, level k) for k = 1, 2, 3."""
        state = self.block(k, state)
        return state, self.read(k, state)

    def penalty(self, state: Any) -> Tensor:
        """Return what training adds to the loss, read off the last state (a scalar); nothing unless a method has it."""
        return torch.zeros(())


def run_stages(encoder: Encoder, modality: Modality) -> tuple[list[Level], Any]:
    """Return the three levels of a plain run, and its last state."""
    state = encoder.stem(modality)
    out = []
    for k in (1, 2, 3):
        state, level = encoder.stage(k, state)
        out.append(level)
    return out, state


def run_levels(encoder: Encoder, modality: Modality) -> list[Level]:
    """Return the three levels of a plain run."""
    return run_stages(encoder, modality)[0]


def identity_linear(d: int) -> nn.Linear:
    """Return eq. 1's own transform W^(k), b^(k) of d channels, the identity at the start."""
    layer = nn.Linear(d, d)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def identity_convolution(d: int, *, groups: int = 1) -> nn.Conv1d:
    """Return eq. 1's own transform as a 1x1 convolution of d channels, the identity at the start."""
    layer = nn.Conv1d(d, d, 1, groups=groups)
    nn.init.dirac_(layer.weight, groups=groups)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def pool_level(level: Level, info: LevelInfo) -> Tensor:
    """Return (B, d): what `info.pool` says (zeros where no token is valid)."""
    if info.pool == "cls":
        return level.tokens[:, 0]
    if info.pool == "last":
        return level.tokens[:, -1]
    tokens, mask = level.tokens, level.mask
    if info.pool == "ends":
        records = tokens.unflatten(1, (-1, info.n_tokens))
        half = info.d // 2
        tokens = torch.cat([records[:, :, -1, :half], records[:, :, 0, half:]], dim=-1)
        mask = mask[:, :: info.n_tokens]
    weight = mask.to(tokens.dtype)[..., None]
    return (tokens * weight).sum(1) / weight.sum(1).clamp_min(1.0)


def peak_level(level: Level) -> Tensor:
    """Return (B, d): a smooth maximum over the valid tokens (zeros where there is none).

    Smooth, so that integrated gradients through it add up; the sharper it is, the nearer the maximum.
    """
    sharpness = 4.0
    filled = (sharpness * level.tokens).masked_fill(~level.mask[..., None], -torch.inf)
    count = level.mask.sum(1, keepdim=True).clamp_min(1).to(level.tokens.dtype)
    peak = (torch.logsumexp(filled, dim=1) - torch.log(count)) / sharpness
    return torch.where(level.mask.any(1)[:, None], peak, torch.zeros_like(peak))
