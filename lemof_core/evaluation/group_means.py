"""Numbers per sample and groups of samples in; each group's means with 95 % patient-bootstrap intervals out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lemof_core.evaluation.metrics import N_DRAWS

FEWEST = 10  # patients: the percentile interval of a mean of fewer is too narrow to be shown
_AT_ONCE = 25  # draws


@dataclass(frozen=True)
class GroupMeans:
    """Means of K numbers in G groups; NaN where a group has fewer than FEWEST patients.

    Attributes:
        value, lo, hi: (G, K), the mean and its 95 % percentile interval.
        n, patients: (G,), samples and patients of the group.
        draws: (D, G, K), the means under the drawn patients, the same patients for every group and number.
    """

    value: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    n: np.ndarray
    patients: np.ndarray
    draws: np.ndarray

    def lead(self, group: int, first: int, second: int) -> tuple[float, float, float]:
        """Return mean(first) - mean(second) in a group with its 95 % interval on the same drawn patients."""
        gap = self.draws[:, group, first] - self.draws[:, group, second]
        low, high = np.quantile(gap, [0.025, 0.975])
        return float(self.value[group, first] - self.value[group, second]), float(low), float(high)


def group_means(
    values: np.ndarray, members: np.ndarray, subject_ids: np.ndarray, *, n_draws: int = N_DRAWS, seed: int = 0
) -> GroupMeans:
    """Return the means of values (N, K) in groups that may overlap, members (N, G) of True and False.

    Patients are drawn with replacement among all, with everything of theirs, so that the size of a group varies as it
    does from cohort to cohort (Efron and Tibshirani 1993, ch. 8). A draw without anybody of a group counts for none.
    Drawn a few at a time from sums per patient: the weights of a thousand draws of 100,000 stays would be 400 MB.
    """
    n_groups, n_values = members.shape[1], values.shape[1]
    weighted = (members[:, :, None] * values[:, None, :]).reshape(len(values), n_groups * n_values)
    sums = _per_patient(np.concatenate([members, weighted], axis=1), subject_ids)
    n, patients = members.sum(0), (sums[:, :n_groups] > 0).sum(0)
    value = _means(sums.sum(0)[None], n_groups)[0]
    draws = _means(_drawn(sums, n_draws, seed), n_groups)
    few = patients < FEWEST
    value[few], draws[:, few] = np.nan, np.nan
    low, high = np.full((2, n_groups, n_values), np.nan)
    if not few.all():
        low[~few], high[~few] = np.nanquantile(draws[:, ~few], [0.025, 0.975], axis=0)
    return GroupMeans(value, low, high, n, patients, draws)


def _per_patient(columns: np.ndarray, subject_ids: np.ndarray) -> np.ndarray:
    """Return the sums (patients, M) of columns (N, M)."""
    if len(columns) == 0:
        return np.empty((0, columns.shape[1]))
    order = np.argsort(subject_ids, kind="stable")
    first = np.flatnonzero(np.r_[True, subject_ids[order][1:] != subject_ids[order][:-1]])
    return np.add.reduceat(columns[order].astype(np.float64), first, axis=0)


def _drawn(sums: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
    """Return the sums (n_draws, M) over patients drawn with replacement from sums (patients, M)."""
    rng, n = np.random.default_rng(seed), len(sums)
    if n == 0:
        return np.zeros((n_draws, sums.shape[1]))
    out = np.empty((n_draws, sums.shape[1]))
    light = sums.astype(np.float32)
    for start in range(0, n_draws, _AT_ONCE):
        here = min(_AT_ONCE, n_draws - start)
        times = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(here)])
        out[start : start + here] = times.astype(np.float32) @ light
    return out


def _means(sums: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the means (D, G, K) of sums (D, G + G * K); NaN for a group that nobody is in."""
    counts, weighted = sums[:, :n_groups], sums[:, n_groups:].reshape(len(sums), n_groups, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weighted / counts[:, :, None])
