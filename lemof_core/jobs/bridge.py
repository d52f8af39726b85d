"""Rows into arrays, and results into rows: the one module in which the store and the models touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cohort_db import read
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from cohort_db.statics import statics
from cohort_db.store import Store
from lemof_core.batch import CohortArrays
from lemof_core.ecg_measure import MEASUREMENTS
from lemof_core.ehr_series import hourly_grid

SPLITS = ("train", "val", "meta", "cal", "test")
ECG_ARRAY = "ecg_100hz_uv"
AUX_NAMES = tuple(measured.name for measured in MEASUREMENTS if measured.aux)


@dataclass(frozen=True)
class Cohort:
    """A task's samples as arrays, the rows of each split, and the frame they came from (same order)."""

    arrays: CohortArrays
    splits: dict[str, np.ndarray]
    frame: pd.DataFrame


def load_cohort(store: Store, task: str = "los", *, sample_ids: Sequence[str] | None = None) -> Cohort:
    """Return the samples of a task (all, or those named) with everything a model may read of them.

    An ECG counts as present when it is linked, prepared and usable. Raises InputMistake where there is no sample.
    """
    frame = read.samples(store, task)
    static = statics(store, task)
    if sample_ids is not None:
        frame = frame[frame["sample_id"].isin(set(sample_ids))]
    frame = frame.sort_values("sample_id", ignore_index=True)
    if frame.empty:
        raise InputMistake(f"the store holds no sample of task {task!r}: run `lemof ingest` first")
    variables = read.variables(store)
    series_names = tuple(variables.loc[variables["kind"] == "series", "name"])
    present = (frame["ecg_usable"].fillna(False) & frame["ecg_array_row"].notna()).to_numpy(bool)
    arrays = CohortArrays(
        sample_ids=tuple(frame["sample_id"]),
        subject_ids=frame["subject_id"].to_numpy(np.int64),
        ecg_uv=_ecgs(store, frame, present),
        ecg_present=present,
        series=_series(store, frame, series_names),
        static=static.loc[frame["sample_id"]].to_numpy(np.float32),
        labels=frame["label"].astype("float64").to_numpy(np.float32),
        aux=_aux(store, frame, present),
        series_names=series_names,
        static_names=tuple(static.columns),
        aux_names=AUX_NAMES,
    )
    split = frame["split"].to_numpy()
    return Cohort(arrays, {name: np.flatnonzero(split == name) for name in SPLITS}, frame)


def _series(store: Store, frame: pd.DataFrame, series_names: tuple[str, ...]) -> np.ndarray:
    """Return (N, V, 24): hourly means before t0, read a thousand stays at a time."""
    column = {name: index for index, name in enumerate(series_names)}
    t0 = frame["t0_offset_s"].to_numpy(np.int64)
    parts = []
    for start in range(0, len(frame), 1000):
        some = frame.iloc[start : start + 1000]
        # The day after t0 is not even read; hourly_grid refuses it once more, by charttime and by storetime.
        values = read.measurements(store, some["stay_id"].tolist(), before_s=int(some["t0_offset_s"].max()) + 1)
        values = values[values["variable"].isin(column)]
        row_of = {int(stay): row for row, stay in enumerate(some["stay_id"])}
        values = values.assign(row=values["stay_id"].map(row_of), column=values["variable"].map(column))
        part_t0 = t0[start : start + 1000]
        parts.append(hourly_grid(values, n_samples=len(some), n_variables=len(column), t0_offset_s=part_t0))
    return np.concatenate(parts)


def _ecgs(store: Store, frame: pd.DataFrame, present: np.ndarray) -> np.ndarray:
    """Return (N, 12, 1000) int16 microvolts; zeros where there is no usable ECG."""
    out = np.zeros((len(frame), 12, 1000), dtype=np.int16)
    datasets = _dataset_of(store, frame)
    for dataset_id in np.unique(datasets[present]):
        rows = np.flatnonzero(present & (datasets == dataset_id))
        owner = ArrayStore(store, f"dataset:{dataset_id}")
        out[rows] = owner.read(ECG_ARRAY, frame["ecg_array_row"].iloc[rows].astype("int64").to_numpy())
    return out


def _dataset_of(store: Store, frame: pd.DataFrame) -> np.ndarray:
    """Return the dataset number (N,) whose arrays hold each sample's ECG."""
    return frame["dataset_id"].to_numpy(np.int64)


def _aux(store: Store, frame: pd.DataFrame, present: np.ndarray) -> np.ndarray:
    """Return (N, A) quantities measured from the linked ECG, NaN where there is none or it was not measurable."""
    out = np.full((len(frame), len(AUX_NAMES)), np.nan, dtype=np.float32)
    if not present.any():
        return out
    measured = read.ecg_measurements(store, frame["study_id"][present].astype("int64").tolist())
    wide = measured.pivot(index="study_id", columns="name", values="value").reindex(columns=list(AUX_NAMES))
    rows = np.flatnonzero(present)
    out[rows] = wide.reindex(frame["study_id"].iloc[rows].astype("int64")).to_numpy(np.float32)
    return out


def describe_data(store: Store, cohort: Cohort, task: str) -> dict[str, Any]:
    """Return what a run keeps of the data it was fitted on.

    Names, what is predicted and when, counts by split, the patients of every split but test, units of the variables.
    """
    datasets = read.datasets(store)
    labels = cohort.arrays.labels
    definition = read.task_definition(store, task)
    return {
        "t0_hours": definition["t0_hours"],
        "cut_hours": definition["cut_hours"],
        "rules": definition["rules"],
        "fit_patients": {
            name: sorted({int(subject) for subject in cohort.arrays.subject_ids[rows]})
            for name, rows in cohort.splits.items()
            if name != "test"
        },
        "datasets": datasets["name"].tolist(),
        "synthetic": bool(datasets["synthetic"].any()),
        "surrogate_ecg": bool(datasets["surrogate_ecg"].any()),
        "n_by_split": {
            name: {"n": len(rows), "events": int(labels[rows].sum()), "ecg": int(cohort.arrays.ecg_present[rows].sum())}
            for name, rows in cohort.splits.items()
        },
        "variables": [
            {key: row[key] for key in ("name", "label", "unit", "kind", "panel", "low", "high", "decimals")}
            for row in _plain_rows(read.variables(store))
        ],
    }


def _plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[Any, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows


def refuse_other_definition(store: Store, run: Mapping[str, Any]) -> None:
    """Raise InputMistake where the store's samples of the run's task have another t0, another cut or other ECGs."""
    there = read.task_definition(store, run["task"])
    links = [_ecg_link(rules) for rules in (run["fit_report"].get("rules"), there["rules"])]
    if links[0] != links[1]:
        raise InputMistake(
            f"run {run['run_id']} was fitted on the {links[0]} ECG of the window, the store links the {links[1]}: "
            "train a run on this store, or ingest with the run's --ecg-link into a new store (--db)"
        )
    if (there["t0_hours"], there["cut_hours"]) != (run["t0_hours"], run["cut_hours"]):
        raise InputMistake(
            f"run {run['run_id']} predicts {_defined(run)}, the store's samples are made for {_defined(there)}: "
            f"train a run on this store, or ingest with the run's --t0-hours and --cut-days into a new store (--db)"
        )


def _ecg_link(rules: Mapping[str, Any] | None) -> str:
    """Return which ECG was linked; rules that were stored before there was a choice linked the last."""
    return str((rules or {}).get("ecg_link", "last"))


def _defined(row: Mapping[str, Any]) -> str:
    cut = "" if row["cut_hours"] is None else f" for a cut of {row['cut_hours']:g} h"
    return f"at {row['t0_hours']:g} h{cut}"


def splits_for(fit_patients: Mapping[str, Sequence[int]], subject_ids: np.ndarray) -> np.ndarray:
    """Return the part (N,) of each patient for a run fitted elsewhere: where its fit used the patient, else test."""
    part_of = {subject: name for name, subjects in fit_patients.items() for subject in subjects}
    return np.array([part_of.get(int(subject), "test") for subject in subject_ids], dtype=object)


def refuse_absent(frame: pd.DataFrame, *, optional: Sequence[str]) -> pd.DataFrame:
    """Return the frame with NaN of the optional columns as None; raise ValueError where another column has one."""
    required = frame.drop(columns=list(optional))
    bad = required.columns[required.isna().any()].tolist()
    if bad:
        raise ValueError(f"a prediction must be finite, however: {bad} of {frame['sample_id'].tolist()[:3]}")
    return frame.astype(dict.fromkeys(optional, object)).where(frame.notna(), None)
