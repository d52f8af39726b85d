"""A case in, the stays most like it in a chosen space out, how they ended, and the way to see one beside it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from scipy.stats import binomtest

from dashboard import queries_case
from dashboard.case_beside import other_panel
from dashboard.case_panel import panel_title
from dashboard.case_values import Latest
from dashboard.neighbours import SPACES, nearest, reads_ecg
from dashboard.plain_table import plain_table
from dashboard.queries_case import Case
from dashboard.queries_similar import Space, space_of
from dashboard.wording import Definition, interval, probability

N_NEAREST = 10
SAME = "same patient"


def similar_panel(url: str, revision: str, case: Case, defined: Definition, latest: Mapping[str, Latest]) -> None:
    """Draw the stays nearest to this one, or why there are none."""
    space = st.selectbox(
        "Compared by", list(SPACES), key="space", bind="query-params", width=260, label_visibility="collapsed"
    )
    found = space_of(url, revision, case.run_id, space) if case.prediction else None
    own = _own_row(found, case)
    if found is None or own is None:
        panel_title(case, "similar", "No similar stays")
        st.info(_why_none(case, space, found))
        return
    rows, distances = nearest(found.vectors, own, N_NEAREST)
    people = neighbours_of(found, rows, distances, int(case.facts["subject_id"]))
    panel_title(case, "similar", summary(people, defined), "their outcomes are known today, this patient's was not")
    facts = queries_case.people(url, revision, tuple(int(stay_id) for stay_id in people["stay_id"]))
    st.html(_table(people, facts, case.run_id, defined))
    st.html(
        '<div class="case-footnote">Distance between standardised vectors over the root of their length: 0 is the '
        "same, about 1.4 is what two strangers have. Other records of the same patient are named and not "
        "counted above. Like to the model is not alike in illness.</div>"
    )
    listed = [int(stay_id) for stay_id in people["stay_id"]]
    # The patient is in the key: a stay chosen beside the last one is not beside this one.
    other = st.selectbox(
        "Beside this patient", listed, index=None, key=f"beside-{case.stay_id}-{case.run_id}-{space}", width=260,
        format_func=lambda stay_id: f"Stay {stay_id}", placeholder="Show one beside this patient",
        label_visibility="collapsed",
    )  # fmt: skip
    if other is not None:
        other_panel(url, revision, case, latest, int(other))


def _own_row(found: Space | None, case: Case) -> int | None:
    if found is None:
        return None
    own = found.people.index[found.people["sample_id"] == case.sample_id]
    return int(own[0]) if len(own) else None


def _why_none(case: Case, space: str, found: Space | None) -> str:
    if case.prediction is None:
        return "This stay was not scored, so nothing is known that it could be compared by."
    if found is not None and reads_ecg(space):
        return f"This stay has no ECG that the model read: compare it by the record, not by {space}."
    return (
        "This run stored no vectors: it was scored without explanations, or by an older program. `lemof score` again."
    )


def neighbours_of(found: Space, rows: Any, distances: Any, subject_id: int) -> pd.DataFrame:
    """Return the people of the rows with distance and same_patient, nearest first."""
    people = found.people.iloc[rows].assign(distance=distances)
    return people.assign(same_patient=people["subject_id"] == subject_id).reset_index(drop=True)


def summary(people: pd.DataFrame, defined: Definition) -> str:
    """Return how the similar stays of other patients ended: a share with interval and n."""
    others = people[~people["same_patient"] & people["label"].notna()]
    if others.empty:
        return "No similar stay of another patient has a known outcome"
    n, events = len(others), int(others["label"].sum())
    spread = binomtest(events, n).proportion_ci(method="wilson")
    share = f"{probability(events / n)} {interval(float(spread.low), float(spread.high))}"
    return f"{events} of the {n} most similar stays were still in the ICU after {defined.cut}: {share}"


def _table(people: pd.DataFrame, facts: Mapping[int, dict[str, Any]], run_id: str, defined: Definition) -> str:
    """Return the neighbours with links to their cases; a link of another patient is named as such."""
    rows: list[dict[Any, Any]] = people.to_dict("records")
    shown = pd.DataFrame(
        {
            "Stay": [str(row["stay_id"]) for row in rows],
            "": [SAME if row["same_patient"] else "" for row in rows],
            "Distance": [f"{row['distance']:.2f}" for row in rows],
            "Patient": [facts.get(int(row["stay_id"]), {}).get("words", "") for row in rows],
            "p": [probability(row["p"]) for row in rows],
            f"At {defined.cut}": [_ended(row) for row in rows],
            "Split": [str(row["split"]) for row in rows],
        }
    )
    markup = plain_table(shown, words=("", "Patient", f"At {defined.cut}", "Split"))
    for row in rows:  # the first column is the row's head: it becomes the way to that case
        stay = html.escape(str(row["stay_id"]))
        link = f'<a href="case?stay={stay}&amp;run={html.escape(run_id)}" target="_self">{stay}</a>'
        markup = markup.replace(
            f'<th scope="row" class="words">{stay}</th>', f'<th scope="row" class="words">{link}</th>'
        )
    return f'<div data-testid="similar-stays">{markup}</div>'


def _ended(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["label"]):
        return "unknown"
    if row["died_before_cut"]:
        return "died in ICU before"
    return "in ICU" if int(row["label"]) else "left"
