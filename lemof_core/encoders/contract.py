"""The contract of an encoder: what a level is, and how its tokens become one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lemof_core.batch import Modality


@dataclass(frozen=True)
class LevelInfo:
    """What a level's tokens are.

    axis: "seconds" (token i covers axis_values[i] .. axis_values[i + 1]) or "feature" (axis_values name the tokens).
    pool: "mean" over valid tokens, or "cls": the first token is the summary and no feature.
    """

    name: str
    n_tokens: int
    d: int
    axis: str
    axis_values: tuple[Any, ...]
    pool: str = "mean"


@dataclass(frozen=True)
class Level:
    """Tokens (B, N, d) of one level and which of them count (B, N) bool."""

    tokens: Tensor
    mask: Tensor


class Encoder(Protocol):
    """Three levels, runnable stage by stage."""

    levels: tuple[LevelInfo, LevelInfo, LevelInfo]

    def stem(self, modality: Modality) -> Any:
        """Return the state that stage 1 reads."""

    def stage(self, k: int, state: Any) -> tuple[Any, Level]:
        """Return (state for stage k + 1, level k) for k = 1, 2, 3."""


def run_levels(encoder: Encoder, modality: Modality) -> list[Level]:
    """Return the three levels of a plain run: h^(k) = F^(k)(W^(k) h^(k-1) + b^(k)) (LeMoF eq. 1)."""
    state = encoder.stem(modality)
    out = []
    for k in (1, 2, 3):
        state, level = encoder.stage(k, state)
        out.append(level)
    return out


def pool_level(level: Level, info: LevelInfo) -> Tensor:
    """Return (B, d): the summary token, or the mean over the valid tokens (zeros where there is none)."""
    if info.pool == "cls":
        return level.tokens[:, 0]
    weight = level.mask.to(level.tokens.dtype)[..., None]
    return (level.tokens * weight).sum(1) / weight.sum(1).clamp_min(1.0)


def peak_level(level: Level) -> Tensor:
    """Return (B, d): a smooth maximum over the valid tokens (zeros where there is none).

    Smooth, so that integrated gradients through it add up; the sharper it is, the nearer the maximum.
    """
    sharpness = 4.0
    filled = (sharpness * level.tokens).masked_fill(~level.mask[..., None], -torch.inf)
    count = level.mask.sum(1, keepdim=True).clamp_min(1).to(level.tokens.dtype)
    peak = (torch.logsumexp(filled, dim=1) - torch.log(count)) / sharpness
    return torch.where(level.mask.any(1)[:, None], peak, torch.zeros_like(peak))
