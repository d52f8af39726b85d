"""A case in, what its prediction is held against out: comparable stays, coverage, skill, reasons to abstain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard import queries_case, queries_results
from dashboard.abstention import reasons_to_abstain
from dashboard.comparable import Comparable, comparable
from dashboard.queries_case import Case
from dashboard.skill import Skill, skill


@dataclass(frozen=True)
class Judgement:
    """What stands around a prediction; `measured`: the metrics that hold its coverage (empty where none does)."""

    like_it: Comparable | None
    measured: pd.DataFrame
    skill: Skill
    abstains: list[str]


def judge_case(
    url: str,
    revision: str,
    case: Case,
    run: dict[str, Any] | None,
    records: pd.DataFrame,
    variables: pd.DataFrame,
) -> Judgement:
    """Return the judgement; without a prediction there is none to be made."""
    if case.prediction is None or run is None:
        return Judgement(None, pd.DataFrame(), Skill(None, "not evaluated"), [])
    like_it = comparable(
        queries_case.outcome_counts(url, revision),
        unit=str(case.facts["first_careunit"]),
        age=int(case.facts["age_years"]),
        own_label=case.label,
        own_death=case.died_before_cut,
    )
    able = skill(url, revision, case.run_id)
    read = records[records["study_id"] == case.model_study_id]
    quality = read["quality"].iloc[0] if len(read) and isinstance(read["quality"].iloc[0], dict) else None
    abstains = reasons_to_abstain(case.prediction, quality, able, variables["label"].to_dict())
    return Judgement(like_it, _measured(url, revision, case.run_id), able, abstains)


def _measured(url: str, revision: str, run_id: str) -> pd.DataFrame:
    """Return this store's test metrics where they hold a coverage, else those that a shipped run came with."""
    for split in ("test", queries_results.HELD_OUT):
        found = queries_results.metrics(url, revision, run_id, split)
        covered = found[(found["stratum_kind"] == "path") & found["value"].notna()]
        if len(covered):
            return covered
    return pd.DataFrame(columns=["stratum_kind", "stratum", "name", "value", "lo", "hi", "n", "note"])
