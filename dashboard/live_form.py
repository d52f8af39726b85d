"""The form of the live page: what the user gives becomes one LiveCase."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read, read_results
from cohort_db.store import Store
from dashboard.live_case import stored_case
from dashboard.live_input import UploadedEcg, ehr_csv, read_ecg_csv, read_ehr_csv, read_wfdb
from lemof_core.live import LiveCase

UPLOAD, STORED = "Upload files", "Use a stored stay's own data"


def ask(store: Store, run_id: str) -> tuple[LiveCase | None, UploadedEcg | None, float | None]:
    """Return (case, its ECG, the stored log-odds of the same sample); the case is None until there is one."""
    source = st.segmented_control("Source", [UPLOAD, STORED], default=UPLOAD, key="live_source")
    if source == STORED:
        return _from_store(store, run_id)
    return *_from_files(store), None


def _from_store(store: Store, run_id: str) -> tuple[LiveCase | None, UploadedEcg | None, float | None]:
    with st.form("live_stored", border=False):
        columns = st.columns([2, 1, 4], vertical_alignment="bottom")
        stay_id = columns[0].number_input("Stay id", min_value=1, step=1, value=None, key="live_stay")
        asked = columns[1].form_submit_button("Predict", type="primary")
    if not stay_id or not (asked or st.session_state.get("live_asked") == stay_id):
        st.info(
            "The stay's raw files are read again as if they had been uploaded; the result must equal the stored one."
        )
        return None, None, None
    st.session_state["live_asked"] = stay_id
    case = stored_case(store, int(stay_id))
    prediction = read_results.prediction(store, run_id, f"los-{int(stay_id)}")
    values = pd.DataFrame(
        {
            "variable": case.variable,
            "offset_s": case.offset_s,
            "value": case.value,
            "stored_offset_s": case.stored_offset_s,
        }
    )
    st.download_button(
        "Download these values as CSV", ehr_csv(values), f"stay-{int(stay_id)}.csv", "text/csv", on_click="ignore"
    )
    ecg = None if case.p_signal is None else UploadedEcg(case.p_signal, case.fs, case.sig_name, case.units)
    return case, ecg, None if prediction is None else float(prediction["logit"])


def _from_files(store: Store) -> tuple[LiveCase | None, UploadedEcg | None]:
    left, right = st.columns(2, gap="large")
    with left:
        ecg = _ask_ecg()
    with right:
        values = _ask_values(store)
        static = _ask_static(store)
    if ecg is None and values is None:
        return None, None
    # An answer belongs to exactly the files and facts it was asked for: another file needs another click, or one
    # patient's ECG could be read with the record of the one before.
    asked = repr(
        (None if ecg is None else hash(ecg.p_signal.tobytes()), None if values is None else values.to_csv(), static)
    )
    if st.button("Predict", type="primary", key="live_predict"):
        st.session_state["live_asked_for"] = asked
    if st.session_state.get("live_asked_for") != asked:
        st.info("Predict reads exactly what stands above. Are all files and facts of one and the same patient?")
        return None, ecg
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
        case = replace(case, p_signal=ecg.p_signal, fs=ecg.fs, sig_name=ecg.sig_name, units=ecg.units)
    return case, ecg


def _ask_ecg() -> UploadedEcg | None:
    st.subheader("12-lead ECG")
    files = st.file_uploader(
        "A WFDB pair (.hea and .dat), or one CSV with a column per lead",
        type=["hea", "dat", "mat", "csv"],
        accept_multiple_files=True,
        key="live_ecg",
    )
    columns = st.columns(2)
    fs = columns[0].number_input("Sampling rate of a CSV (Hz)", 50.0, 2000.0, 500.0, key="live_fs")
    unit = columns[1].selectbox("Unit of a CSV", ["mV", "uV"], key="live_unit")
    if not files:
        return None
    if len(files) == 1 and files[0].name.lower().endswith(".csv"):
        ecg = read_ecg_csv(files[0].getvalue(), fs=float(fs), unit=str(unit))
    else:
        ecg = read_wfdb({file.name: file.getvalue() for file in files})
    seconds = len(ecg.p_signal) / ecg.fs
    leads = ", ".join(ecg.sig_name)
    st.caption(f"Read: {len(ecg.sig_name)} leads ({leads}), {seconds:.1f} s at {ecg.fs:g} Hz, {ecg.units[0]}.")
    return ecg


def _ask_values(store: Store) -> pd.DataFrame | None:
    st.subheader("Health record, first 24 h")
    file = st.file_uploader("A CSV with variable, hours (from ICU admission), value", type=["csv"], key="live_ehr")
    st.download_button(
        "Template with every variable", _template(store), "lemof-ehr-template.csv", "text/csv", on_click="ignore"
    )
    if file is None:
        return None
    values = read_ehr_csv(file.getvalue())
    st.caption(f"Read: {len(values)} values of {values['variable'].nunique()} variables.")
    return values


def _template(store: Store) -> str:
    """Return a CSV with one line a variable at hour 1, its value in the middle of the reference range."""
    catalogue = read.variables(store)
    series = catalogue[catalogue["kind"] == "series"]
    middle = (series["ref_low"] + series["ref_high"]) / 2
    value = middle.fillna((series["low"] + series["high"]) / 2).round(2)
    rows = pd.DataFrame({"variable": series["name"], "offset_s": 3600, "value": value, "stored_offset_s": np.nan})
    return ehr_csv(rows)


def _ask_static(store: Store) -> dict[str, float]:
    catalogue: list[dict[Any, Any]] = read.variables(store).to_dict("records")
    with st.expander("Age, sex and admission"):
        columns = st.columns(2)
        found = {}
        for index, row in enumerate(one for one in catalogue if one["kind"] == "static"):
            label = f"{row['label']} ({row['unit']})" if row["unit"] else row["label"]
            given = columns[index % 2].number_input(
                label, float(row["low"]), float(row["high"]), None, key=f"live_static_{row['name']}"
            )
            if given is not None:
                found[str(row["name"])] = float(given)
    return found
