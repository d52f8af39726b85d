"""Metrics of a stored run against scikit-learn: each stay at its own path's threshold, and the floors by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages_support import RUN, THRESHOLD, PagesStores, add_pages_run, fitted_parts, pages_stores, score_all
from sklearn.metrics import accuracy_score, f1_score

from cohort_db import read_results
from cohort_db.store import Store, open_store
from lemof_core.jobs.evaluate import evaluate

__all__ = ["pages_stores"]

EHR_THRESHOLD = 0.61
FEW_LONG = {"train": {"n": 60, "events": 20}, "cal": {"n": 40, "events": 10}, "test": {"n": 12, "events": 12}}
MANY_LONG = {"train": {"n": 10, "events": 7}}


def _evaluated(
    home: Path, stores: PagesStores, *, ehr_threshold: float | None = EHR_THRESHOLD, counts: dict[str, Any] = FEW_LONG
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The metrics on test of a run with these thresholds and counts, by their name, and its predictions on test."""
    shutil.copytree(stores.home["no run"], home)
    store: Store = open_store(f"sqlite:///{home / 'cohort.db'}")
    parts = fitted_parts()
    for row in parts["calibrations"]:
        row["threshold"] = {"both": THRESHOLD, "ehr": ehr_threshold}[row["path"]]
    add_pages_run(store, parts=parts, n_by_split=counts)
    score_all(store)
    evaluate(store, RUN)
    found, predicted = read_results.metrics(store, RUN, "test"), read_results.predictions(store, RUN, "test")
    store.close()
    return found[found["deaths"] == "with"].set_index("name"), predicted


def _of(found: pd.DataFrame, source: str, kind: str = "all", stratum: str = "all") -> pd.DataFrame:
    return found[(found["source"] == source) & (found["stratum_kind"] == kind) & (found["stratum"] == stratum)]


def test_each_stay_is_held_against_the_threshold_of_its_own_path(pages_stores: PagesStores, tmp_path: Path) -> None:
    found, predicted = _evaluated(tmp_path / "store", pages_stores)
    y, p = predicted["label"].to_numpy(int), predicted["p"].to_numpy()
    said = p >= np.where(predicted["path"] == "ehr", EHR_THRESHOLD, THRESHOLD)
    assert (said != (p >= THRESHOLD)).any(), "the two thresholds must make a difference here"
    everybody = _of(found, "final")
    assert everybody.loc["acc_tuned", "value"] == pytest.approx(accuracy_score(y, said))
    assert everybody.loc["f1_macro_tuned", "value"] == pytest.approx(f1_score(y, said, average="macro"))
    without = (predicted["path"] == "ehr").to_numpy()
    alone = _of(found, "final", "ecg", "without ECG")
    assert alone.loc["acc_tuned", "value"] == pytest.approx(accuracy_score(y[without], p[without] >= EHR_THRESHOLD))


def test_a_stratum_with_stays_of_an_untuned_path_has_no_tuned_metrics(
    pages_stores: PagesStores, tmp_path: Path
) -> None:
    found, predicted = _evaluated(tmp_path / "store", pages_stores, ehr_threshold=None)
    n_without = int((predicted["path"] == "ehr").sum())
    for kind, stratum, n in (("all", "all", len(predicted)), ("ecg", "without ECG", n_without)):
        for name in ("acc_tuned", "f1_macro_tuned"):
            row = _of(found, "final", kind, stratum).loc[name]
            assert pd.isna(row["value"])
            assert f"{n_without} of {n} samples have no tuned threshold" in row["note"]
    paired = predicted[predicted["path"] == "both"]
    expected = accuracy_score(paired["label"].astype(int), paired["p"] >= THRESHOLD)
    assert _of(found, "final", "ecg", "with ECG").loc["acc_tuned", "value"] == pytest.approx(expected)


@pytest.mark.parametrize(("counts", "commoner", "rate"), [(FEW_LONG, 0, 0.3), (MANY_LONG, 1, 0.7)])
def test_the_floors_come_from_the_patients_that_the_run_was_fitted_with(
    counts: dict[str, Any], commoner: int, rate: float, pages_stores: PagesStores, tmp_path: Path
) -> None:
    found, predicted = _evaluated(tmp_path / "store", pages_stores, counts=counts)
    y = predicted["label"].to_numpy(int)
    right = float((y == commoner).mean())
    majority = _of(found, "majority")["value"]
    assert majority.to_dict() == pytest.approx(
        {
            "acc_50": right,
            "f1_macro_50": f1_score(y, np.full(len(y), commoner), average="macro", zero_division=0),
            "auroc": 0.5,
            "auprc": y.mean(),
            "brier": 1 - right,
        }
    )
    base = _of(found, "base_rate")["value"]
    assert base.to_dict() == pytest.approx({"auroc": 0.5, "auprc": y.mean(), "brier": float(np.mean((y - rate) ** 2))})


def test_without_counts_of_the_fit_there_are_no_floors(pages_stores: PagesStores, tmp_path: Path) -> None:
    found, _ = _evaluated(tmp_path / "store", pages_stores, counts={"test": {"n": 12, "events": 6}})
    assert not set(found["source"]) & {"majority", "base_rate"}
    assert "final" in set(found["source"])


def test_audit_strata_and_ecg_quality_are_stored_with_observed_over_expected(
    pages_stores: PagesStores, tmp_path: Path
) -> None:
    found, predicted = _evaluated(tmp_path / "store", pages_stores)
    kinds = set(found.loc[found["source"] == "final", "stratum_kind"])
    assert kinds >= {"disease", "sex", "age", "unit", "ecg", "quality", "race", "insurance", "language"}
    everybody = _of(found, "final").loc["oe"]
    assert everybody["value"] == pytest.approx(predicted["label"].sum() / predicted["p"].sum())
    assert everybody["lo"] < everybody["value"] < everybody["hi"]
    unknown = _of(found, "final", "race", "unknown").loc["auroc"]
    assert (unknown["n"], unknown["value"]) == (len(predicted), _of(found, "final").loc["auroc", "value"])
