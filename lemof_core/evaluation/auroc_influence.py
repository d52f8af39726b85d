"""Labels and scores in; AUROCs and what each sample does to them out, for paired intervals that need no draws.

The interval of a bootstrap without the bootstrap: at 100,000 stays a thousand draws of twenty AUROCs take minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lemof_core.evaluation.delong import components
from lemof_core.evaluation.metrics import MIN_EVENTS, Z_95


@dataclass(frozen=True)
class Auroc:
    """An AUROC, or a difference of two, and how far each sample moves it.

    Attributes:
        value: NaN where there are fewer than MIN_EVENTS of a class.
        influence: (N,), sums to 0 within each class, widened by the patients of the class as a variance of so few is;
            subject_ids: (N,), whose samples they are.
    """

    value: float
    influence: np.ndarray
    subject_ids: np.ndarray

    def __sub__(self, other: Auroc) -> Auroc:
        """Return the paired difference on the same samples."""
        return Auroc(self.value - other.value, self.influence - other.influence, self.subject_ids)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval, normal; NaN without a value or with a single patient.

        Of one sample a patient it is DeLong's (1988); of several, Obuchowski's (1997), by summing what a patient does.
        """
        subjects, of = np.unique(self.subject_ids, return_inverse=True)
        if np.isnan(self.value) or len(subjects) < 2:
            return np.nan, np.nan
        of_patient = np.bincount(of, weights=self.influence)
        wide = Z_95 * float(np.sqrt((of_patient**2).sum()))
        return self.value - wide, self.value + wide


def auroc(y: np.ndarray, score: np.ndarray, subject_ids: np.ndarray) -> Auroc:
    """Return the AUROC of scores (N,) for labels (N,), ties counted half, with its influence.

    A sample's influence is the share of the other class that it beats, less the AUROC, over the size of its own class
    (DeLong, DeLong and Clarke-Pearson 1988; see `delong.components`).
    """
    positive = np.asarray(y) == 1
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if min(n_pos, n_neg) < MIN_EVENTS:
        return Auroc(np.nan, np.zeros(len(positive)), subject_ids)
    beaten = np.empty(len(positive))
    of_pos, of_neg = components(np.asarray(y), np.asarray(score, dtype=float)[None])
    beaten[positive], beaten[~positive] = of_pos[0], of_neg[0]
    value = float(beaten[positive].mean())
    patients = [max(len(np.unique(subject_ids[of])), 2) for of in (~positive, positive)]
    widened = np.sqrt([n / (n - 1) for n in patients])[positive.astype(int)]
    return Auroc(value, widened * (beaten - value) / np.where(positive, n_pos, n_neg), subject_ids)
