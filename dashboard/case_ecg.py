"""A case and the URL's view options in, the chosen ECG on paper out; overlays only on the record that the model saw."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import pandas as pd
import streamlit as st

from dashboard.case_overlay import ATTENTION, NONE, SALIENCY, Overlay, overlay_of, twelve_leads
from dashboard.case_panel import panel_title
from dashboard.case_reasons import ecg_words
from dashboard.ecg_paper import EcgPaperResult, ecg_paper
from dashboard.ecg_payload import GAINS_MM_PER_MV, ROWS_PER_LAYOUT, SPEEDS_MM_PER_S, Layout
from dashboard.queries_case import Attention, Case, Explained, Waveform
from dashboard.wording import hours

PX_PER_MM = 2.9  # ten seconds at 25 mm/s fill the left column of a 1440 px screen


def chosen_study(case: Case, records: pd.DataFrame) -> int | None:
    """Return the ECG to show: the URL's if it is this patient's, else the one linked to the prediction; outside the
    cohort, the last one up to a day after admission."""
    asked = st.query_params.get("ecg", "")
    if asked.isdigit() and int(asked) in set(records["study_id"]):
        return int(asked)
    if case.sample_id is not None:
        return case.study_id
    day = pd.Timedelta(hours=24)
    near = records[(records["ecg_time"] - pd.Timestamp(case.facts["intime"])).between(-day, day)]
    return int(near["study_id"].iloc[-1]) if len(near) else None


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


def interval_line(numbers: Mapping[str, float]) -> str:
    """Return HR, PR, QRS, QT/QTc as a clinician reads them; an en dash where the record does not show it."""

    def shown(name: str, unit: str = "") -> str:
        return f"{numbers[name]:.0f}{unit}" if name in numbers else "–"

    return (
        f"HR {shown('heart_rate_bpm')} · PR {shown('pr_ms', ' ms')} · QRS {shown('qrs_ms', ' ms')} · "
        f"QT/QTc (Fridericia) {shown('qt_ms')}/{shown('qtcf_ms', ' ms')} · automated, unconfirmed"
    )


def ecg_panel(
    case: Case,
    records: pd.DataFrame,
    study_id: int | None,
    record: Waveform | None,
    numbers: Mapping[str, float],
    explained: Explained | None,
    attention: Callable[[], Attention | None] | None,
    highlight: tuple[float, float] | None,
) -> EcgPaperResult:
    """Draw the paper with its controls, the intervals beneath it and the patient's other ECGs; return what was clicked.

    Args:
        attention: reads the maps, when they are to be drawn; None where the run has none.
    """
    result = EcgPaperResult()
    facts = _facts_of(records, study_id)
    panel_title(case, "ecg", _title(case, facts, numbers), _note(case, facts))
    if facts is None or record is None:
        st.info("No ECG in the window from 24 h before ICU admission to the prediction." + _others(records))
    elif record.problem or not len(twelve_leads(record).leads):
        why = record.problem or "it has none of the twelve leads"
        st.warning(f"This ECG cannot be shown: {html.escape(why)}.")
    else:
        seen = study_id == case.model_study_id
        options = _controls(can_overlay=seen and explained is not None, has_attention=seen and attention is not None)
        record = twelve_leads(record)
        overlay = overlay_of(options["overlay"], record, explained, attention, highlight) if seen else Overlay()
        result = _paper(case, record, facts, options, overlay)
        st.html(f'<div class="case-intervals" data-testid="ecg-intervals">{html.escape(interval_line(numbers))}</div>')
    _choice(case, records, study_id)
    return result


def _facts_of(records: pd.DataFrame, study_id: int | None) -> dict[Any, Any] | None:
    found = records[records["study_id"] == study_id] if study_id is not None else records.iloc[:0]
    return None if found.empty else found.to_dict("records")[0]


def _title(case: Case, facts: dict[str, Any] | None, numbers: Mapping[str, float]) -> str:
    if facts is None:
        return "No ECG before the prediction" if case.sample_id else "No ECG around this admission"
    return f"ECG: {ecg_words(numbers, str(case.facts['sex']))}"


def _note(case: Case, facts: dict[str, Any] | None) -> str:
    if facts is None:
        return ""
    parts = [f"{facts['ecg_time']:%Y-%m-%d %H:%M}", when(facts["ecg_time"], case.facts["intime"])]
    if facts["surrogate"]:
        parts.append("surrogate: another person's heart")
    if case.model_study_id is not None and int(facts["study_id"]) != case.model_study_id:
        parts.append("not the ECG that the model saw")
    elif case.model_study_id is None and case.prediction:
        parts.append("not read by the model")
    return " · ".join(parts)


def _others(records: pd.DataFrame) -> str:
    return f" This patient has {len(records)} ECGs at other times: choose one below." if len(records) else ""


def _controls(*, can_overlay: bool, has_attention: bool) -> dict[str, str]:
    """Draw the view options, which live in the URL, and return them."""
    with st.container(horizontal=True, key="case-ecg-controls", gap="xsmall"):
        layout = _segments("Layout", list(ROWS_PER_LAYOUT), "layout", "3x4+II")
        speed = _segments("Paper speed", [f"{speed} mm/s" for speed in SPEEDS_MM_PER_S], "speed", "25 mm/s")
        gain = _segments("Gain", [f"{gain} mm/mV" for gain in GAINS_MM_PER_MV], "gain", "10 mm/mV")
        overlays = [NONE, SALIENCY, *([ATTENTION] if has_attention else [])]
        overlay = _segments("Overlay", overlays, "overlay", NONE, disabled=not can_overlay)
    return {"layout": layout, "speed": speed, "gain": gain, "overlay": overlay if can_overlay else NONE}


def _segments(label: str, options: list[str], key: str, default: str, *, disabled: bool = False) -> str:
    chosen = st.segmented_control(
        label, options, default=default, key=key, bind="query-params", required=True, label_visibility="collapsed",
        disabled=disabled,
    )  # fmt: skip
    return str(chosen or default)


def _paper(
    case: Case, record: Waveform, facts: dict[str, Any], options: dict[str, str], overlay: Overlay
) -> EcgPaperResult:
    quality = facts["quality"] if isinstance(facts["quality"], dict) else {}
    try:
        return ecg_paper(
            record.ecg_mv,
            int(record.fs),
            record.leads,
            stay_id=case.stay_id,
            run_id=case.run_id,
            key="case-ecg",
            layout=cast(Layout, options["layout"]),
            speed=int(options["speed"].split()[0]),
            gain=int(options["gain"].split()[0]),
            saliency=overlay.saliency,
            attention=overlay.attention,
            highlight=overlay.highlight,
            quality={lead: ", ".join(flags) for lead, flags in quality.items() if flags},
            px_per_mm=PX_PER_MM,
        )
    except ValueError as mistake:  # a record that no paper can show truly
        st.warning(f"This ECG cannot be shown: {mistake}")
        return EcgPaperResult()


def _choice(case: Case, records: pd.DataFrame, study_id: int | None) -> None:
    """Draw the list of the patient's ECGs; the URL alone says which one is shown, so the widget follows it."""
    if len(records) < 1 or (len(records) == 1 and study_id is not None):
        return
    labels = record_labels(records, case)
    key = f"ecg-of-{case.facts['subject_id']}"
    st.session_state[key] = study_id

    def choose() -> None:
        chosen = st.session_state.get(key)
        if chosen is not None:
            st.query_params["ecg"] = str(chosen)

    st.selectbox(
        f"This patient's {len(labels)} ECGs", list(labels), format_func=lambda study: labels[study], key=key,
        index=None if study_id is None else 0, on_change=choose, placeholder="Choose an ECG",
        label_visibility="collapsed",
    )  # fmt: skip
