"""What a cohort of stays is defined by: a reader's filters.

Filters are combined with "and"; the values inside one filter with "or". A stay without a prediction satisfies no filter
about it, and a stay without a known outcome none about that.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from cohort_db.race_groups import RACE_GROUPS

WHERE = ("in", "out")
SEXES = ("F", "M")
QUALITIES = ("clean", "flagged", "unusable", "none")
ECG = {"yes": ("clean", "flagged"), "no": ("unusable", "none")}
OUTCOMES = ("long", "left", "died")
SPLITS = ("test", "cal", "meta", "val", "train")
VERDICTS = ("hit", "false", "miss", "calm")
# Facet -> its values, where they are always the same; each value's code is its place.
FIXED: dict[str, tuple[str, ...]] = {
    "sex": SEXES, "race": RACE_GROUPS, "quality": QUALITIES, "outcome": OUTCOMES, "split": SPLITS,
}  # fmt: skip
OF_RUN = frozenset({"split", "p", "error", "verdict"})
ORDERS_OF_RUN = frozenset({"p_high", "p_low", "error"})


@dataclass(frozen=True)
class Filters:
    """What the reader asked for; an empty field asks for nothing. The names are those of the URL's parameters."""

    q: str = ""  # start of a stay or subject id
    where: tuple[str, ...] = ()  # of WHERE
    rule: tuple[str, ...] = ()  # attrition rules
    split: tuple[str, ...] = ()  # of SPLITS; the run's own, else the store's
    sex: tuple[str, ...] = ()
    age: tuple[int, int] | None = None  # years, both ends included
    race: tuple[str, ...] = ()  # of RACE_GROUPS
    unit: tuple[str, ...] = ()  # first_careunit, in full
    disease: tuple[str, ...] = ()  # any of them
    ecg: tuple[str, ...] = ()  # keys of ECG
    quality: tuple[str, ...] = ()  # of QUALITIES
    outcome: tuple[str, ...] = ()  # of OUTCOMES
    p: tuple[float, float] | None = None  # both ends included
    error: tuple[float, float] | None = None  # |p - label|, both ends included
    verdict: tuple[str, ...] = ()  # of VERDICTS, at the threshold of the stay's path
    thr: float = 0.5  # with ECG
    thr_ehr: float = 0.5  # without
    cohort: str = ""  # a saved cohort: its members at saving

    @property
    def thresholds(self) -> dict[str, float]:
        """Path -> its threshold."""
        return {"both": self.thr, "ehr": self.thr_ehr}

    @property
    def reads_run(self) -> bool:
        """Whether another run would give other stays."""
        return not OF_RUN.isdisjoint(self.active())

    def without(self, *names: str) -> Filters:
        """The same filters, these ones asking for nothing."""
        asks_nothing: dict[str, Any] = {one.name: one.default for one in fields(self) if one.name in names}
        return replace(self, **asks_nothing)

    def active(self) -> list[str]:
        """The names of the filters that leave somebody out, or could."""
        return [one.name for one in fields(self) if one.name not in ("thr", "thr_ehr") and getattr(self, one.name)]
