"""A made-up cohort of MIMIC tables comes in; stores at every state of the work go out, for the tests of the pages.

A hundred and twenty patients in the ICU: ten are children, ten leave within a day, twenty die after 50 h, twenty
come back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from mimic_support import Tables, write_tables, written
from scipy.special import expit
from store_support import run_row
from streamlit.testing.v1 import AppTest

from cohort_db import read
from cohort_db.ingest import ingest
from cohort_db.results import add_run, add_scored
from cohort_db.store import Store, open_store
from lemof_core.jobs.evaluate import evaluate

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("overview", "cohort", "levels", "performance", "model_card")  # of a run; /methods is of none
N_PATIENTS = 120
RUN = "run-pages"
THRESHOLD = 0.437  # no multiple of the sliders' step
UNITS = ("Medical Intensive Care Unit (MICU)", "Coronary Care Unit (CCU)", "Neuro Stepdown")
CODES = ("I500", "A419", "J189", "N179", "Z000")
LEVELS = tuple((modality, level) for modality in ("ecg", "ehr") for level in (1, 2, 3))
PORTS = (*(f"{modality}_{level}" for modality, level in LEVELS), "cross")


def made_up_mimic() -> Tables:
    """The tables of MIMIC-IV with nothing but what the pages show; the same at every call."""
    rng = np.random.default_rng(7)
    tables: Tables = {name: [] for name in ("hosp/patients", "hosp/admissions", "icu/icustays", "hosp/diagnoses_icd")}
    tables |= {"icu/d_items": [{"itemid": 220045, "label": "Heart Rate"}], "icu/chartevents": [], "hosp/labevents": []}
    for number in range(N_PATIENTS):
        subject, hadm, stay = 10_000 + number, 20_000 + number, 30_000 + number
        intime = datetime(2150, 1, 1) + timedelta(days=30 * number)
        dies = number % 6 == 4
        hours = 12 if number % 12 == 5 else 50 if dies else float(rng.uniform(30, 140))
        age = 17 if number % 12 == 7 else int(rng.integers(20, 90))
        sex = "F" if rng.random() < 0.5 else "M"
        patient = {"subject_id": subject, "gender": sex, "anchor_age": age, "anchor_year": intime.year, "dod": ""}
        tables["hosp/patients"].append(patient)
        tables["hosp/admissions"].append(
            {
                "subject_id": subject,
                "hadm_id": hadm,
                "admittime": written(intime - timedelta(hours=2)),
                "dischtime": written(intime + timedelta(hours=600)),
                "deathtime": written(intime + timedelta(hours=hours)) if dies else "",
                "admission_type": "EW EMER.",
                "hospital_expire_flag": int(dies),
                "race": "UNKNOWN",
            }
        )
        stays = [(stay, 0.0, hours)] + ([(stay + 500, 300.0, 40.0)] if number % 6 == 0 else [])
        for stay_id, after, long in stays:
            tables["icu/icustays"].append(
                {
                    "subject_id": subject,
                    "hadm_id": hadm,
                    "stay_id": stay_id,
                    "first_careunit": UNITS[number % 3],
                    "last_careunit": UNITS[number % 3],
                    "intime": written(intime + timedelta(hours=after)),
                    "outtime": written(intime + timedelta(hours=after + long)),
                }
            )
        for rank, code in enumerate(rng.choice(CODES, 2, replace=False), 1):
            coded = {"subject_id": subject, "hadm_id": hadm, "seq_num": rank, "icd_code": code, "icd_version": 10}
            tables["hosp/diagnoses_icd"].append(coded)
        tables["icu/chartevents"] += [_chart(subject, hadm, stay, intime, hour, rng) for hour in range(1, 30, 2)]
        tables["hosp/labevents"].append(_lab(subject, hadm, intime, rng))
    for name in ("icu/inputevents", "icu/procedureevents"):
        tables[name] = [_no_interval(name)]
    ward = {"subject_id": 10_000, "hadm_id": 20_000, "eventtype": "transfer", "transfer_id": 1, "careunit": "MICU"}
    tables["hosp/transfers"] = [ward | {"intime": "2150-01-01 00:00:00", "outtime": "2150-01-03 00:00:00"}]
    return tables


def _chart(subject: int, hadm: int, stay: int, intime: datetime, hour: int, rng: Any) -> dict[str, Any]:
    value = round(float(rng.normal(85, 12)))
    at = intime + timedelta(hours=hour)
    ids = {"subject_id": subject, "hadm_id": hadm, "stay_id": stay, "itemid": 220045}
    return ids | {
        "charttime": written(at),
        "storetime": written(at + timedelta(minutes=10)),
        "value": value,
        "valuenum": value,
        "valueuom": "bpm",
    }


def _lab(subject: int, hadm: int, intime: datetime, rng: Any) -> dict[str, Any]:
    value = round(float(rng.uniform(0.5, 3)), 1)
    at = intime + timedelta(hours=3)
    return {
        "labevent_id": 0,
        "subject_id": subject,
        "hadm_id": hadm,
        "itemid": 50912,
        "charttime": written(at),
        "storetime": written(at + timedelta(hours=1)),
        "value": value,
        "valuenum": value,
        "valueuom": "mg/dL",
        "comments": "",
    }


def _no_interval(name: str) -> dict[str, Any]:
    """An interval of a stay that does not exist: the table is there, and nothing of it is kept."""
    row = {"stay_id": 9, "starttime": "2150-01-01 00:00:00", "endtime": "2150-01-01 01:00:00", "itemid": 220045}
    row |= {"orderid": 1, "ORIGINALAMOUNT": 1, "ORIGINALRATE": 1}
    if name == "icu/inputevents":
        return row | {"amount": 1, "amountuom": "mg", "rate": "", "rateuom": ""}
    return row | {"value": 1, "valueuom": "min"}


def fitted_parts() -> dict[str, Any]:
    """What `add_run` takes beside the run: both paths, all levels, all stages."""
    shared = {
        "slope": 1.1,
        "intercept": -0.1,
        "n": 10,
        "events": 5,
        "base_logit": -0.2,
        "base_p": 0.45,
        "base_rate": 0.5,
        "n_base": 1_234,
    }
    choices = [
        {
            "modality": modality,
            "level": level,
            "mean_abs_phi": 0.1 * level,
            "weight": 0.2,
            "frequency": {1: 0.1, 2: 0.3, 3: 0.6}[level],
            "is_k_star": level == 3,
            "is_cross_level": level == 1,
            "cross_frequency": 0.5,
            "auroc": 0.6,
        }
        for modality, level in LEVELS
    ]
    own = {"modality": "ehr", "level": 0, "mean_abs_phi": None, "weight": None, "frequency": None, "is_k_star": False}
    choices.append(own | {"is_cross_level": False, "cross_frequency": 0.0, "auroc": None})
    inputs = {
        "G_ecg": ["ecg_1", "ecg_2", "ecg_3"],
        "G_ehr": ["ehr_1", "ehr_2", "ehr_3"],
        "G_O1": ["meta_ecg", "best_ecg", "meta_ehr", "best_ehr"],
        "G_final": ["O1", "O2"],
        "Platt": ["raw"],
    }
    weight = {"weight": 0.3, "mean": 0.0, "scale": 1.0, "lo": 0.1, "hi": 0.5}
    weights = [
        {"path": path, "stage": stage, "input": name} | weight
        for path in ("both", "ehr")
        for stage, names in inputs.items()
        if path == "both" or stage in ("G_ehr", "G_O1", "Platt")
        for name in [*names, "intercept"]
        if path == "both" or "ecg" not in name
    ]
    return {
        "calibrations": [
            shared | {"path": "both", "threshold": THRESHOLD},
            shared | {"path": "ehr", "threshold": None},
        ],
        "level_choices": choices,
        "stage_weights": weights,
    }


def ehr_alone(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a run that had too few ECGs to learn from."""
    return {
        "calibrations": [row for row in parts["calibrations"] if row["path"] == "ehr"],
        "level_choices": [row for row in parts["level_choices"] if row["modality"] == "ehr"],
        "stage_weights": [row for row in parts["stage_weights"] if row["path"] == "ehr"],
    }


def add_pages_run(store: Store, run_id: str = RUN, *, parts: dict[str, Any] | None = None, **changed: Any) -> None:
    """The store holds a run with everything that is fitted."""
    report = {
        "seconds": 1.5,
        "epochs_kept": {"fold 1 ecg label": 3},
        "pair": [1, 1],
        "pair_gains": {"1/1": 0.02, "1/2": -0.01},
    }
    counts = {"train": {"n": 20, "events": 10, "ecg": 15}, "test": {"n": 12, "events": 6, "ecg": 9}}
    row = run_row(
        run_id, fit_report=report, n_by_split=counts, synthetic=False, not_estimable={"ehr: calibration": "n = 3"}
    )
    add_run(store, row | changed, **(parts or fitted_parts()))


def score_all(store: Store, run_id: str = RUN, *, split: str | None = None, path: str | None = None) -> None:
    """Every sample has a prediction with levels and branches; every fourth, or all, of the path without an ECG."""
    rng = np.random.default_rng(3)
    samples = read.samples(store)
    n = len(samples)
    label = samples["label"].fillna(0).to_numpy(float)
    ports = 0.8 * (label[:, None] - 0.5) + rng.normal(0, 1, (n, len(PORTS)))
    logit = ports.mean(1)
    paths = np.where(np.arange(n) % 4 == 3, "ehr", "both") if path is None else np.full(n, path)
    predictions = pd.DataFrame(
        {
            "sample_id": samples["sample_id"],
            "split": samples["split"] if split is None else split,
            "path": paths,
            "logit": logit,
            "p": expit(logit),
            "p_lo": expit(logit - 0.5),
            "p_hi": expit(logit + 0.5),
            "logit_raw": logit,
        }
    )
    levels, branches = [], []
    for row, (sample_id, of_path) in enumerate(zip(samples["sample_id"], paths, strict=True)):
        for column, port in enumerate(PORTS):
            if of_path == "ehr" and not port.startswith("ehr"):
                continue
            value = float(ports[row, column])
            branches.append((sample_id, port, value, 0.1 * value, 0.02 * value))
            if port != "cross":
                modality, level = port.split("_")
                levels.append((sample_id, modality, int(level), value, 0.1 * value, 0.02 * value))
    add_scored(
        store,
        run_id,
        predictions=predictions,
        level_scores=pd.DataFrame(levels, columns=["sample_id", "modality", "level", "logit", "phi_logit", "phi_prob"]),
        branch_values=pd.DataFrame(branches, columns=["sample_id", "port", "logit", "phi_logit", "phi_prob"]),
        input_effects=pd.DataFrame(),
        arrays={},
    )


STATES = ("no run", "not scored", "not evaluated", "full")


@dataclass(frozen=True)
class PagesStores:
    """A folder for each of STATES, to be used as LEMOF_HOME; `empty` holds no store."""

    home: dict[str, Path]
    empty: Path

    def store(self, state: str) -> Store:
        """The open store of a state."""
        return open_store(f"sqlite:///{self.home[state] / 'cohort.db'}")


@pytest.fixture(scope="session")
def pages_stores(tmp_path_factory: pytest.TempPathFactory) -> PagesStores:
    """Stores of the same cohort at every state of the work; tests read them and change nothing."""
    root = tmp_path_factory.mktemp("pages")
    mimic = write_tables(root / "mimic", made_up_mimic())
    steps: dict[str, Callable[[Store], Any]] = {
        "no run": lambda store: ingest(store, mimic),
        "not scored": add_pages_run,
        "not evaluated": score_all,
        "full": lambda store: evaluate(store, RUN),
    }
    home: dict[str, Path] = {}
    before: Path | None = None
    for state, step in steps.items():
        home[state] = root / state.replace(" ", "-")
        if before is not None:
            shutil.copytree(before, home[state])
        store = open_store(f"sqlite:///{home[state] / 'cohort.db'}", create=True)
        step(store)
        store.close()
        before = home[state]
    (root / "empty").mkdir()
    return PagesStores(home, root / "empty")


def open_page(name: str, home: Path, monkeypatch: pytest.MonkeyPatch, **query: str | list[str]) -> AppTest:
    """The page after its first run; its parameters are set as a link would."""
    monkeypatch.setenv("LEMOF_HOME", str(home))
    monkeypatch.setattr("dashboard.measured.SHIPPED", home / "shipped-benchmark")  # not what the project ships
    st.cache_data.clear()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    if name != "overview":
        # Pages are known by their URL path only after a first run.
        app.run().switch_page(f"dashboard/pages/{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def said(app: AppTest) -> str:
    """All words on the page, in its main part and its side panel."""
    parts: list[str] = []
    for kind in ("title", "subheader", "markdown", "caption", "info", "warning", "error", "code", "button", "table"):
        parts += [str(getattr(one, "value", None) or getattr(one, "label", "")) for one in getattr(app, kind)]
    parts += [str(one.proto.body) for one in app.get("html") if not str(one.proto.body).startswith("<style")]
    return "\n".join(parts)
