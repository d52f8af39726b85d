"""The form of the live page: what the user gives becomes one LiveCase, tied to the answer it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read, read_results
from cohort_db.errors import InputMistake
from cohort_db.store import Store
from dashboard.case_overlay import twelve_leads
from dashboard.case_values import MODEL_WINDOW_H
from dashboard.ecg_paper import ecg_paper
from dashboard.live_case import stored_case
from dashboard.live_ecg_form import ChosenEcg, ask_recording, ask_window
from dashboard.live_ehr import EhrValues, ehr_csv, read_ehr_csv
from dashboard.live_limits import MOST_EHR_MB
from dashboard.live_statics import ask_statics, statics_in_words
from dashboard.live_window import with_ecg
from dashboard.queries_case import Waveform
from dashboard.wording import Definition, literal
from lemof_core.errors import ModelMistake
from lemof_core.live import LiveCase

T = TypeVar("T")
UPLOAD, STORED = "Upload files", "Use a stored stay's own data"
# Part of every widget's key: a widget of another key is new and empty, and an upload cannot be emptied otherwise.
PATIENT = "live_patient"
ASKED_FOR = "live_asked_for"


@dataclass(frozen=True)
class Asked:
    """One patient to predict: `inputs` is equal for equal inputs and for no others, `stored_logit` what is stored.

    ecg_facts, warnings: what the form said of the ECG, for whoever keeps the answer.
    """

    case: LiveCase
    inputs: str
    name: str
    stored_logit: float | None = None
    ecg_facts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def ask(store: Store, run_id: str, defined: Definition) -> Asked | None:
    """Draw the form; return what is to be predicted, None until Predict was pressed for exactly what stands there."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        source = st.segmented_control(
            "Source", [UPLOAD, STORED], default=UPLOAD, key="live_source", required=True, on_change=_forget,
            label_visibility="collapsed",
        )  # fmt: skip
        st.button("New patient", key="live_new", on_click=_new_patient, help="Empties the form, uploads and answer")
    patient = int(st.session_state.get(PATIENT, 0))
    if source == STORED:
        return _from_store(store, run_id, patient)
    return _from_files(store, run_id, defined, patient)


def _forget() -> None:
    st.session_state.pop(ASKED_FOR, None)


def _new_patient() -> None:
    """Every widget of the form is a new one, and nothing is asked."""
    st.session_state[PATIENT] = int(st.session_state.get(PATIENT, 0)) + 1
    _forget()


def _predict(inputs: str, *, ready: bool = True) -> bool:
    """Draw the button and return whether it was pressed for these very inputs.

    An answer belongs to exactly the files and facts it was asked for: another file needs another click, or one
    patient's ECG could be read with the record of the one before.
    """
    if st.button("Predict", type="primary", key="live_predict", disabled=not ready):
        st.session_state[ASKED_FOR] = inputs
    return ready and bool(st.session_state.get(ASKED_FOR) == inputs)


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
        "Download these values as CSV", ehr_csv(charted(case), case.static), f"stay-{int(stay_id)}.csv", "text/csv",
        on_click="ignore",
    )  # fmt: skip
    logit = None if prediction is None else float(prediction["logit"])
    return Asked(case, f"stay {stay_id}", f"Stay {int(stay_id)}", logit)


def charted(case: LiveCase) -> pd.DataFrame:
    """Return the case's values: variable, offset_s, value, stored_offset_s."""
    columns = ("variable", "offset_s", "value", "stored_offset_s")
    return pd.DataFrame({name: getattr(case, name) for name in columns})


class _Sections:
    """The form part by part: a mistake in one is said in its place, and the others keep what was given to them."""

    def __init__(self) -> None:
        self.refused = False

    def ask(self, part: Callable[[], T]) -> T | None:
        """Return what the part asked for; None where it was refused, with the reason on the page."""
        try:
            return part()
        except (InputMistake, ModelMistake) as mistake:
            self.refused = True
            st.error(literal(mistake))
            return None


def _from_files(store: Store, run_id: str, defined: Definition, patient: int) -> Asked | None:
    catalogue = read.variables(store)
    rows: list[dict[Any, Any]] = catalogue[catalogue["kind"] == "static"].to_dict("records")
    form = _Sections()
    with st.container(key="live-form"):
        left, middle, right = st.columns(3, gap="medium")
        with left:
            st.subheader("12-lead ECG")
            recording = form.ask(lambda: ask_recording(patient))
        with middle:
            st.subheader(f"Health record, up to {defined.t0} after ICU admission")
            given = form.ask(lambda: _ask_values(catalogue, rows, defined, patient)) or EhrValues(_no_values())
        with right:
            st.subheader("At admission")
            static = form.ask(lambda: _agreed(ask_statics(rows, patient), given.static)) or {}
            if given.static:
                words = statics_in_words([row for row in rows if row["name"] in given.static], given.static)
                st.caption(f"The EHR file says: {literal(', '.join(words.values()))}.")
    ecg: ChosenEcg | None = None
    if recording is not None:
        chosen = recording
        with st.container(key="live-preview"):
            ecg = form.ask(lambda: ask_window(chosen, patient))
    inputs = repr((None if ecg is None else ecg.identity, given.values.to_csv(), sorted(static.items())))
    if not _predict(inputs, ready=not form.refused):
        _before(ecg, run_id, refused=form.refused)
        return None
    values = given.values
    case = LiveCase(
        variable=tuple(values["variable"]),
        offset_s=values["offset_s"].to_numpy(float),
        value=values["value"].to_numpy(float),
        stored_offset_s=values["stored_offset_s"].to_numpy(float),
        static=static,
    )
    if ecg is None:
        return Asked(case, inputs, "Uploaded patient")
    case = with_ecg(case, ecg.window_mv, ecg.recording)
    return Asked(case, inputs, "Uploaded patient", ecg_facts=ecg.facts, warnings=tuple(ecg.warnings))


def _before(ecg: ChosenEcg | None, run_id: str, *, refused: bool) -> None:
    """Draw what stands there until Predict is pressed: what it would read, and the ECG on paper."""
    if refused:
        st.info("Nothing is predicted before what is refused above is mended or removed.")
        return
    st.info(
        "Predict reads exactly what stands above: age, sex and at least one value are needed, an ECG is not. Are "
        "all files and facts of one and the same patient?"
    )
    if ecg is not None:
        record = twelve_leads(Waveform(ecg.window_mv.T, ecg.recording.fs, ecg.recording.leads))
        ecg_paper(
            record.ecg_mv, round(record.fs), record.leads, stay_id="live", run_id=run_id, key="live_preview_paper"
        )


def _agreed(asked: Mapping[str, float], in_file: Mapping[str, float]) -> dict[str, float]:
    """Return what form and file say of the admission; raise InputMistake where they contradict each other."""
    for name in sorted(set(asked) & set(in_file)):
        if asked[name] != in_file[name]:
            raise InputMistake(
                f"{name} is {asked[name]:g} in the form and {in_file[name]:g} in the EHR file: which is right?"
            )
    return {**in_file, **asked}


def _no_values() -> pd.DataFrame:
    return charted(LiveCase())


def _ask_values(
    catalogue: pd.DataFrame, rows: list[dict[Any, Any]], defined: Definition, patient: int
) -> EhrValues | None:
    file = st.file_uploader(
        "A CSV with variable, hours (from ICU admission), value", type=["csv"], key=f"live_ehr_{patient}",
        max_upload_size=MOST_EHR_MB,
    )  # fmt: skip
    if file is None:
        first = defined.t0_hours - MODEL_WINDOW_H
        st.caption(f"The model reads hours {first:g} to {defined.t0_hours:g}; what lies outside is named and not used.")
        st.download_button(
            "Template with every variable", template(catalogue, defined.t0_hours), "lemof-ehr-template.csv",
            "text/csv", on_click="ignore",
        )  # fmt: skip
        return None
    found = read_ehr_csv(file.getvalue(), rows)
    values = found.values
    first_h, last_h = values["offset_s"].min() / 3600, values["offset_s"].max() / 3600
    span = f", hours {first_h:.1f} to {last_h:.1f} from ICU admission" if len(values) else ""
    also = f"; {len(found.static)} facts at admission" if found.static else ""
    st.caption(f"Read: {len(values)} values of {values['variable'].nunique()} variables{span}{also}.")
    return found


def template(catalogue: pd.DataFrame, t0_hours: float) -> str:
    """Return a CSV with one line a variable an hour before the prediction, its value amid the reference range."""
    series = catalogue[catalogue["kind"] == "series"]
    middle = (series["ref_low"] + series["ref_high"]) / 2
    value = middle.fillna((series["low"] + series["high"]) / 2).round(2)
    offset_s = (t0_hours - 1) * 3600
    rows = pd.DataFrame({"variable": series["name"], "offset_s": offset_s, "value": value, "stored_offset_s": np.nan})
    return ehr_csv(rows)
