"""A patient's ECGs and the URL in, which one is shown and which beside it out, and the lists to choose them from.

Both are looked up among this patient's own: an ECG of somebody else in a link is no ECG here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.queries_case import Case
from dashboard.wording import hours

CHOSEN, COMPARED = "ecg", "ecg2"


def chosen_study(case: Case, records: pd.DataFrame) -> int | None:
    """Return the ECG to show: the URL's if it is this patient's, else the one linked to the prediction; outside the
    cohort, the last one up to a day after admission."""
    asked = _asked(CHOSEN, records)
    if asked is not None:
        return asked
    if case.sample_id is not None:
        return case.study_id
    day = pd.Timedelta(hours=24)
    near = records[(records["ecg_time"] - pd.Timestamp(case.facts["intime"])).between(-day, day)]
    return int(near["study_id"].iloc[-1]) if len(near) else None


def compared_study(records: pd.DataFrame, study_id: int | None) -> int | None:
    """Return the ECG that the URL puts beside the shown one; None where it names none, or no other of this patient."""
    asked = _asked(COMPARED, records)
    return None if study_id is None or asked == study_id else asked


def _asked(name: str, records: pd.DataFrame) -> int | None:
    asked = st.query_params.get(name, "")
    return int(asked) if asked.isdecimal() and int(asked) in set(records["study_id"]) else None


def when(ecg_time: datetime, intime: datetime) -> str:
    """Return the time relative to ICU admission, in days where hours would be long numbers."""
    offset_s = (ecg_time - intime).total_seconds()
    if abs(offset_s) < 72 * 3600:
        return hours(offset_s)
    return f"{abs(offset_s) / 86_400:,.0f} days {'after' if offset_s > 0 else 'before'} admission"


def record_labels(records: pd.DataFrame, case: Case) -> dict[int, str]:
    """Return study_id -> how it stands in the list, with what the model saw marked."""
    labels = {}
    rows: list[dict[Any, Any]] = records.to_dict("records")
    for row in rows:
        study_id = int(row["study_id"])
        mark = ""
        if study_id == case.model_study_id:
            mark = " · the model saw this one"
        elif study_id == case.study_id:
            mark = " · linked, not read by the model"
        broken = "" if row["readable"] else " · unreadable"
        offset = when(row["ecg_time"], case.facts["intime"])
        labels[study_id] = f"{row['ecg_time']:%Y-%m-%d %H:%M} · {offset}{mark}{broken}"
    return labels


def ecg_choice(case: Case, records: pd.DataFrame, study_id: int | None, second_id: int | None) -> None:
    """Draw the lists of the patient's ECGs; the URL alone says which are shown, so the widgets follow it."""
    if len(records) < 1 or (len(records) == 1 and study_id is not None):
        return
    labels = record_labels(records, case)
    _list_of(case, CHOSEN, labels, study_id, f"Choose one of this patient's {len(labels)} ECGs")
    if study_id is not None:
        others = {number: label for number, label in labels.items() if number != study_id}
        _list_of(case, COMPARED, others, second_id, f"Compare with one of {len(others)} others")


def _list_of(case: Case, name: str, labels: dict[int, str], shown: int | None, placeholder: str) -> None:
    key = f"{name}-of-{case.facts['subject_id']}"
    st.session_state[key] = shown

    def choose() -> None:
        chosen = st.session_state.get(key)
        if chosen is not None:
            st.query_params[name] = str(chosen)
        elif name in st.query_params:
            del st.query_params[name]

    st.selectbox(
        placeholder, list(labels), format_func=lambda study: labels[study], key=key, on_change=choose,
        index=0 if name == CHOSEN and shown is not None else None, placeholder=placeholder,
        label_visibility="collapsed", width=245,
    )  # fmt: skip
