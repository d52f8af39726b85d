"""Outcomes, the probabilities of two models and groups of samples in; by how much the models differ in each out.

Intervals and p-values are in closed form, so that some forty groups cost nothing: DeLong's for the AUROC, and for a
mean loss the t-interval of its paired difference, with the samples of one patient taken together (Liang and Zeger
1986). The p-values of all groups are adjusted together (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lemof_core.evaluation.delong import delong
from lemof_core.evaluation.metrics import MIN_EVENTS, log_losses

SCORES = ("brier", "log_loss", "auroc")


@dataclass(frozen=True)
class SliceChange:
    """The first model's score less the second's in one group, with its 95 % interval; value None: `note` says why.

    p is of this group alone, q is adjusted for all groups that were looked at.
    """

    kind: str
    name: str
    n: int
    events: int
    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    p: float | None = None
    q: float | None = None
    note: str | None = None


def slice_changes(
    y: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    subject_ids: np.ndarray,
    groups: Mapping[tuple[str, str], np.ndarray],
    *,
    score: str = "brier",
) -> list[SliceChange]:
    """Return one change per group, the largest first, those without a number last.

    A group needs MIN_EVENTS samples of each class, whatever the score: below, one patient makes the difference.

    Args:
        y: (N,) 0 and 1; first, second: (N,) probabilities; groups: (kind, name) -> members (N,) bool, may overlap.
        score: one of SCORES.
    """
    found = [
        _change(kind, name, y[of], first[of], second[of], subject_ids[of], score) for (kind, name), of in groups.items()
    ]
    tested = [k for k, one in enumerate(found) if one.p is not None]
    if tested:
        adjusted = multipletests([found[k].p for k in tested], method="fdr_bh")[1]
        for k, q in zip(tested, adjusted, strict=True):
            found[k] = replace(found[k], q=float(q))
    return sorted(found, key=lambda one: (one.value is None, -abs(one.value or 0), -one.n, one.kind, one.name))


def mean_difference(gap: np.ndarray, subject_ids: np.ndarray) -> tuple[float, float, float, float]:
    """Return (mean, 95 % low, high, two-sided p) of the differences (N,), with t on patients - 1 degrees of freedom.

    With one sample a patient it is the paired t-test. Needs two patients.
    """
    subjects, of = np.unique(subject_ids, return_inverse=True)
    mean = float(gap.mean())
    sums = np.bincount(of, weights=gap - mean)
    k = len(subjects)
    se = float(np.sqrt(k / (k - 1) * np.sum(sums**2))) / len(gap)
    if se == 0:
        return mean, mean, mean, 1.0 if mean == 0 else 0.0
    reach = float(stats.t.ppf(0.975, k - 1)) * se
    return mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / se, k - 1))


def losses(y: np.ndarray, p: np.ndarray, score: str) -> np.ndarray:
    """Return each sample's loss (N,): squared error (brier), or minus log-likelihood in nats (log_loss).

    Raises: ValueError for a score that is no mean over samples.
    """
    if score == "brier":
        return np.asarray((p - y) ** 2)
    if score == "log_loss":
        return log_losses(y, p)
    raise ValueError(f"{score!r} is no loss of a sample")


def _change(
    kind: str, name: str, y: np.ndarray, first: np.ndarray, second: np.ndarray, subject_ids: np.ndarray, score: str
) -> SliceChange:
    n, events = len(y), int(y.sum())
    why = SliceChange(kind, name, n, events, note=f"not estimable, n = {n}, events = {events}")
    if min(events, n - events) < MIN_EVENTS or len(np.unique(subject_ids)) < MIN_EVENTS:
        return why
    if score == "auroc":
        found = delong(y, first, second, subject_ids)
        if found is None:
            return why
        return SliceChange(kind, name, n, events, found.value, found.lo, found.hi, found.p)
    gap = losses(y, first, score) - losses(y, second, score)
    return SliceChange(kind, name, n, events, *mean_difference(gap, subject_ids))
