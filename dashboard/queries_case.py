"""A store, a run and ids in, what the case page shows of one patient out: read once per revision, always by id."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db import read, read_comparable, read_results
from cohort_db.ecg_wfdb import read_signal
from cohort_db.errors import InputMistake
from dashboard.session import TASK, cached_store
from dashboard.wording import Definition, care_unit, definition_of

FEWEST_USUAL = 10  # stays; of fewer the mean attribution says little


@dataclass(frozen=True)
class Case:
    """One stay as one run saw it; `sample_id` is None for a stay outside the cohort, `prediction` where not scored."""

    facts: dict[str, Any]
    rule: str | None = None
    sample_id: str | None = None
    t0_s: int | None = None
    label: int | None = None
    died_before_cut: bool = False
    study_id: int | None = None
    run_id: str = ""
    prediction: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    branches: pd.DataFrame = field(default_factory=pd.DataFrame)
    effect: dict[str, Any] | None = None
    cutoffs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def stay_id(self) -> int:
        """The stay: with the run, the identity that every panel carries."""
        return int(self.facts["stay_id"])

    @property
    def model_study_id(self) -> int | None:
        """The ECG that the model read for this prediction; None where it read none."""
        return self.study_id if self.prediction and self.prediction["path"] == "both" else None


@dataclass(frozen=True)
class Explained:
    """Attributions of the calibrated log-odds: variable -> sum, and saliency (12, bins) of the ECG that was read.

    gap: log-odds of the patient minus those of the attributions' baseline; error: by how much they miss it.
    n_usual: of how many stays the mean was taken off `features` (see `against_usual`); 0 where it was not.
    """

    features: dict[str, float]
    saliency: np.ndarray | None
    leads: tuple[str, ...]
    seconds_per_bin: float
    gap: float
    error: float
    note: str
    n_usual: int = 0


@dataclass(frozen=True)
class Attention:
    """Where Module 2 looked: ecg_from_ehr (n_ecg, n_ehr), ehr_from_ecg (n_ehr, n_ecg); edges_s (n_ecg + 1,)."""

    ecg_from_ehr: np.ndarray
    ehr_from_ecg: np.ndarray
    edges_s: tuple[float, ...]
    tokens: tuple[str, ...]
    effect: float | None


@dataclass(frozen=True)
class Waveform:
    """A record as it lies in its file, mV (n_leads, sig_len), leads in file order; or why it cannot be shown."""

    ecg_mv: np.ndarray
    fs: float
    leads: tuple[str, ...]
    problem: str | None = None


@st.cache_data(max_entries=256, show_spinner=False)
def case_of(url: str, revision: str, stay_id: int, run_id: str | None) -> Case | None:
    """The stay as the run saw it; None for an unknown stay."""
    store = cached_store(url)
    try:
        facts, row = read.stay(store, stay_id), read.stay_in_task(store, stay_id, TASK)
    except read.UnknownStay:
        return None
    if not row["in_cohort"]:
        return Case(facts, rule=row["rule"], run_id=run_id or "")
    case = Case(
        facts,
        sample_id=row["sample_id"],
        t0_s=int(row["t0_offset_s"]),
        label=row["label"],
        died_before_cut=row["died_before_cut"],
        study_id=row["study_id"],
        run_id=run_id or "",
    )
    prediction = read_results.prediction(store, run_id, str(case.sample_id)) if run_id else None
    return case if prediction is None or run_id is None else _scored(store, case, run_id, prediction)


def _scored(store: Any, case: Case, run_id: str, prediction: dict[str, Any]) -> Case:
    """The case with what the run said of it."""
    sample_id = str(case.sample_id)
    stages = read_results.calibrations(store, run_id).set_index("path")
    calibration = stages.loc[prediction["path"]].to_dict() if prediction["path"] in stages.index else None
    return replace(
        case,
        prediction=prediction,
        calibration=calibration,
        branches=read_results.branch_values(store, run_id, sample_id),
        effect=read_results.input_effect(store, run_id, sample_id),
        cutoffs=read_results.conformals(store, run_id).query("path == @prediction['path']"),
    )


@st.cache_data(max_entries=8, show_spinner=False)
def variables(url: str, revision: str) -> pd.DataFrame:
    """The catalogue of variables, indexed by name."""
    return read.variables(cached_store(url)).set_index("name", drop=False)


@st.cache_data(max_entries=8, show_spinner=False)
def definition(url: str, revision: str) -> Definition:
    """What the cohort's samples predict, for a page without a run."""
    return definition_of(read.task_definition(cached_store(url), TASK))


@st.cache_data(max_entries=8, show_spinner=False)
def rules(url: str, revision: str) -> dict[str, str]:
    """Rule of the cohort -> its sentence."""
    found = read.attrition(cached_store(url), TASK)
    return dict(zip(found["rule"], found["label"], strict=True))


@st.cache_data(max_entries=64, show_spinner=False)
def measurements(url: str, revision: str, stay_id: int) -> pd.DataFrame:
    """Every charted value of the stay: variable, offset_s, value, itemid, stored_offset_s."""
    return read.measurements(cached_store(url), [stay_id]).drop(columns="stay_id")


@st.cache_data(max_entries=64, show_spinner=False)
def intervals(url: str, revision: str, stay_id: int) -> pd.DataFrame:
    """Drugs, procedures and transfers of the stay: kind, start_s, end_s, label, rate, rate_unit."""
    return read.intervals(cached_store(url), stay_id)[["kind", "start_s", "end_s", "label", "rate", "rate_unit"]]


@st.cache_data(max_entries=64, show_spinner=False)
def diagnoses(url: str, revision: str, hadm_id: int) -> pd.DataFrame:
    """The codes of the admission: unknown at t0."""
    return read.diagnoses(cached_store(url), hadm_id)


@st.cache_data(max_entries=64, show_spinner=False)
def ecgs(url: str, revision: str, subject_id: int) -> pd.DataFrame:
    """The patient's ECGs by time: study_id, ecg_time, units, adc_gain, surrogate, readable, problem, quality, usable.

    units and adc_gain are lists, one per lead in file order.
    """
    shown = ["study_id", "ecg_time", "units", "adc_gain", "surrogate", "readable", "problem", "quality", "usable"]
    return read.ecgs(cached_store(url), subject_id)[shown]


@st.cache_data(max_entries=64, show_spinner=False)
def ecg_numbers(url: str, revision: str, study_id: int) -> dict[str, float]:
    """What was measured in the ECG: name -> value; a quantity that could not be measured is absent."""
    found = read.ecg_measurements(cached_store(url), [study_id])
    return dict(zip(found["name"], found["value"], strict=True))


@st.cache_data(max_entries=32, show_spinner=False)
def waveform(url: str, revision: str, study_id: int) -> Waveform:
    """The record at its own fs, from its file; an unreadable file is a sentence, not a fault of the page."""
    try:
        record = read.ecg_record(cached_store(url), study_id)
        signal = read_signal(Path(record["record_path"]), content=record["content_sha256"])
    except InputMistake as mistake:
        return Waveform(np.empty((0, 0), np.float32), 0.0, (), str(mistake))
    return Waveform(signal.signal_mv.T.astype(np.float32), signal.fs, signal.sig_name)


@st.cache_data(max_entries=64, show_spinner=False)
def level_scores(url: str, revision: str, run_id: str, sample_id: str) -> pd.DataFrame:
    """Per modality and level: the level's own prediction, selection_phi, and what the run chose (is_k_star, ...)."""
    store = cached_store(url)
    found = read_results.level_scores(store, run_id, sample_id)
    return found.merge(read_results.level_choices(store, run_id), on=["modality", "level"], how="left")


@st.cache_data(max_entries=64, show_spinner=False)
def explained(url: str, revision: str, run_id: str, row: int, path: str) -> Explained | None:
    """The attributions of the prediction in array row `row`; None where the run was scored without explanations."""
    store = cached_store(url)
    try:
        meta = read_results.array_meta(store, run_id, "feature_attribution")
        values = read_results.array_row(store, run_id, "feature_attribution", row)
        gap, error = read_results.array_row(store, run_id, "completeness", row)
        saliency, axes = None, {}
        if path == "both":
            axes = read_results.array_meta(store, run_id, "saliency")["axes"]
            saliency = read_results.array_row(store, run_id, "saliency", row).astype(np.float32)
    except InputMistake:
        return None
    features = dict(zip(meta["axes"]["feature"], values.astype(float).tolist(), strict=True))
    leads, seconds = tuple(axes.get("lead", ())), float(axes.get("seconds_per_bin", 0.0))
    found = Explained(features, saliency, leads, seconds, float(gap), float(error), str(meta["note"]))
    return against_usual(found, usual_attribution(url, revision, run_id, path))


@st.cache_data(max_entries=16, show_spinner=False)
def usual_attribution(url: str, revision: str, run_id: str, path: str) -> tuple[np.ndarray, int]:
    """The mean attribution of the run's stays on that path, and n; of none where the run has no attributions."""
    try:
        return read_comparable.usual_attribution(cached_store(url), run_id, path)
    except InputMistake:
        return np.empty(0), 0


def against_usual(explained: Explained, usual: tuple[np.ndarray, int]) -> Explained:
    """Return the attributions less the mean one, so that they tell this patient from the others.

    The baseline of integrated gradients is the mean record, which no patient has: part of what it attributes it
    attributes to everybody. Against the means what sums up is this patient's log-odds less the average patient's.
    """
    mean, n = usual
    if n < FEWEST_USUAL:
        return explained
    features = {name: value - float(m) for (name, value), m in zip(explained.features.items(), mean, strict=True)}
    return replace(explained, features=features, n_usual=n)


@st.cache_data(max_entries=64, show_spinner=False)
def trust(url: str, revision: str, run_id: str, sample_id: str) -> pd.DataFrame:
    """The checks of the prediction's attributions, one row per modality: the columns of `read_results.trust`."""
    return read_results.trust(cached_store(url), run_id, sample_id)


@st.cache_data(max_entries=64, show_spinner=False)
def people(url: str, revision: str, stay_ids: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    """Stay -> its facts (`read.stay`), and who it is in short as `words`: F 67, MICU."""
    out = {}
    for stay_id in stay_ids:
        facts = read.stay(cached_store(url), stay_id)
        words = f"{facts['sex']} {facts['age_years']}, {care_unit(facts['first_careunit'])}"
        out[stay_id] = facts | {"words": words}
    return out


@st.cache_data(max_entries=4, show_spinner=False)
def outcome_counts(url: str, revision: str) -> pd.DataFrame:
    """How the cohort's stays ended, by care unit and decade of age."""
    return read_comparable.outcome_counts(cached_store(url), TASK)


@st.cache_data(max_entries=32, show_spinner=False)
def ports_of_disease(url: str, revision: str, run_id: str, group: str, path: str, subject_id: int) -> pd.DataFrame:
    """The inner predictions of other patients with a disease group: the columns are ports."""
    store = cached_store(url)
    return read_comparable.ports_of_disease(store, run_id, group, path=path, exclude_subject=subject_id)


@st.cache_data(max_entries=8, show_spinner=False)
def has_attention(url: str, revision: str, run_id: str) -> bool:
    """Whether the run stored attention maps."""
    try:
        read_results.array_meta(cached_store(url), run_id, "attention_ecg_from_ehr")
    except InputMistake:
        return False
    return True


@st.cache_data(max_entries=32, show_spinner=False)
def attention(url: str, revision: str, run_id: str, row: int) -> Attention | None:
    """The attention maps of the prediction in array row `row`; None where the run has none."""
    store = cached_store(url)
    try:
        axes = read_results.array_meta(store, run_id, "attention_ecg_from_ehr")["axes"]
        to_ehr = read_results.array_row(store, run_id, "attention_ecg_from_ehr", row).astype(np.float64)
        to_ecg = read_results.array_row(store, run_id, "attention_ehr_from_ecg", row).astype(np.float64)
    except InputMistake:
        return None
    try:
        effect = float(read_results.array_row(store, run_id, "attention_effect", row)[0])
    except InputMistake:
        effect = None
    return Attention(to_ehr, to_ecg, tuple(axes["ecg_edges_s"]), tuple(axes["ehr"]), effect)
