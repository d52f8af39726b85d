"""The form of the live page: what the user gives becomes one LiveCase, tied to the answer it was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read, read_results
from cohort_db.ecg_wfdb import EcgSignal
from cohort_db.store import Store
from dashboard.case_values import MODEL_WINDOW_H
from dashboard.live_case import stored_case
from dashboard.live_input import ehr_csv, read_ecg_csv, read_ehr_csv, read_wfdb
from dashboard.live_statics import ask_statics
from dashboard.wording import Definition
from lemof_core.live import LiveCase

UPLOAD, STORED = "Upload files", "Use a stored stay's own data"
# Part of every widget's key: a widget of another key is new and empty, and an upload cannot be emptied otherwise.
PATIENT = "live_patient"
ASKED_FOR = "live_asked_for"


@dataclass(frozen=True)
class Asked:
    """One patient to predict: `inputs` is equal for equal inputs and for no others, `stored_logit` what is stored."""

    case: LiveCase
    inputs: str
    name: str
    stored_logit: float | None = None


def ask(store: Store, run_id: str, defined: Definition) -> Asked | None:
    """Draw the form; return what is to be predicted, None until Predict was pressed for exactly what stands there."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        source = st.segmented_control(
            "Source", [UPLOAD, STORED], default=UPLOAD, key="live_source", required=True, on_change=_forget,
            label_visibility="collapsed",
        )  # fmt: skip
        st.button("New patient", key="live_new", on_click=_new_patient, help="Empties the form, uploads and answer")
    patient = int(st.session_state.get(PATIENT, 0))
    return _from_store(store, run_id, patient) if source == STORED else _from_files(store, defined, patient)


def _forget() -> None:
    st.session_state.pop(ASKED_FOR, None)


def _new_patient() -> None:
    """Every widget of the form is a new one, and nothing is asked."""
    st.session_state[PATIENT] = int(st.session_state.get(PATIENT, 0)) + 1
    _forget()


def _predict(inputs: str) -> bool:
    """Draw the button and return whether it was pressed for these very inputs.

    An answer belongs to exactly the files and facts it was asked for: another file needs another click, or one
    patient's ECG could be read with the record of the one before.
    """
    if st.button("Predict", type="primary", key="live_predict"):
        st.session_state[ASKED_FOR] = inputs
    return bool(st.session_state.get(ASKED_FOR) == inputs)


def _from_store(store: Store, run_id: str, patient: int) -> Asked | None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        stay_id = st.number_input(
            "Stay id", min_value=1, step=1, value=None, key=f"live_stay_{patient}", width=240, format="%d"
        )
        pressed = _predict(f"stay {stay_id}")
    if not stay_id or not pressed:
        st.info(
            "The stay's raw files are read again as if they had been uploaded; the result must equal the stored one."
        )
        return None
    case = stored_case(store, int(stay_id))
    prediction = read_results.prediction(store, run_id, f"los-{int(stay_id)}")
    st.download_button(
        "Download these values as CSV", ehr_csv(charted(case)), f"stay-{int(stay_id)}.csv", "text/csv",
        on_click="ignore",
    )  # fmt: skip
    logit = None if prediction is None else float(prediction["logit"])
    return Asked(case, f"stay {stay_id}", f"Stay {int(stay_id)}", logit)


def charted(case: LiveCase) -> pd.DataFrame:
    """Return the case's values: variable, offset_s, value, stored_offset_s."""
    columns = ("variable", "offset_s", "value", "stored_offset_s")
    return pd.DataFrame({name: getattr(case, name) for name in columns})


def _from_files(store: Store, defined: Definition, patient: int) -> Asked | None:
    catalogue = read.variables(store)
    rows: list[dict[Any, Any]] = catalogue[catalogue["kind"] == "static"].to_dict("records")
    with st.container(key="live-form"):
        left, middle, right = st.columns(3, gap="medium")
        with left:
            st.subheader("12-lead ECG")
            ecg = _ask_ecg(patient)
        with middle:
            st.subheader(f"Health record, up to {defined.t0} after ICU admission")
            values = _ask_values(catalogue, defined, patient)
        with right:
            st.subheader("At admission")
            static = ask_statics(rows, patient)
    inputs = repr(
        (None if ecg is None else (hash(ecg.signal_mv.tobytes()), ecg.fs, ecg.sig_name),
         None if values is None else values.to_csv(), static)
    )  # fmt: skip
    if not _predict(inputs):
        st.info(
            "Predict reads exactly what stands above: age, sex and at least one value are needed, an ECG is not. Are "
            "all files and facts of one and the same patient?"
        )
        return None
    case = LiveCase(static=static)
    if values is not None:
        case = replace(
            case,
            variable=tuple(values["variable"]),
            offset_s=values["offset_s"].to_numpy(float),
            value=values["value"].to_numpy(float),
            stored_offset_s=values["stored_offset_s"].to_numpy(float),
        )
    if ecg is not None:
        case = replace(case, signal_mv=ecg.signal_mv, fs=ecg.fs, sig_name=ecg.sig_name)
    return Asked(case, inputs, "Uploaded patient")


def _ask_ecg(patient: int) -> EcgSignal | None:
    files = st.file_uploader(
        "A WFDB pair (.hea and .dat), or one CSV with a column per lead",
        type=["hea", "dat", "mat", "csv"],
        accept_multiple_files=True,
        key=f"live_ecg_{patient}",
    )
    if not files:
        return None
    if len(files) == 1 and files[0].name.lower().endswith(".csv"):
        columns = st.columns(2)
        fs = columns[0].number_input("Sampling rate (Hz)", 50.0, 2000.0, 500.0, format="%g", key=f"live_fs_{patient}")
        unit = columns[1].selectbox("Unit", ["mV", "uV"], key=f"live_unit_of_csv_{patient}")
        ecg = read_ecg_csv(files[0].getvalue(), fs=float(fs), unit=str(unit))
    else:
        ecg = read_wfdb({file.name: file.getvalue() for file in files})
    seconds = len(ecg.signal_mv) / ecg.fs
    leads = ", ".join(ecg.sig_name)
    st.caption(f"Read: {len(ecg.sig_name)} leads ({leads}), {seconds:.1f} s at {ecg.fs:g} Hz.")
    return ecg


def _ask_values(catalogue: pd.DataFrame, defined: Definition, patient: int) -> pd.DataFrame | None:
    file = st.file_uploader(
        "A CSV with variable, hours (from ICU admission), value", type=["csv"], key=f"live_ehr_{patient}"
    )
    if file is None:
        first = defined.t0_hours - MODEL_WINDOW_H
        st.caption(f"The model reads hours {first:g} to {defined.t0_hours:g}; what lies outside is named and not used.")
        st.download_button(
            "Template with every variable", template(catalogue, defined.t0_hours), "lemof-ehr-template.csv",
            "text/csv", on_click="ignore",
        )  # fmt: skip
        return None
    values = read_ehr_csv(file.getvalue())
    first_h, last_h = values["offset_s"].min() / 3600, values["offset_s"].max() / 3600
    span = f", hours {first_h:.1f} to {last_h:.1f} from ICU admission" if len(values) else ""
    st.caption(f"Read: {len(values)} values of {values['variable'].nunique()} variables{span}.")
    return values


def template(catalogue: pd.DataFrame, t0_hours: float) -> str:
    """Return a CSV with one line a variable an hour before the prediction, its value amid the reference range."""
    series = catalogue[catalogue["kind"] == "series"]
    middle = (series["ref_low"] + series["ref_high"]) / 2
    value = middle.fillna((series["low"] + series["high"]) / 2).round(2)
    offset_s = (t0_hours - 1) * 3600
    rows = pd.DataFrame({"variable": series["name"], "offset_s": offset_s, "value": value, "stored_offset_s": np.nan})
    return ehr_csv(rows)
