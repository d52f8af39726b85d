"""A recording and its chosen window in, what the model would read of it out: facts, warnings, a strip of the whole."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from cohort_db.ecg_leads import LEADS
from dashboard.case_overlay import MODEL_SECONDS
from dashboard.charts.ecg_strip import ecg_strip
from dashboard.live_raw_ecg import Recording
from dashboard.live_window import STEP_S, last_s, leads_in_words, middle_s

MODEL_FS = 100.0
_MOST_NAMED = 6  # of the ignored columns


def choose_window(recording: Recording, key: str) -> float:
    """Draw strip and slider where the record is longer than what the model reads; return where the window begins."""
    latest = last_s(recording)
    if latest < STEP_S:
        return 0.0
    start = st.slider(
        f"The {MODEL_SECONDS:g} s that are read begin at (s)", 0.0, latest, min(middle_s(recording), latest), STEP_S,
        format="%.1f", key=key, help="The middle, unless you choose; intervals are measured in these seconds too.",
    )  # fmt: skip
    lead = next(lead for lead in ("II", *LEADS) if lead in recording.leads)
    trace = recording.signal_mv[:, recording.leads.index(lead)]
    if np.isfinite(trace).any():
        # st.html drops SVG; every text in it is escaped.
        st.markdown(ecg_strip(trace, recording.fs, lead, (start, start + MODEL_SECONDS)), unsafe_allow_html=True)
    return float(start)


def facts(recording: Recording, start_s: float) -> dict[str, str]:
    """Return what was read and what becomes of it, as label -> words."""
    found = {"Record": f"{recording.name} ({recording.kind})", "Leads": leads_in_words(recording)}
    if recording.ignored:
        more = len(recording.ignored) - _MOST_NAMED
        named = ", ".join(name[:40] or "(no name)" for name in recording.ignored[:_MOST_NAMED])
        found["Not read"] = named + (f" and {more} more columns" if more > 0 else "")
    given = {"you": "as you say", "the file": "by the file"}
    unit_from = given.get(recording.unit_from, recording.unit_from)
    found["Unit"] = recording.unit + (", read as mV" if recording.unit.lower() != "mv" else "") + f" ({unit_from})"
    rate = f"{recording.fs:g} Hz ({given.get(recording.fs_from, f'by {recording.fs_from}')})"
    same = recording.fs == MODEL_FS
    found["Rate"] = f"{rate}, the model's own" if same else f"{rate}, resampled to the model's {MODEL_FS:g} Hz"
    length = f"{recording.seconds:.1f} s"
    if last_s(recording) >= STEP_S:
        length += f", of which seconds {start_s:.1f} to {start_s + MODEL_SECONDS:.1f} are read"
    found["Length"] = length
    return found


def facts_markup(found: dict[str, str]) -> str:
    """Return the facts as a list of terms; every text is escaped."""
    items = "".join(f"<dt>{html.escape(label)}</dt><dd>{html.escape(words)}</dd>" for label, words in found.items())
    return f'<dl class="live-facts" data-testid="live-facts" data-stay="live">{items}</dl>'
