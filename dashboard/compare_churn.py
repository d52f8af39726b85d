"""The verdicts of two runs on the same stays in; how many changed, which way, and the stays that moved most, drawn."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.cohort_return import case_query
from dashboard.compare_metrics import OF_VERDICTS
from dashboard.compare_pairs import URL, Pair
from dashboard.compare_words import gap, p_words, signed_3, stays
from dashboard.plain_table import plain_table
from dashboard.wording import Definition
from lemof_core.evaluation.comparison import Paired
from lemof_core.evaluation.verdict_changes import Changes

CASE = "case"  # the parameter of the URL, and the key of the field that holds it
N_LISTED = 50
MOVES = {
    "any": "Largest change of p",
    "verdict": "Verdict differs",
    "a": "A alone is right",
    "b": "B alone is right",
}
# The group of `verdict_changes` -> its words; its net gain has the interval of a metric, `OF_VERDICTS`.
_GROUPS = {"long": "Long stays", "other": "Other stays", "all": "All stays"}


def draw_churn(pair: Pair, found: list[Paired], changes: list[Changes], defined: Definition) -> None:
    """The table of changed verdicts stands above the list of stays.

    Args:
        found: of `comparison.compare`, for the intervals of the net gains; changes: of `verdict_changes`.
    """
    long, others, everybody = changes
    moved = everybody.first + everybody.second
    alone = f"A alone is right in {everybody.right_first:,}, B alone in {everybody.right_second:,}"
    st.subheader(
        f"The verdict differs in {moved:,} of {stays(everybody.n)}: {alone}" if moved else "No verdict differs"
    )
    st.html(f'<div data-testid="compare-churn">{plain_table(churn_table(changes, found))}</div>')
    several = "" if long.p is not None or others.p is not None else " It is not made where patients have several stays."
    st.caption(
        "Net gain of A: the share that A alone judges rightly less the share that B alone does. For long stays it is "
        "the NRI's component for events, for others that for non-events; the two are not added up, because their sum "
        f"weighs a missed stay like a false alarm. p: McNemar's exact test.{several}"
    )
    _draw_list(pair, defined)


def churn_table(changes: list[Changes], found: list[Paired]) -> pd.DataFrame:
    """One row per group: how many stays have an alarm of both, of one, of none; the net gain of A; McNemar's p."""
    by_name = {one.name: one for one in found}
    rows = []
    for one in changes:
        of_bootstrap = by_name[OF_VERDICTS[one.group]]
        known = None if of_bootstrap.value is None else one.net
        note = "the same in both" if of_bootstrap.alike else of_bootstrap.note
        rows.append(
            {
                "Group": _GROUPS[one.group],
                "n": f"{one.n:,}",
                "Both alarm": f"{one.both:,}",
                "Alarm of A alone": f"{one.first:,}",
                "Alarm of B alone": f"{one.second:,}",
                "Neither": f"{one.neither:,}",
                "Net gain of A": gap(known, of_bootstrap.lo, of_bootstrap.hi, note),
                "p": p_words(one.p),
            }
        )
    return pd.DataFrame(rows)


def moved_most(frame: pd.DataFrame, move: str, n: int = N_LISTED) -> pd.DataFrame:
    """The n rows of a `Pair` that moved most, by |p_a − p_b| and then by stay; `move` is a key of MOVES."""
    long = frame["label"].to_numpy() == 1
    right_a, right_b = frame["alarm_a"].to_numpy() == long, frame["alarm_b"].to_numpy() == long
    keep = {
        "any": np.ones(len(frame), dtype=bool),
        "verdict": right_a != right_b,
        "a": right_a & ~right_b,
        "b": right_b & ~right_a,
    }[move]
    some = frame[keep]
    size = (some["p_a"] - some["p_b"]).abs()
    # A few thousand ties at the edge do not matter; sorting 100,000 rows for fifty would.
    nearest = size.nlargest(n, keep="all").index
    return some.loc[nearest].assign(size=size).sort_values(["size", "stay_id"], ascending=[False, True]).head(n)


def _draw_list(pair: Pair, defined: Definition) -> None:
    move = st.segmented_control(
        "Stays listed", list(MOVES), format_func=MOVES.__getitem__, default="any", key="moved", required=True, **URL
    )
    listed = moved_most(pair.frame, move or "any")
    if listed.empty:
        st.info(f"{MOVES[move or 'any']}: no stay.")
        return
    # A keyed table keeps the position of its selection when its rows change: its key names the rows.
    ids = tuple(int(stay) for stay in listed["stay_id"])
    key = "moved-" + hashlib.sha256(f"{pair.key}|{ids}".encode()).hexdigest()[:16]
    st.dataframe(
        list_frame(listed, pair, defined),
        key=key,
        hide_index=True,
        selection_mode="single-row",
        on_select=lambda: _remember(key, ids),
        column_config=_columns(),
        height=35 * (min(len(listed), 10) + 1) + 3,
        alt="Stays whose probability differs most between the runs, one row each",
    )
    st.caption(
        f"The {len(listed)} stays that moved most, of {stays(pair.n)}. Tick a row to see it under both runs below; the "
        "links open its case page."
    )


def list_frame(listed: pd.DataFrame, pair: Pair, defined: Definition) -> pd.DataFrame:
    """The rows as they are shown, with a link to the case under either run."""
    links = {
        side: [f"case?{urlencode(case_query(int(stay), str(run['run_id'])))}" for stay in listed["stay_id"]]
        for side, run in (("a", pair.first), ("b", pair.second))
    }
    outcome = np.select(
        [listed["died_before_cut"], listed["label"] == 1],
        [f"died before {defined.cut}", f"in ICU at {defined.cut}"],
        f"left before {defined.cut}",
    )
    verdict = {side: np.where(listed[f"alarm_{side}"], "alarm", "none") for side in "ab"}
    return pd.DataFrame(
        {
            "Stay": links["a"],
            "Outcome": outcome,
            "p of A": listed["p_a"].to_numpy(),
            "p of B": listed["p_b"].to_numpy(),
            "A − B": [signed_3(value) for value in listed["p_a"] - listed["p_b"]],
            "A says": verdict["a"],
            "B says": verdict["b"],
            "Age": listed["age_years"].to_numpy(),
            "Sex": listed["sex"].astype(str).to_numpy(),
            "Unit": listed["unit"].astype(str).to_numpy(),
            "Under A": links["a"],
            "Under B": links["b"],
        }
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    p: dict[str, Any] = {"format": "%.2f", "min_value": 0, "max_value": 1, "width": 100}
    return {
        "Stay": column.LinkColumn(display_text=r"stay=(\d+)", help="Opens the case under run A", width=90),
        "p of A": column.ProgressColumn(**p),
        "p of B": column.ProgressColumn(**p),
        "Under A": column.LinkColumn(display_text="open", width=64, help="The case page under run A"),
        "Under B": column.LinkColumn(display_text="open", width=64, help="The case page under run B"),
    }


def _remember(key: str, ids: tuple[int, ...]) -> None:
    """The chosen row's stay, by the ids that were shown with it, is the one to look at."""
    rows = st.session_state[key]["selection"]["rows"]
    st.session_state[CASE] = str(ids[rows[0]]) if rows else ""
