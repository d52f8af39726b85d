"""Whom a page of results is about: split, deaths and a saved cohort chosen by the reader in, their predictions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from cohort_db.stay_filters import Filters
from dashboard import queries_analysis, queries_results
from dashboard.cohort_choice import EVERYBODY, members, pick, saved_names, warn_of_result
from dashboard.cohort_filters import SPLITS
from dashboard.queries_cohort import browser
from dashboard.wording import Definition

URL: dict[str, Any] = {"bind": "query-params"}


@dataclass(frozen=True)
class Population:
    """The predictions that a page judges.

    frame: the columns of `read_analysis.analysed`, units short; split: the part of the run that they are from;
    deaths: "with" or "without" in-ICU deaths before the cut; cohort: the saved cohort they are members of, or
    EVERYBODY.
    """

    frame: pd.DataFrame
    split: str
    deaths: str
    cohort: str = EVERYBODY

    def why_empty(self, run_id: str) -> str:
        """Why nobody is left, in a sentence."""
        if self.cohort == EVERYBODY:
            return f"No sample of the {self.split} split has a prediction and a known outcome."
        found = browser(run_id).counts(Filters(cohort=self.cohort), "split")
        where = ", ".join(f"{n:,} in {name}" for name, n in found.items())
        return (
            f"None of the cohort's stays has a prediction and a known outcome in the {self.split} split. "
            f"By split its stays are: {where or 'none is in the store'}. Choose another split above."
        )

    @property
    def n(self) -> int:
        """Predictions."""
        return len(self.frame)

    @property
    def events(self) -> int:
        """Long stays among them."""
        return int(self.frame["label"].sum())


def choose(url: str, revision: str, run_id: str, defined: Definition) -> Population:
    """The controls stand on the page; what is chosen comes back. Everybody of the test split is the default.

    The parameters in the URL are `part`, `without_deaths` and `among`. No sample may be left: `frame` is empty then.
    """
    splits = [name for name in SPLITS if name in queries_results.scored_splits(url, revision, run_id)] or ["test"]
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="population"):
        split = st.segmented_control("Split", splits, default=splits[0], key="part", required=True, **URL)
        without = st.toggle(
            f"Without deaths before {defined.cut}",
            key="without_deaths",
            help="Death in the ICU ends a stay: label 0",
            **URL,
        )
        names = {EVERYBODY: "Everybody"} | saved_names()
        cohort = EVERYBODY
        if len(names) > 1 or "among" in st.query_params:
            cohort = pick(st, "Among", "among", names, EVERYBODY, width=200)
    warn_of_result(names, cohort)
    frame = queries_analysis.analysed(url, revision, run_id, str(split or splits[0]))
    if without:
        frame = frame[~frame["died_before_cut"]].reset_index(drop=True)
    if cohort != EVERYBODY:
        frame = frame[frame["stay_id"].isin(members(url, cohort))].reset_index(drop=True)
    return Population(frame, str(split or splits[0]), "without" if without else "with", cohort)
