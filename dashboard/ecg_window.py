"""A recording of minutes and what lies on it in, the ten seconds of it that a sheet of paper holds out."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from dashboard.case_overlay import Overlay, model_start_s
from dashboard.queries_case import Waveform

WINDOW_S = 10.0
# Twelve leads of so many seconds at 500 Hz are drawn at once without delay; longer ones are shown window by window.
LONGEST_WHOLE_S = 20.0


def window_choice(record: Waveform, key: str) -> float:
    """Draw the choice of the window where the recording is long, and return where it begins, in seconds."""
    duration_s = record.ecg_mv.shape[1] / record.fs
    if duration_s <= LONGEST_WHOLE_S:
        return 0.0
    last = math.floor(duration_s - WINDOW_S)
    read_by_model = math.floor(model_start_s(record))
    told = f"{duration_s:.0f} s recorded: ten seconds from second"
    return float(st.slider(told, 0, last, read_by_model, key=key))


def windowed(record: Waveform, overlay: Overlay, start_s: float) -> tuple[Waveform, Overlay]:
    """Return both from start_s on for WINDOW_S; a record that is shown whole comes back as it is."""
    duration_s = record.ecg_mv.shape[1] / record.fs
    if duration_s <= LONGEST_WHOLE_S:
        return record, overlay
    first, n = round(start_s * record.fs), round(WINDOW_S * record.fs)
    shown = Waveform(record.ecg_mv[:, first : first + n], record.fs, record.leads)

    def cut(bins: np.ndarray | None) -> np.ndarray | None:
        if bins is None:
            return None
        per_s = bins.shape[-1] / duration_s
        return bins[..., round(start_s * per_s) : round((start_s + WINDOW_S) * per_s)]

    span = None
    if overlay.highlight is not None:
        t0, t1 = (min(max(t - start_s, 0.0), WINDOW_S) for t in overlay.highlight)
        span = (t0, t1) if t1 > t0 else None
    return shown, Overlay(cut(overlay.saliency), cut(overlay.attention), span)
