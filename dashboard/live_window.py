"""A recording of any length in, the ten seconds that are predicted from out, with what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cohort_db.ecg_leads import LEADS
from cohort_db.errors import InputMistake
from dashboard.case_overlay import MODEL_SECONDS
from dashboard.live_raw_ecg import Recording
from lemof_core.live import LiveCase
from lemof_core.live.electrodes import electrode_warnings

SHORTEST_S = 5.0  # below, the model refuses it
STEP_S = 0.1  # in which a window is chosen
MOST_MV = 20.0  # no surface ECG spans more between its extremes; microvolts named millivolts do
MOST_ANYWHERE_MV = 1000.0  # of any one lead: no cable that fell off writes more
LEAST_MV = 0.05  # no living heart's spans less in the median lead; millivolts named microvolts do


def middle_s(recording: Recording) -> float:
    """Return where the window begins that is read of a stored record: the middle one."""
    return round(max(0.0, (recording.seconds - MODEL_SECONDS) / 2), 1)


def last_s(recording: Recording) -> float:
    """Return where the last whole window begins; below `STEP_S` there is nothing to choose."""
    return float(np.floor((recording.seconds - MODEL_SECONDS) / STEP_S + 1e-9) * STEP_S)


def window_of(recording: Recording, start_s: float) -> np.ndarray:
    """Return (n, n_leads) mV: the ten seconds from start_s, or the whole of what is hardly longer.

    The middle is cut at the very sample at which a stored record is cut. Raises: InputMistake for what is too short.
    """
    if recording.seconds < SHORTEST_S:
        raise InputMistake(
            f"{recording.name} has {recording.seconds:.1f} s: {SHORTEST_S:g} s or more are needed, ten are read"
        )
    if last_s(recording) < STEP_S:
        return recording.signal_mv
    n = round(MODEL_SECONDS * recording.fs)
    first = (len(recording.signal_mv) - n) // 2
    if start_s != middle_s(recording):
        first = min(round(start_s * recording.fs), len(recording.signal_mv) - n)
    return recording.signal_mv[first : first + n]


def checked(window_mv: np.ndarray, recording: Recording) -> list[str]:
    """Return a sentence for everything that the reader should look at before predicting.

    Raises: InputMistake where the window holds no sample, or an amplitude that no unit it claims can have.
    """
    known = np.isfinite(window_mv)
    if not known.any():
        raise InputMistake("This part of the ECG holds no valid sample: choose another")
    lowest, highest = (np.where(known, window_mv, fill) for fill in (np.inf, -np.inf))
    spans = (highest.max(axis=0) - lowest.min(axis=0))[known.any(axis=0)]
    typical = float(np.median(spans))
    if typical > MOST_MV:
        raise InputMistake(
            f"The leads span {typical:,.0f} mV, which no heart makes: are these microvolts or raw counts, read as "
            f"{recording.unit}?"
        )
    wild = np.flatnonzero((np.abs(np.where(known, window_mv, 0.0)) > MOST_ANYWHERE_MV).any(axis=0))
    if wild.size:
        raise InputMistake(
            f"Lead {recording.leads[wild[0]]} holds values beyond {MOST_ANYWHERE_MV:g} mV here: is its unit another?"
        )
    found = []
    if typical < LEAST_MV:
        found.append(
            f"The leads span {typical:.2g} mV, hardly anything: are these millivolts, read as {recording.unit}? The "
            "model takes them for flat."
        )
    if recording.seconds < MODEL_SECONDS - STEP_S:
        found.append(f"The ECG has {recording.seconds:.1f} s; the model reads ten, and the rest is empty to it.")
    return found + electrode_warnings(window_mv, fs=recording.fs, sig_name=recording.leads)


def with_ecg(case: LiveCase, window_mv: np.ndarray, recording: Recording) -> LiveCase:
    """Return the case with this window as its ECG."""
    return replace(case, signal_mv=window_mv, fs=recording.fs, sig_name=recording.leads)


def leads_in_words(recording: Recording) -> str:
    """Return how many of the twelve there are, and which are missing: derived by the model, or read as nothing."""
    derived = recording.derivable
    lost = [lead for lead in recording.missing if lead not in derived]
    parts = [f"{len(recording.leads)} of {len(LEADS)}"]
    parts += [f"{', '.join(derived)} missing, derived from the other limb leads"] if derived else []
    parts += [f"{', '.join(lost)} missing, empty to the model"] if lost else []
    return "; ".join(parts)
