"""Scaled hourly series and statics in, one row of plain numbers a stay out: what a tabular rival reads of a day.

`encoders.ehr_summary` gives the networks' facts, smoothed so that gradients run back to the hours and with zeros for
what is not known. Trees need neither: extremes are exact here, and what is not known is NaN.
"""

from __future__ import annotations

import numpy as np

SERIES_COLUMNS = ("last", "mean", "min", "max", "count", "slope", "hours since last", "missing")
N_SERIES_COLUMNS = len(SERIES_COLUMNS)


def tabular_view(
    value: np.ndarray, mask: np.ndarray, since: np.ndarray, static: np.ndarray, static_mask: np.ndarray
) -> np.ndarray:
    """Return (n, V * 8 + S) float32: `SERIES_COLUMNS` of each series, then the statics.

    Args: the fields of a ScaledCohort, value, mask, since (n, V, H) and static, static_mask (n, S). Every number
    comes from observed hours alone: count is how many there are, slope the straight line's through them, per hour.
    A variable never observed has count 0, missing 1, and NaN for the rest; one hour has no slope (NaN).
    """
    n_hours = value.shape[-1]
    seen = mask > 0
    count = seen.sum(-1)
    hours = np.arange(n_hours, dtype=np.float64)
    known = np.where(seen, value, 0.0).astype(np.float64)
    last_hour = n_hours - 1 - np.argmax(seen[..., ::-1], axis=-1)
    last = np.take_along_axis(known, last_hour[..., None], axis=-1)[..., 0]
    mean = _ratio(known.sum(-1), count)
    gap = np.where(seen, hours - _ratio((seen * hours).sum(-1), count)[..., None], 0.0)
    slope = _ratio((gap * known).sum(-1), (gap**2).sum(-1))
    low = np.where(seen, known, np.inf).min(-1)
    high = np.where(seen, known, -np.inf).max(-1)
    never = count == 0
    last, low, high, age = (np.where(never, np.nan, fact) for fact in (last, low, high, since[..., -1] * n_hours))
    series = np.stack([last, mean, low, high, count, slope, age, never], axis=-1).astype(np.float32)
    statics = np.where(static_mask > 0, static, np.nan).astype(np.float32)
    return np.concatenate([series.reshape(len(value), series.shape[1] * N_SERIES_COLUMNS), statics], axis=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below as float64, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
