"""The ECG's part of the form: files in, one recording chosen among them, what it is and the window that is read out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from dashboard.live_files import ECG_TYPES, Upload, check_upload, read_upload, uploads_in
from dashboard.live_limits import HIGHEST_FS, LOWEST_FS, MOST_ECG_MB
from dashboard.live_preview import choose_window, facts, facts_markup
from dashboard.live_raw_ecg import UNITS, Recording, lead_and_unit, recording_of
from dashboard.live_window import checked, window_of
from dashboard.wording import literal


@dataclass(frozen=True)
class ChosenEcg:
    """The window (n, n_leads) mV of a recording that is to be predicted from, and what stands about it on the page."""

    recording: Recording
    window_mv: np.ndarray
    facts: dict[str, str]
    warnings: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Equal for equal inputs to the model, and for no others."""
        digest = hashlib.sha256(np.ascontiguousarray(self.window_mv).tobytes()).hexdigest()
        return f"{digest} {self.window_mv.shape} {self.recording.fs} {self.recording.leads}"


def ask_recording(patient: int) -> Recording | None:
    """Draw the uploader and what the files leave open; return the chosen recording, None while there is none.

    Raises: InputMistake in one sentence for what cannot be read.
    """
    chosen = st.file_uploader(
        "WFDB (.hea with .dat or .mat), CSV with a column a lead, or NPZ; several at once",
        type=list(ECG_TYPES), accept_multiple_files=True, key=f"live_ecg_{patient}", max_upload_size=MOST_ECG_MB,
    )  # fmt: skip
    if not chosen:
        return None
    check_upload((file.name, file.size) for file in chosen)
    files = {file.name: file.getvalue() for file in chosen}
    uploads, notes = uploads_in(files)
    for note in notes:
        st.caption(literal(note))
    upload = uploads[0]
    if len(uploads) > 1:
        upload = st.selectbox(
            f"Which of the {len(uploads)} recordings", uploads, format_func=lambda one: f"{one.name} ({one.kind})",
            key=f"live_record_{patient}",
        )  # fmt: skip
    return _read(upload, files, f"{patient}_{uploads.index(upload)}_{_digest(files)}")


def ask_window(recording: Recording, patient: int) -> ChosenEcg:
    """Draw the preview with the choice of a window; raise InputMistake where this window cannot be predicted from."""
    st.subheader("The ECG as it is read")
    key = f"live_window_{patient}_{hashlib.sha256(repr((recording.name, recording.seconds)).encode()).hexdigest()[:16]}"
    left, right = st.columns([38, 62], gap="medium")
    with right:
        start_s = choose_window(recording, key)
    found = facts(recording, start_s)
    with left:
        st.html(facts_markup(found))
    with right:
        window_mv = window_of(recording, start_s)
        warnings = checked(window_mv, recording)
        for warning in warnings:
            st.warning(literal(warning))
    return ChosenEcg(recording, window_mv, found, warnings)


def _read(upload: Upload, files: Mapping[str, bytes], key: str) -> Recording | None:
    """Read the recording, and ask for the rate and the unit where its file says nothing of them."""
    raw = read_upload(upload, files)
    fs: float | None = None
    unit: str | None = None
    silent = any(unit is None for name, unit in zip(raw.names, raw.units, strict=True) if lead_and_unit(name)[0])
    with st.container(horizontal=True):
        if raw.fs is None:
            fs = st.number_input(
                "Sampling rate (Hz)", LOWEST_FS, HIGHEST_FS, None, format="%g", placeholder="samples a second",
                key=f"live_fs_{key}",
            )  # fmt: skip
        if silent:
            unit = st.selectbox("Unit", UNITS, key=f"live_unit_of_ecg_{key}")
    if raw.fs is None and fs is None:
        st.info("The file does not say how many samples a second it has: give its sampling rate.")
        return None
    return recording_of(upload.name, upload.kind, raw, fs=fs, unit=unit)


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:16]
