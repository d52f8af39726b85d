"""A case and the URL's view options in, the patient's chosen ECG on paper out, or two of them side by side.

Overlays lie only on the record that the model saw.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd
import streamlit as st

from cohort_db.ecg_readings import standing_readings
from dashboard import queries_case
from dashboard.case_overlay import ATTENTION, NONE, SALIENCY, Overlay, model_start_s, overlay_of, twelve_leads
from dashboard.case_panel import panel_title
from dashboard.case_reasons import ecg_words
from dashboard.ecg_choice import ecg_choice, when
from dashboard.ecg_interval_row import formula_choice, in_words, interval_row
from dashboard.ecg_intervals import Interval, Quality, counted, differences, intervals_of
from dashboard.ecg_paper import EcgPaperResult, ecg_paper
from dashboard.ecg_payload import GAINS_MM_PER_MV, ROWS_PER_LAYOUT, SPEEDS_MM_PER_S, Layout
from dashboard.ecg_reading_form import reading_form
from dashboard.ecg_window import window_choice, windowed
from dashboard.queries_case import Attention, Case, Explained, Waveform
from dashboard.session import stamp, the_store
from dashboard.wording import RESEARCH_USE

PX_PER_MM = 2.9  # ten seconds at 25 mm/s fill the left column of a 1440 px screen
SIDE_BY_SIDE_PX_PER_MM = 2.4  # and so two of them its whole width


@dataclass(frozen=True)
class Overlays:
    """What may lie on the ECG that the model read: its attributions, how to read its maps, the window chosen there."""

    explained: Explained | None
    attention: Callable[[], Attention | None] | None
    highlight: tuple[float, float] | None


@dataclass(frozen=True)
class _Ecg:
    """One ECG of the patient: its row of `queries_case.ecgs`, its samples, what was measured in it."""

    study_id: int
    facts: dict[Any, Any]
    record: Waveform
    numbers: Mapping[str, float]
    quality: Quality
    intervals: list[Interval]

    @property
    def problem(self) -> str:
        """Why it cannot be drawn; nothing where it can."""
        return self.record.problem or ("" if self.record.leads else "it has none of the twelve leads")


def ecg_panel(
    case: Case, records: pd.DataFrame, study_id: int | None, second_id: int | None, overlays: Overlays
) -> EcgPaperResult:
    """Draw the paper with its controls, the intervals beneath it and the patient's other ECGs; return what was clicked.

    Args:
        second_id: another ECG of the same patient, to be drawn beside the first.
    """
    title = st.container()
    sheet = st.container(gap="xsmall")
    with st.container(horizontal=True, key="case-ecg-choice", gap="xsmall", vertical_alignment="center"):
        # Where there is no paper it is hidden and not left out: what is not drawn loses its choice in the link.
        used = "case-qtc" if study_id is not None else "case-qtc-unused"
        with st.container(horizontal=True, key=used, width="content", gap="xsmall", vertical_alignment="center"):
            formula = formula_choice()
        corrections = st.container(horizontal=True, width="content", gap="xsmall")
        ecg_choice(case, records, study_id, second_id)
    asked = [number for number in (study_id, second_id) if number is not None]
    ecgs = [_loaded(records, number, formula) for number in asked]
    ecgs.sort(key=lambda ecg: ecg.facts["ecg_time"])
    with title:
        _panel_title(case, ecgs)
    if not ecgs:
        sheet.info("No ECG in the window from 24 h before ICU admission to the prediction." + _others(records))
        return EcgPaperResult()
    with sheet:
        on_model = case.model_study_id in asked
        options = _controls(
            can_overlay=on_model and overlays.explained is not None,
            has_attention=on_model and overlays.attention is not None,
        )
        if len(ecgs) == 1:
            return _drawn(case, ecgs[0], options, overlays, corrections)
        results = {}
        for order, ecg, place in zip(("Earlier", "Later"), ecgs, st.columns(2, gap="small"), strict=True):
            with place, st.container(gap="xsmall"):
                recorded, *more = _note_parts(case, ecg)
                told = " · ".join([_title(case, ecg), *more, f"stay {case.stay_id}"])
                panel_title(case, f"ecg-{ecg.study_id}", f"{order}: {recorded}", told)
                results[ecg.study_id] = _drawn(case, ecg, options, overlays, None)
        return results[case.model_study_id] if case.model_study_id in results else results[asked[0]]


def _loaded(records: pd.DataFrame, study_id: int, formula: str) -> _Ecg:
    url, revision = stamp()
    facts = records[records["study_id"] == study_id].to_dict("records")[0]
    numbers = queries_case.ecg_numbers(url, revision, study_id)
    flags = facts["quality"] if isinstance(facts["quality"], dict) else {}
    quality = Quality(flags, None if pd.isna(facts["usable"]) else bool(facts["usable"]))
    # Not cached: a reading counts from the moment at which anybody stored it.
    readings = standing_readings(the_store(), study_id)
    record = twelve_leads(queries_case.waveform(url, revision, study_id))
    return _Ecg(study_id, facts, record, numbers, quality, intervals_of(numbers, quality, readings, formula))


def _panel_title(case: Case, ecgs: Sequence[_Ecg]) -> None:
    if len(ecgs) == 2:
        changed = differences(ecgs[0].intervals, ecgs[1].intervals)
        panel_title(case, "ecg", f"Two ECGs of this patient: {changed}", "automated unless read by hand")
    elif ecgs:
        panel_title(case, "ecg", f"ECG: {_title(case, ecgs[0])}", _note(case, ecgs[0]))
    else:
        panel_title(case, "ecg", "No ECG before the prediction" if case.sample_id else "No ECG around this admission")


def _drawn(case: Case, ecg: _Ecg, options: Mapping[str, str], overlays: Overlays, corrections: Any) -> EcgPaperResult:
    """Draw one ECG with its intervals; the window clicked on it is in seconds of what the model reads.

    Args:
        corrections: where the form for its intervals goes; None: beneath them.
    """
    if ecg.problem:
        st.warning(f"This ECG cannot be shown: {html.escape(ecg.problem)}.")
        return EcgPaperResult()
    seen = ecg.study_id == case.model_study_id
    overlay = Overlay()
    if seen:
        overlay = overlay_of(options["overlay"], ecg.record, overlays.explained, overlays.attention, overlays.highlight)
    try:
        result = _paper(case, ecg, options, overlay, PX_PER_MM if corrections else SIDE_BY_SIDE_PX_PER_MM)
    except ValueError as mistake:  # a record that no paper can show truly
        st.warning(f"This ECG cannot be shown: {mistake}")
        result = EcgPaperResult()
    whose = f'data-stay="{case.stay_id}" data-run="{html.escape(case.run_id)}" data-study="{ecg.study_id}"'
    st.html(interval_row(ecg.intervals, ecg.quality, whose))
    with corrections or st.container():
        reading_form(ecg.study_id, ecg.intervals, result.caliper)
    if result.window is None:
        return result
    first_s = model_start_s(ecg.record)
    return replace(result, window=(result.window[0] - first_s, result.window[1] - first_s))


def _title(case: Case, ecg: _Ecg) -> str:
    return ecg_words(counted(ecg.numbers, ecg.intervals), str(case.facts["sex"]))


def _note(case: Case, ecg: _Ecg) -> str:
    return " · ".join(_note_parts(case, ecg))


def _note_parts(case: Case, ecg: _Ecg) -> list[str]:
    """Return when it was recorded, and what must be known to read it."""
    facts = ecg.facts
    parts = [f"{facts['ecg_time']:%Y-%m-%d %H:%M}", when(facts["ecg_time"], case.facts["intime"])]
    if facts["surrogate"]:
        parts.append("surrogate: another person's heart")
    if case.model_study_id is not None and ecg.study_id != case.model_study_id:
        parts.append("not the ECG that the model saw")
    elif case.model_study_id is None and case.prediction:
        parts.append("not read by the model")
    return parts


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


def _paper(case: Case, ecg: _Ecg, options: Mapping[str, str], overlay: Overlay, px_per_mm: float) -> EcgPaperResult:
    sheet = st.container()  # above the choice of its window: two papers beside each other begin at one height
    start_s = window_choice(ecg.record, f"from-{ecg.study_id}")
    record, overlay = windowed(ecg.record, overlay, start_s)
    with sheet:
        return ecg_paper(
            record.ecg_mv,
            round(record.fs),
            record.leads,
            stay_id=case.stay_id,
            run_id=case.run_id,
            key="case-ecg" if px_per_mm == PX_PER_MM else f"case-ecg-{ecg.study_id}",
            layout=cast(Layout, options["layout"]),
            speed=int(options["speed"].split()[0]),
            gain=int(options["gain"].split()[0]),
            saliency=overlay.saliency,
            attention=overlay.attention,
            highlight=overlay.highlight,
            quality=ecg.quality.faults(),
            caption=_caption(ecg.facts),
            start_s=start_s,
            print_lines=_print_lines(case, ecg),
            px_per_mm=px_per_mm,
        )


def _caption(facts: Mapping[str, Any]) -> str:
    """Return how samples became millivolts, and that nothing was filtered."""
    gains = sorted({float(gain) for gain in facts["adc_gain"]}) if isinstance(facts["adc_gain"], list) else []
    units = sorted(set(facts["units"])) if isinstance(facts["units"], list) else []
    shown = " to ".join(f"{gain:g}" for gain in gains[:1] + gains[1:][-1:])
    header = f" · header: {shown} adu/{' or '.join(units)}" if gains and units else ""
    return f"as recorded, no filter{header}"


def _print_lines(case: Case, ecg: _Ecg) -> list[str]:
    """Return whose ECG a printed page is, what was measured in it, and what kind of data it is."""
    facts = case.facts
    who = f"Stay {case.stay_id} · {facts['sex']} {facts['age_years']} · ECG {ecg.study_id} of {_note(case, ecg)}"
    kinds = ["Synthetic data: no real patient"] if facts["synthetic"] else []
    kinds += ["Surrogate waveform: another person's heart"] if ecg.facts["surrogate"] else []
    return [who, in_words(ecg.intervals), " · ".join([*kinds, RESEARCH_USE, f"run {case.run_id or 'none'}"])]
