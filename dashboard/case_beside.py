"""A case and another patient's stay in, both side by side out: the other one always under its own name and colour."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import queries_case
from dashboard.case_ecg import PX_PER_MM
from dashboard.case_overlay import twelve_leads
from dashboard.case_sheet import judged_values
from dashboard.case_values import Latest
from dashboard.ecg_paper import ecg_paper
from dashboard.plain_table import plain_table
from dashboard.queries_case import Case
from dashboard.wording import care_unit


def other_panel(url: str, revision: str, case: Case, latest: Mapping[str, Latest], other_id: int) -> None:
    """Draw the other stay's last values beside this one's, and its ECG; every part is stamped with the other's id."""
    other = queries_case.case_of(url, revision, other_id, case.run_id)
    if other is None or other.stay_id == case.stay_id:
        return
    _, others = judged_values(url, revision, other)
    with st.container(key="case-other", gap="xsmall"):
        st.html(_header(case, other))
        left, right = st.columns([38, 62], gap="medium")
        with left:
            st.html(last_values(case, latest, other, others, queries_case.variables(url, revision)))
        with right:
            _paper(url, revision, other)


def _header(case: Case, other: Case) -> str:
    same = " · the same patient, another stay" if other.facts["subject_id"] == case.facts["subject_id"] else ""
    who = f"{other.facts['sex']} {other.facts['age_years']} · {care_unit(other.facts['first_careunit'])}"
    return (
        f'<div class="case-other-head" role="note" data-stay="{other.stay_id}" data-run="{html.escape(other.run_id)}" '
        f'data-other="true"><b>Other patient</b> · Stay {other.stay_id} · {html.escape(who)}{same}</div>'
    )


def last_values(
    case: Case, latest: Mapping[str, Latest], other: Case, others: Mapping[str, Latest], variables: pd.DataFrame
) -> str:
    """Return a table of the last values of both, each column under its stay."""
    names = [name for name in variables.index if name in latest or name in others]
    frame = pd.DataFrame(
        {
            "Last before the prediction": [str(variables.at[name, "label"]) for name in names],
            f"This stay {case.stay_id}": [_value(latest.get(name), variables, name) for name in names],
            f"Other stay {other.stay_id}": [_value(others.get(name), variables, name) for name in names],
        }
    )
    return f'<div data-testid="last-values">{plain_table(frame)}</div>'


def _value(last: Latest | None, variables: pd.DataFrame, name: str) -> str:
    return "–" if last is None else last.words(variables.loc[name].to_dict())


def _paper(url: str, revision: str, other: Case) -> None:
    if other.study_id is None:
        st.info(f"Stay {other.stay_id} has no ECG in the window.")
        return
    record = queries_case.waveform(url, revision, other.study_id)
    shown = twelve_leads(record) if not record.problem else record
    if record.problem or not len(shown.leads):
        st.info(
            f"The ECG of stay {other.stay_id} cannot be shown: {record.problem or 'it has none of the twelve leads'}."
        )
        return
    ecg_paper(
        shown.ecg_mv,
        int(shown.fs),
        shown.leads,
        stay_id=other.stay_id,
        run_id=other.run_id,
        key="case-other-ecg",
        caption=f"Other patient, stay {other.stay_id}",
        px_per_mm=PX_PER_MM,
    )
