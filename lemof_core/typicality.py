"""What is known of a patient in, how unlike the patients of the fit that is out, and which facts lie furthest out.

A conformal p-value of the Mahalanobis distance (Laxhammar & Falkman 2010; Bates et al., Ann Stat 2023): the share of
calibration patients that lie as far from the training patients or further. Of a patient like them it is below .01 in
one of a hundred cases. It looks at raw facts, not at an encoder's tokens, so that it can say what is unusual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.covariance import ledoit_wolf

from lemof_core.batch import CohortArrays
from lemof_core.ecg_signal import LEADS, noise_level_mv

OUTSIDE = 0.01  # below it a patient is called outside what the model was fitted on
FEWEST_CAL = 99  # fewer calibration patients cannot give a p-value below OUTSIDE
_FEWEST_TRAIN = 20
_NAMED = 3


@dataclass(frozen=True)
class Facts:
    """What is looked at of N patients: values (N, d), NaN where unknown; names (d,), of what each column speaks."""

    values: np.ndarray
    names: tuple[str, ...]


def ehr_facts(arrays: CohortArrays) -> Facts:
    """Return of every series its mean, its last value and log(1 + hours with a value); and the statics."""
    known = np.isfinite(arrays.series)
    n_known = known.sum(-1)
    total = np.where(known, arrays.series, 0.0).sum(-1)
    mean = np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)
    at = known.shape[-1] - 1 - known[..., ::-1].argmax(-1)
    last = np.where(n_known > 0, np.take_along_axis(arrays.series, at[..., None], -1)[..., 0], np.nan)
    values = np.concatenate([mean, last, np.log1p(n_known), arrays.static], axis=1).astype(np.float64)
    return Facts(values, (*arrays.series_names, *arrays.series_names, *arrays.series_names, *arrays.static_names))


def ecg_facts(arrays: CohortArrays) -> Facts:
    """Return what was measured from the ECG, and of every lead its size and its noise (log mV); NaN without one."""
    size, noise = np.empty((2, len(arrays), len(LEADS)))
    for row, signal_uv in enumerate(arrays.ecg_uv):
        mv = signal_uv.astype(np.float64) / 1000.0
        size[row] = np.log(np.sqrt((mv**2).mean(1)) + 1e-3)
        noise[row] = np.log(noise_level_mv(mv) + 1e-3)
    values = np.concatenate([arrays.aux.astype(np.float64), size, noise], axis=1)
    values[~arrays.ecg_present] = np.nan
    names = (*arrays.aux_names, *(f"size of {lead}" for lead in LEADS), *(f"noise in {lead}" for lead in LEADS))
    return Facts(values, names)


FACTS_OF = {"ecg": ecg_facts, "ehr": ehr_facts}


@dataclass(frozen=True)
class Typicality:
    """One modality's training patients: centre and spread of each fact, mean and precision of what they become.

    cal: (n,) ascending squared distances of the calibration patients.
    """

    names: tuple[str, ...]
    centre: np.ndarray  # (d,)
    spread: np.ndarray  # (d,) above 0
    mean: np.ndarray  # (d,)
    precision: np.ndarray  # (d, d)
    cal: np.ndarray  # (n,)

    @classmethod
    def fit(cls, facts: Facts, train: np.ndarray, cal: np.ndarray) -> Typicality | None:
        """Return what is typical of the rows `train`, judged by the rows `cal`; None where either are too few."""
        if len(train) < _FEWEST_TRAIN or len(cal) < FEWEST_CAL:
            return None
        own = facts.values[train]
        seen = np.isfinite(own).any(0)
        quartiles = np.zeros((3, own.shape[1]))
        quartiles[:, seen] = np.nanquantile(own[:, seen], [0.25, 0.5, 0.75], axis=0)
        deviation = np.zeros(own.shape[1])
        deviation[seen] = np.nanstd(own[:, seen], axis=0)
        half = (quartiles[2] - quartiles[0]) / 1.349
        spread = np.where(half > 1e-9, half, np.where(deviation > 1e-9, deviation, 1.0))
        bare = cls(facts.names, quartiles[1], spread, np.zeros(len(spread)), np.eye(len(spread)), np.empty(0))
        shaped = bare._shaped(own)
        covariance, _ = ledoit_wolf(shaped)
        fitted = cls(facts.names, quartiles[1], spread, shaped.mean(0), np.linalg.pinv(covariance), np.empty(0))
        return cls(**{**vars(fitted), "cal": np.sort(fitted.distances(facts.values[cal]))})

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        """Return (N, d) standardised facts; the logarithm keeps one extreme from hiding all others.

        An unknown fact is at the training patients' mean: that it is unknown is told by how often it was charted.
        """
        z = (values - self.centre) / self.spread
        shaped = np.sign(z) * np.log1p(np.abs(z))
        return np.where(np.isfinite(shaped), shaped, self.mean)

    def _parts(self, values: np.ndarray) -> np.ndarray:
        """Return (N, d): what each fact adds to the squared distance; they sum to it."""
        away = self._shaped(values) - self.mean
        return np.asarray(away * (away @ self.precision))

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances (N,)."""
        return np.asarray(self._parts(values).sum(1))

    def p_values(self, values: np.ndarray) -> np.ndarray:
        """Return (N,) (1 + calibration patients as far out or further) / (n + 1)."""
        nearer = np.searchsorted(self.cal, self.distances(values), side="left")
        return np.asarray((1 + len(self.cal) - nearer) / (len(self.cal) + 1))

    def furthest(self, value: np.ndarray) -> list[tuple[str, float]]:
        """Return what lies furthest out of one patient's facts (d,): name and share of the distance, largest first."""
        parts = np.maximum(self._parts(value[None])[0], 0.0)
        total = parts.sum()
        by_name: dict[str, float] = {}
        for name, part in zip(self.names, parts, strict=True):
            by_name[name] = by_name.get(name, 0.0) + float(part / total if total > 0 else 0.0)
        ranked = sorted(by_name.items(), key=lambda item: -item[1])
        return [(name, round(share, 3)) for name, share in ranked[:_NAMED]]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted numbers."""
        return {name: getattr(self, name) for name in ("centre", "spread", "mean", "precision", "cal")}

    @classmethod
    def from_arrays(cls, names: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Typicality:
        """Return what `to_arrays` wrote."""
        return cls(
            names, **{name: np.asarray(arrays[name]) for name in ("centre", "spread", "mean", "precision", "cal")}
        )


def fit_typicality(arrays: CohortArrays, splits: Mapping[str, np.ndarray]) -> dict[str, Typicality]:
    """Return modality -> what is typical of it in train, judged by cal; a modality with too few patients is absent."""
    out = {}
    for modality, facts_of in FACTS_OF.items():
        parts = [splits[name] for name in ("train", "cal")]
        if modality == "ecg":
            parts = [rows[arrays.ecg_present[rows]] for rows in parts]
        found = Typicality.fit(facts_of(arrays), *parts)
        if found is not None:
            out[modality] = found
    return out


def judge(typical: Mapping[str, Typicality], arrays: CohortArrays) -> dict[str, Any]:
    """Return typical_ecg and typical_ehr (N,), NaN where not estimable or absent; unusual: a list for each sample.

    unusual: [modality, name, share] of what lies furthest out of a patient who is outside, None where none is.
    """
    out: dict[str, Any] = {f"typical_{name}": np.full(len(arrays), np.nan) for name in FACTS_OF}
    unusual: list[list[list[Any]] | None] = [None] * len(arrays)
    for modality, known in typical.items():
        facts = FACTS_OF[modality](arrays)
        rows = np.flatnonzero(arrays.ecg_present) if modality == "ecg" else np.arange(len(arrays))
        p = known.p_values(facts.values[rows]) if len(rows) else np.empty(0)
        out[f"typical_{modality}"][rows] = p
        for row in rows[p < OUTSIDE]:
            named = [[modality, name, share] for name, share in known.furthest(facts.values[row])]
            unusual[row] = [*(unusual[row] or []), *named]
    return out | {"unusual": unusual}
