"""Hourly series in, the facts of each variable out: what a tabular encoder reads of a day.

Every fact is smooth in value, mask and time since, so that attributions can run back to the hours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lemof_core.batch import Modality

SERIES_FACTS = ("mean", "last", "slope", "highest", "lowest", "share of hours observed", "time since last", "observed")
STATIC_FACTS = ("value", "known")
N_SERIES_FACTS = len(SERIES_FACTS)
N_STATIC_FACTS = len(STATIC_FACTS)
_SHARPNESS = 4.0  # of the soft maximum and minimum, per unit of the normal-scaled value


def series_facts(value: Tensor, mask: Tensor, since: Tensor) -> Tensor:
    """Return (B, V, 8) facts of the (B, V, H) series; a variable never observed has zeros and `time since` 1."""
    n_hours = value.shape[-1]
    hours = torch.linspace(-0.5, 0.5, n_hours, dtype=value.dtype, device=value.device)
    weight = mask.sum(-1)
    share = weight / n_hours
    observed = 1 - torch.prod(1 - mask, dim=-1)
    safe = weight.clamp_min(1.0)
    mean = (value * mask).sum(-1) / safe
    mean_hour = (hours * mask).sum(-1) / safe
    spread = (mask * (hours - mean_hour[..., None]) ** 2).sum(-1)
    drift = (mask * (hours - mean_hour[..., None]) * (value - mean[..., None])).sum(-1)
    slope = drift / (spread + 0.1)  # the constant keeps two neighbouring values from looking like a steep trend
    highest = torch.log((mask * torch.exp(_SHARPNESS * value)).sum(-1) / safe + (1 - observed)) / _SHARPNESS
    lowest = -torch.log((mask * torch.exp(-_SHARPNESS * value)).sum(-1) / safe + (1 - observed)) / _SHARPNESS
    last = value[..., -1] * observed
    facts = [mean, last, slope, highest * observed, lowest * observed, share, since[..., -1], observed]
    return torch.stack(facts, dim=-1)


def static_facts(static: Tensor, static_mask: Tensor) -> Tensor:
    """Return (B, S, 2): the scaled value (0 where unknown) and whether it is known."""
    return torch.stack([static * static_mask, static_mask], dim=-1)


def day_facts(ehr: Modality) -> tuple[Tensor, Tensor]:
    """Return the facts (B, V, 8) of every series and (B, S, 2) of every static of a batch."""
    tensors = ehr.tensors
    series = series_facts(tensors["value"], tensors["mask"], tensors["since"])
    return series, static_facts(tensors["static"], tensors["static_mask"])


def flat_facts(ehr: Modality) -> Tensor:
    """Return (B, V * 8 + S * 2): all facts of a batch side by side, the series' first."""
    series, static = day_facts(ehr)
    return torch.cat([series.flatten(1), static.flatten(1)], dim=1)


def raw_summary(value: Tensor, mask: Tensor, since: Tensor, static: Tensor, static_mask: Tensor) -> Tensor:
    """Return (B, V * 2 + S * 2): mean and last of each series and the statics, for heads that skip the encoder.

    Two facts of eight: with all of them a head over-fits on a few thousand stays.
    """
    series = series_facts(value, mask, since)[..., :2].flatten(1)
    return torch.cat([series, static_facts(static, static_mask).flatten(1)], dim=1)
