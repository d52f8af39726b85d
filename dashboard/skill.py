"""A run's metrics in, whether it can tell patients apart at all out: without skill nothing it says is explained."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dashboard.queries_results import HELD_OUT, metrics
from dashboard.stored_metrics import one_metric
from dashboard.wording import estimate


@dataclass(frozen=True)
class Skill:
    """The test AUROC that was measured, in words; `shown`: its interval lies above .5, None where none was measured."""

    shown: bool | None
    words: str

    @property
    def none(self) -> bool:
        """Whether a measured interval holds .5, or lies below it."""
        return self.shown is False


def skill_of(found: pd.DataFrame, own: pd.DataFrame) -> Skill:
    """Return the skill on this store's test split, else on the test that a shipped run came with."""
    for measured, where in ((found, "on test"), (own, "in its own test")):
        one = one_metric(measured, "auroc")
        if one is not None and one["value"] == one["value"] and one["lo"] == one["lo"]:
            n = f"n = {int(one['n']):,}"
            words = f"AUROC {estimate(one['value'], one['lo'], one['hi'])} {where}, {n}"
            return Skill(float(one["lo"]) > 0.5, words)
    return Skill(None, "not evaluated")


def skill(url: str, revision: str, run_id: str) -> Skill:
    """Return the run's skill, as this store or the run itself measured it."""
    return skill_of(metrics(url, revision, run_id, "test"), metrics(url, revision, run_id, HELD_OUT))
