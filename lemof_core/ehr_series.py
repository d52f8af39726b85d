"""Charted values in, hourly series of the window before t0 out; and the scaling fitted on training rows only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from lemof_core.batch import CohortArrays, ScaledCohort
from lemof_core.errors import ModelMistake

N_HOURS = 24
N_KNOTS = 64  # quantiles kept per variable


def hourly_grid(
    values: pd.DataFrame, *, n_samples: int, n_variables: int, t0_offset_s: np.ndarray, n_hours: int = N_HOURS
) -> np.ndarray:
    """Return (N, V, H) hourly means, NaN where nothing was charted; nothing after or stored after t0 enters.

    Args:
        values: columns row (0..N-1), column (0..V-1), offset_s and stored_offset_s (seconds from ICU admission;
            stored_offset_s NaN where unknown), value (in the variable's unit).
        t0_offset_s: (N,) seconds from ICU admission to the sample's anchor time; the grid ends there.
    """
    row = values["row"].to_numpy(np.int64)
    column = values["column"].to_numpy(np.int64)
    number = values["value"].to_numpy(np.float64)
    offset = values["offset_s"].to_numpy(np.float64)
    stored = values["stored_offset_s"].to_numpy(np.float64, na_value=np.nan)
    t0 = np.asarray(t0_offset_s, dtype=np.float64)[row]
    hour = np.floor((offset - (t0 - n_hours * 3600)) / 3600).astype(np.int64)
    hour[offset == t0] = n_hours - 1
    known = (offset <= t0) & ~(stored > t0) & (hour >= 0) & np.isfinite(number)
    cell = (row[known] * n_variables + column[known]) * n_hours + hour[known]
    size = n_samples * n_variables * n_hours
    total = np.bincount(cell, weights=number[known], minlength=size)
    count = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
    return mean.reshape(n_samples, n_variables, n_hours).astype(np.float32)


def carry_forward(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (value, mask, since), each (N, V, H): last value carried on (NaN before the first), observed in the
    hour, and hours since the last observation as a share of the window (1 before the first)."""
    n_hours = series.shape[-1]
    observed = np.isfinite(series)
    hours = np.arange(n_hours)
    last = np.maximum.accumulate(np.where(observed, hours, -1), axis=-1)
    value = np.take_along_axis(series, np.maximum(last, 0), axis=-1)
    value = np.where(last >= 0, value, np.nan)
    since = np.where(last >= 0, (hours - last) / n_hours, 1.0)
    return value.astype(np.float32), observed.astype(np.float32), since.astype(np.float32)


@dataclass(frozen=True)
class Scaler:
    """Monotone maps to a normal shape for every variable, fitted on training rows; and aux standardisation.

    The quantile map is scikit-learn's QuantileTransformer idea; it is written out because a fitted transformer could
    only be stored by pickling, and the knots are what the model card and the live page show.
    """

    series_names: tuple[str, ...]
    static_names: tuple[str, ...]
    aux_names: tuple[str, ...]
    series_knots: np.ndarray  # (V, K) ascending values; NaN row: never seen in training
    static_knots: np.ndarray  # (S, K)
    aux_mean: np.ndarray  # (A,)
    aux_scale: np.ndarray  # (A,)

    @classmethod
    def fit(cls, arrays: CohortArrays, rows: np.ndarray) -> Scaler:
        """Return the scaler of these rows; no other row is looked at."""
        if len(rows) < 2:
            raise ModelMistake(f"scaling needs at least 2 training samples, however: n = {len(rows)}")
        series = arrays.series[rows]
        aux = arrays.aux[rows][arrays.ecg_present[rows]].astype(np.float64)
        mean, scale = np.zeros(aux.shape[1]), np.ones(aux.shape[1])
        for index in range(aux.shape[1]):
            known = aux[np.isfinite(aux[:, index]), index]
            if len(known) >= 2:
                low, high = np.quantile(known, [0.01, 0.99])
                clipped = np.clip(known, low, high)
                mean[index], scale[index] = clipped.mean(), max(clipped.std(), 1e-6)
        return cls(
            series_names=arrays.series_names,
            static_names=arrays.static_names,
            aux_names=arrays.aux_names,
            series_knots=np.stack([_knots(series[:, index].ravel()) for index in range(series.shape[1])]),
            static_knots=np.stack([_knots(arrays.static[rows, index]) for index in range(arrays.static.shape[1])]),
            aux_mean=mean,
            aux_scale=scale,
        )

    def transform(self, arrays: CohortArrays) -> ScaledCohort:
        """Return the cohort as the models read it; raise ModelMistake where the variables differ from the fit's."""
        for name in ("series_names", "static_names", "aux_names"):
            if getattr(self, name) != getattr(arrays, name):
                raise ModelMistake(
                    f"the data's {name.replace('_', ' ')} differ from those the model was fitted with: "
                    f"{sorted(set(getattr(self, name)) ^ set(getattr(arrays, name)))}; ingest with the same catalogue"
                )
        carried, mask, since = carry_forward(arrays.series)
        value = np.zeros_like(carried)
        for index in range(carried.shape[1]):
            value[:, index] = _to_normal(carried[:, index], self.series_knots[index])
        static = np.zeros_like(arrays.static)
        for index in range(static.shape[1]):
            static[:, index] = _to_normal(arrays.static[:, index], self.static_knots[index])
        aux = np.clip((arrays.aux - self.aux_mean) / self.aux_scale, -4, 4).astype(np.float32)
        return ScaledCohort(arrays, value, mask, since, static, np.isfinite(arrays.static).astype(np.float32), aux)

    def to_json(self) -> dict[str, Any]:
        """Return names and fitted numbers as plain JSON types (NaN as null)."""
        return {
            "series_names": list(self.series_names),
            "static_names": list(self.static_names),
            "aux_names": list(self.aux_names),
            "series_knots": _plain(self.series_knots),
            "static_knots": _plain(self.static_knots),
            "aux_mean": self.aux_mean.tolist(),
            "aux_scale": self.aux_scale.tolist(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Scaler:
        """Return the scaler that `to_json` wrote."""
        return cls(
            series_names=tuple(document["series_names"]),
            static_names=tuple(document["static_names"]),
            aux_names=tuple(document["aux_names"]),
            series_knots=np.array(document["series_knots"], dtype=np.float64),
            static_knots=np.array(document["static_knots"], dtype=np.float64),
            aux_mean=np.array(document["aux_mean"]),
            aux_scale=np.array(document["aux_scale"]),
        )


def _plain(matrix: np.ndarray) -> list[list[float | None]]:
    return [[float(item) if np.isfinite(item) else None for item in row] for row in matrix]


def _knots(values: np.ndarray) -> np.ndarray:
    """Return K quantiles of the finite values, or NaN where there are fewer than two distinct ones."""
    known = values[np.isfinite(values)].astype(np.float64)
    if len(np.unique(known)) < 2:
        return np.full(N_KNOTS, known[0] if len(known) else np.nan)
    return np.quantile(known, np.linspace(0, 1, N_KNOTS))


def _to_normal(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return scores on a normal scale within +-3, 0 where the value is unknown or was constant in training."""
    if not np.isfinite(knots[0]) or knots[0] == knots[-1]:
        return np.zeros_like(values, dtype=np.float32)
    levels = np.linspace(0, 1, len(knots))
    # Averaging the two one-sided interpolations gives tied knots (e.g. SpO2 = 100) their middle rank.
    filled = np.where(np.isfinite(values), values, knots[len(knots) // 2]).astype(np.float64)
    share = 0.5 * (np.interp(filled, knots, levels) + 1 - np.interp(-filled, -knots[::-1], levels))
    score = np.clip(ndtri(np.clip(share, 1e-6, 1 - 1e-6)), -3, 3)
    return np.where(np.isfinite(values), score, 0.0).astype(np.float32)
