"""How stays ended by care unit and decade of age in, the base rate of patients comparable to one of them out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from scipy.stats import binomtest

from dashboard.wording import care_unit

EVERYBODY = "all of the cohort"
FEWEST = 20  # stays; with fewer the care unit is left out, then the decade


@dataclass(frozen=True)
class Comparable:
    """Stays like this one, the patient's own left out: how many stayed, with the Wilson interval, how many died."""

    words: str  # who they are
    n: int
    events: int
    deaths: int

    @property
    def called(self) -> str:
        """What the group may be called: where it had to be widened to everybody it is not comparable."""
        return "all stays" if self.words == EVERYBODY else "comparable stays"

    @property
    def rate(self) -> float:
        """The share that was still in the ICU after the cut."""
        return self.events / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate (Wilson, JASA 1927)."""
        found = binomtest(self.events, self.n).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


def comparable(
    counts: pd.DataFrame, *, unit: str, age: int, own_label: int | None, own_death: bool
) -> Comparable | None:
    """Return the narrowest group of at least FEWEST others; None where even all stays are fewer.

    Args:
        counts: as `cohort_db.read_comparable.outcome_counts` gives them.
        own_label: the patient's own outcome, which is in the counts unless it is unknown.
    """
    decade = age - age % 10
    same_unit, same_decade = counts["first_careunit"] == unit, counts["decade"] == decade
    of_age = f"aged {decade} to {decade + 9}"
    for chosen, words in (
        (same_unit & same_decade, f"{care_unit(unit)}, {of_age}"),
        (same_decade, of_age),
        (same_decade | True, EVERYBODY),
    ):
        some = counts[chosen]
        known = own_label is not None
        n, events = int(some["n"].sum()) - known, int(some["events"].sum()) - (own_label or 0)
        if n >= FEWEST:
            return Comparable(words, n, events, int(some["deaths"].sum()) - (known and own_death))
    return None
