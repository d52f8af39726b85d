"""Predictions of two runs for the same stays in; the groups in which the runs differ most, drawn as a forest plot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts.forest import forest
from dashboard.compare_pairs import URL, Pair
from dashboard.compare_words import METRIC_WORDS, equals, gap, p_words
from dashboard.strata import EVERYBODY, KINDS
from lemof_core.evaluation.slice_changes import SCORES, SliceChange, slice_changes
from lemof_core.evaluation.strata import groups

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
OF_KIND = {"sex": "Sex", "age": "Age", "race": "Race", "unit": "Unit", "quality": "ECG", "disease": "Disease"}
N_DRAWN = 15
CLEAR = 0.05  # of the adjusted p


def groups_of(frame: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    """(kind, name) -> members (N,) bool of the groups of OF_KIND that occur, as `evaluation.strata` has them."""
    return {(kind, name): of for kind in OF_KIND for name, of in groups(frame, kind).items() if of.any()}


@st.cache_data(max_entries=16, show_spinner=False)
def _changes(key: str, revision: str, score: str, _pair: Pair) -> list[SliceChange]:
    return slice_changes(*_arrays(_pair), groups_of(_pair.frame), score=score)


def draw_slices(pair: Pair, revision: str) -> None:
    """The groups with the largest change stand on one axis, and all of them in a table."""
    head = st.container()
    score = st.segmented_control(
        "Score", SCORES, format_func=METRIC_WORDS.__getitem__, default="brier", key="slice_score", required=True, **URL
    )
    score = score or "brier"
    found = _changes(pair.key, revision, score, pair)
    known = [one for one in found if one.value is not None]
    head.subheader(slices_title(known))
    if not known:
        st.info("No group has 5 stays of each class: a difference in it would be one patient's.")
        return
    everybody = slice_changes(*_arrays(pair), {("all", EVERYBODY): np.ones(pair.n, dtype=bool)}, score=score)[0]
    rows = forest_rows(known[:N_DRAWN], score)
    better = "right" if score == "auroc" else "left"
    figure = forest(rows, x_title=f"{METRIC_WORDS[score]}, A − B<br>({better} of the line: A better)", reference=0.0,
                    overall=everybody.value)  # fmt: skip
    alt = f"Difference of the {METRIC_WORDS[score]} in {len(rows)} groups, largest first, as in the table"
    st.plotly_chart(figure, key="chart-compare-slices", alt=alt, **PLAIN)
    silent = len(found) - len(known)
    gone = f" {silent} more with fewer than 5 stays of a class are not shown." if silent else ""
    st.caption(
        f"The {len(rows)} groups with the largest difference, of {len(known)}.{gone} Small groups differ most by "
        f"chance: read q, which is p adjusted for all {len(known)} groups (Benjamini-Hochberg); in accent where q < "
        f"{CLEAR:g}. Dotted: {EVERYBODY.lower()}, {gap(everybody.value, everybody.lo, everybody.hi, everybody.note)}. "
        f"{KINDS['disease']}s are coded at discharge and overlap. {_method(score)}"
    )
    with st.expander(f"All {len(known)} groups as a table"):
        st.dataframe(slices_table(known), hide_index=True, key="table-compare-slices")


def slices_title(known: list[SliceChange]) -> str:
    """How many groups differ clearly, the largest of them named."""
    clear = [one for one in known if one.q is not None and one.q < CLEAR]
    if not known:
        return "Where the runs differ is not estimable"
    if not clear:
        return f"In none of {len(known)} groups do the runs differ clearly"
    return f"In {len(clear)} of {len(known)} groups the runs differ clearly, most in {clear[0].name}"


def forest_rows(known: list[SliceChange], score: str) -> pd.DataFrame:
    """What `charts.forest` takes, in the given order."""
    rows = [
        {
            "label": f"{OF_KIND[one.kind]}: {one.name}",
            "value": one.value,
            "lo": one.lo,
            "hi": one.hi,
            "text": f"{gap(one.value, one.lo, one.hi)}   n = {one.n:,}, {one.events:,} long   q {equals(one.q)}",
            "strong": one.q is not None and one.q < CLEAR,
        }
        for one in known
    ]
    return pd.DataFrame(rows)


def slices_table(known: list[SliceChange]) -> pd.DataFrame:
    """One row per group, the largest change first."""
    return pd.DataFrame(
        {
            "Kind": [OF_KIND[one.kind] for one in known],
            "Group": [one.name for one in known],
            "n": [one.n for one in known],
            "Long": [one.events for one in known],
            "A − B": [gap(one.value, one.lo, one.hi) for one in known],
            "p": [p_words(one.p) for one in known],
            "q": [p_words(one.q) for one in known],
        }
    )


def _arrays(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    y, first, second, subjects = (pair.column(name) for name in ("label", "p_a", "p_b", "subject_id"))
    return y, first, second, subjects


def _method(score: str) -> str:
    if score == "auroc":
        return "Intervals and p: DeLong's."
    return "Intervals and p: t of the paired difference of each stay's loss."
