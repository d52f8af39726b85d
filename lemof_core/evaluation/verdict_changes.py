"""Outcomes and the alarms of two models for the same samples in, how many verdicts differ and by what chance out.

Long stays and others are counted apart and never added up to one "net reclassification": the sum weighs a missed stay
and a false alarm alike, whatever their numbers and costs (Kerr et al. 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

GROUPS = ("long", "other", "all")


@dataclass(frozen=True)
class Changes:
    """How two models' verdicts on a group of samples go together.

    group: one of GROUPS. both, first, second, neither: samples with an alarm of both models, of the first alone, of
    the second alone, of none. right_first, right_second: those that the one model alone judged rightly.
    p: exact, two-sided, of McNemar's test that neither is right more often; None without a sample, or where samples of
    one patient would be taken for independent.
    """

    group: str
    both: int
    first: int
    second: int
    neither: int
    right_first: int
    right_second: int
    p: float | None

    @property
    def n(self) -> int:
        """The samples of the group."""
        return self.both + self.first + self.second + self.neither

    @property
    def net(self) -> float | None:
        """Share rightly judged by the first model alone less that by the second alone; None without a sample.

        Of long stays it is the difference of sensitivities (the NRI's component for events), of others that of
        specificities (its component for non-events), of all that of accuracies.
        """
        return (self.right_first - self.right_second) / self.n if self.n else None


def verdict_changes(
    y: np.ndarray, first: np.ndarray, second: np.ndarray, subject_ids: np.ndarray | None = None
) -> list[Changes]:
    """Return the changes among long stays, among others and among all, in the order of GROUPS.

    Args:
        y: (N,) 0 and 1; first, second: (N,) bool, the models' alarms.
        subject_ids: (N,) the patient of each sample; None where each sample is another's.
    """
    long, first, second = y == 1, first.astype(bool), second.astype(bool)
    independent = subject_ids is None or len(np.unique(subject_ids)) == len(y)
    members = (long, ~long, np.ones(len(y), dtype=bool))
    return [
        _changes(group, long[of], first[of], second[of], independent) for group, of in zip(GROUPS, members, strict=True)
    ]


def _changes(group: str, long: np.ndarray, first: np.ndarray, second: np.ndarray, independent: bool) -> Changes:
    right_first = int(((first == long) & (second != long)).sum())
    right_second = int(((first != long) & (second == long)).sum())
    return Changes(
        group,
        both=int((first & second).sum()),
        first=int((first & ~second).sum()),
        second=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
        right_first=right_first,
        right_second=right_second,
        p=mcnemar_p(right_first, right_second) if independent and len(long) else None,
    )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test from the two discordant counts; 1 where nothing differs.

    Exact at every size, so that no cut-off decides which test is made.
    """
    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)
