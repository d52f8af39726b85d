"""A small synthetic cohort in a store with a made-up run: plausible numbers that hold every sum the case page shows.

No network is fitted, so the store is made in seconds; what the run says of a patient means nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from store_support import run_row

from cohort_db import read, results
from cohort_db.arrays import ArrayStore
from cohort_db.store import Store, open_store
from cohort_db.synthetic import write_cohort
from cohort_db.variables import variable_rows
from dashboard.case_values import judged
from lemof_core.jobs.ingest import ingest

RUN, N_STAYS = "made-up", 34
PORTS = ("ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3", "cross")
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
EDGES_S = [round(0.5 * n, 2) for n in range(21)]
BASE_LOGIT, BASE_P = -0.4, 0.42


@dataclass(frozen=True)
class CaseStore:
    """The home of the store, and stays that stand for the states of the page."""

    home: Path
    cohort: tuple[int, ...]
    test_stay: int  # of the test split, with an ECG that the model read
    train_stay: int
    no_ecg: int
    not_scored: int
    unreadable: int  # its file was removed after ingest
    left_out: int
    died: int  # in the ICU before the cut
    outside: int  # its record is unlike the fit's, and the checks of its explanation fail

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home / 'cohort.db'}"


def shared_case_store(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    """The store, made once for all workers of a test session; a test must not change it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    home = shared / "case-home"
    home.mkdir(exist_ok=True)
    with FileLock(home / "lock"):
        if not (home / "ready.json").exists():
            found = make_case_store(home)
            (home / "ready.json").write_text(json.dumps(found), encoding="utf-8")
    found = json.loads((home / "ready.json").read_text(encoding="utf-8"))
    return CaseStore(home, tuple(found.pop("cohort")), **found)


def make_case_store(home: Path) -> dict[str, Any]:
    """Fill an empty home; return the fields of CaseStore."""
    write_cohort(home / "raw", n_stays=N_STAYS, seed=5, ecg_missing=0.2)
    store = open_store(f"sqlite:///{home / 'cohort.db'}", create=True)
    ingest(store, home / "raw", home / "raw" / "ecg")
    samples = read.samples(store)
    stays = read.stays(store)
    has_ecg = samples["ecg_usable"].fillna(False).astype(bool)
    test = samples["split"] == "test"
    dead = samples.loc[samples["died_before_cut"], "stay_id"]
    with_ecg = samples.loc[test & has_ecg & ~samples["died_before_cut"], "stay_id"].tolist()
    not_scored = int(samples.loc[samples["split"] == "val", "stay_id"].iloc[0])
    outside = int(samples.loc[(samples["split"] == "train") & has_ecg, "stay_id"].iloc[2])
    add_made_up_run(store, samples, leave_out=not_scored, outside=outside)
    _remove_waveform(store, int(samples.loc[samples["stay_id"] == with_ecg[1], "study_id"].iloc[0]))
    store.close()
    return {
        "cohort": sorted(int(stay_id) for stay_id in samples["stay_id"]),
        "test_stay": int(with_ecg[0]),
        "unreadable": int(with_ecg[1]),
        "train_stay": int(samples.loc[(samples["split"] == "train") & has_ecg, "stay_id"].iloc[0]),
        "no_ecg": int(samples.loc[~has_ecg & (samples["stay_id"] != not_scored), "stay_id"].iloc[0]),
        "not_scored": not_scored,
        "outside": outside,
        "left_out": int(stays.loc[~stays["in_cohort"], "stay_id"].iloc[0]),
        "died": int(dead.iloc[0]),
    }


def _remove_waveform(store: Store, study_id: int) -> None:
    record = Path(read.ecg_record(store, study_id)["record_path"])
    record.with_name(f"{record.name}.dat").unlink()


def add_made_up_run(store: Store, samples: pd.DataFrame, *, leave_out: int, outside: int = 0) -> None:
    """The store holds a run that scored every sample but one, with explanations that sum as real ones do."""
    series = read.variables(store)
    names = series["name"].tolist()
    held = samples[samples["split"] == "meta"]
    has_ecg = samples["ecg_usable"].fillna(False).astype(bool)
    paths = {"both": held[has_ecg[held.index]], "ehr": held}
    counts = {
        split: {"n": len(own), "events": int(own["label"].sum()), "ecg": int(has_ecg[own.index].sum())}
        for split, own in samples.groupby("split")
    }
    calibrations = [
        {
            "path": path, "slope": 1.1, "intercept": 0.05, "threshold": 0.45 if path == "both" else None, "n": 7,
            "events": 3, "base_logit": BASE_LOGIT, "base_p": BASE_P, "base_rate": float(own["label"].mean()),
            "n_base": len(own) if path == "both" else None,
        }
        for path, own in paths.items()
    ]  # fmt: skip
    choices = [
        {
            "modality": modality, "level": level, "mean_abs_phi": 0.1 * level, "weight": 0.3, "frequency": 0.3,
            "is_k_star": level == 3, "is_cross_level": level == 2, "cross_frequency": 0.5, "auroc": 0.6 + 0.02 * level,
        }
        for modality in ("ecg", "ehr")
        for level in (1, 2, 3)
    ]  # fmt: skip
    run = run_row(RUN, fitting="holdout", n_by_split=counts, not_estimable={})
    conformals = [
        {"path": path, "label": label, "alpha": 0.1, "n": 30 if path == "both" else 7, "cutoff": cutoff}
        for path, cutoff in (("both", 0.6), ("ehr", None))
        for label in (0, 1)
    ]
    results.add_run(
        store, run, calibrations=calibrations, level_choices=choices, stage_weights=[], conformals=conformals
    )
    scored = samples[samples["stay_id"] != leave_out].reset_index(drop=True)
    arrays = _made_up_arrays(names, scored["ecg_usable"].fillna(False).to_numpy(bool))
    _create_arrays(store, names)
    tables = _made_up_tables(scored, scored["ecg_usable"].fillna(False).to_numpy(bool))
    tables["trust"] = _made_up_checks(tables["predictions"], f"los-{outside}")
    own = tables["predictions"]["sample_id"] == f"los-{outside}"
    tables["predictions"]["typical_ehr"] = np.where(own, 0.004, 0.4)
    tables["predictions"]["unusual"] = [[["ehr", "lactate", 0.61]] if is_own else None for is_own in own]
    results.add_scored(store, RUN, **tables, arrays=arrays)


def _create_arrays(store: Store, names: list[str]) -> None:
    arrays, tokens = ArrayStore(store, RUN), ["CLS", *names]
    n_ecg = len(EDGES_S) - 1
    arrays.create("feature_attribution", (len(names),), "float32", {"feature": names}, "log-odds; made up")
    arrays.create("completeness", (2,), "float32", {"what": ["gap", "error"]}, "log-odds; made up")
    arrays.create("saliency", (12, 250), "float16", {"lead": list(LEADS), "seconds_per_bin": 0.04}, "made up")
    axes = {"ecg_edges_s": EDGES_S, "ehr": tokens}
    arrays.create("attention_ecg_from_ehr", (n_ecg, len(tokens)), "float16", axes, "made up")
    arrays.create("attention_ehr_from_ecg", (len(tokens), n_ecg), "float16", axes, "made up")
    arrays.create("attention_effect", (1,), "float32", {"what": ["effect"]}, "made up")


def _made_up_arrays(names: list[str], present: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    n, n_ecg, n_ehr = len(present), len(EDGES_S) - 1, len(names) + 1
    to_ehr = rng.dirichlet(np.full(n_ehr, 0.5), (n, n_ecg))
    to_ecg = rng.dirichlet(np.full(n_ecg, 0.5), (n, n_ehr))
    return {
        "feature_attribution": rng.normal(0, 0.1, (n, len(names))).astype("float32"),
        "completeness": np.tile(np.array([0.7, 0.02], "float32"), (n, 1)),
        "saliency": (rng.normal(0, 0.01, (n, 12, 250)) * present[:, None, None]).astype("float16"),
        "attention_ecg_from_ehr": to_ehr.astype("float16"),
        "attention_ehr_from_ecg": to_ecg.astype("float16"),
        "attention_effect": np.full((n, 1), 0.02, "float32"),
    }


def _made_up_tables(scored: pd.DataFrame, present: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return predictions and their explanations: phi sum to the prediction on both scales."""
    rng = np.random.default_rng(4)
    predictions, branches, levels, effects = [], [], [], []
    for sample_id, split, with_ecg in zip(scored["sample_id"], scored["split"], present, strict=True):
        ports = PORTS if with_ecg else PORTS[3:6]
        phi = rng.normal(0, 0.3, len(ports))
        logit = BASE_LOGIT + phi.sum()
        p = 1 / (1 + np.exp(-logit))
        share = rng.dirichlet(np.ones(len(ports)))
        predictions.append(
            {
                "sample_id": sample_id, "split": split, "path": "both" if with_ecg else "ehr", "logit": logit, "p": p,
                "p_lo": max(p - 0.1, 0.0), "p_hi": min(p + 0.1, 1.0), "logit_raw": logit,
            }
        )  # fmt: skip
        own = {"sample_id": sample_id}
        for port, value, part in zip(ports, phi, share * (p - BASE_P), strict=True):
            branches.append({**own, "port": port, "logit": value, "phi_logit": value, "phi_prob": part})
            if port != "cross":
                modality, level = port.split("_")
                levels.append(
                    {**own, "modality": modality, "level": int(level), "logit": value, "phi_logit": value / 2,
                     "phi_prob": part / 2}
                )  # fmt: skip
        if with_ecg:
            values = {"v_none": -0.4, "v_ecg": -0.1, "v_ehr": -0.6, "v_both": logit}
            effects.append({**own, **values, "n_background": 16})
    frames = {"predictions": predictions, "branch_values": branches, "level_scores": levels, "input_effects": effects}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


def _made_up_checks(predictions: pd.DataFrame, failing: str) -> pd.DataFrame:
    """Return checks that pass, and of one sample checks that fail."""
    rows = []
    for sample_id, path in zip(predictions["sample_id"], predictions["path"], strict=True):
        bad = sample_id == failing
        for modality in ("ecg", "ehr") if path == "both" else ("ehr",):
            rows.append(
                {
                    "sample_id": sample_id, "modality": modality, "deleted_salient": 0.01 if bad else 0.4,
                    "deleted_random": 0.05, "deleted_random_most": 0.09, "n_random": 10,
                    "rank_correlation": 1.0 if bad else -0.08,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


T0_S = 86_400
INTIME = datetime(2180, 7, 23, 8, 12)
VARIABLES = pd.DataFrame(variable_rows()).set_index("name", drop=False)


def charted(*rows: tuple[str, float, float] | tuple[str, float, float, float]) -> pd.DataFrame:
    """(variable, hour, value[, hour of storing]) as `read.measurements` gives them."""
    stored = [row[3] * 3600 if len(row) > 3 else None for row in rows]
    return pd.DataFrame(
        {
            "variable": [row[0] for row in rows],
            "offset_s": [round(row[1] * 3600) for row in rows],
            "value": [float(row[2]) for row in rows],
            "itemid": 1,
            "stored_offset_s": pd.array([None if s is None else round(s) for s in stored], dtype="Int64"),
        }
    )


def judge(measured: pd.DataFrame, sex: str = "M", t0_s: int | None = T0_S) -> pd.DataFrame:
    """The values as the page judges them, for a stay that began at INTIME."""
    return judged(measured, VARIABLES, sex=sex, intime=INTIME, t0_s=t0_s)
