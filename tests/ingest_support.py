"""Hand-made folders ingested: fixtures, rows as tests ask for them, and a stored prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mimic_support import small_mimic, write_ecgs, write_tables
from sqlalchemy import func, select
from store_support import run_row

from cohort_db.schema import METADATA, prediction, run, sample
from cohort_db.store import Store, insert_new


def rows_of(store: Store, query: Any) -> list[Any]:
    """All rows of a query."""
    with store.reading() as conn:
        return list(conn.execute(query))


def n_rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    with store.reading() as conn:
        return {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


def samples_of(store: Store) -> dict[int, tuple[int | None, int]]:
    """stay_id -> (linked ECG, label)."""
    found = rows_of(store, select(sample.c.stay_id, sample.c.study_id, sample.c.label))
    return {row.stay_id: (row.study_id, row.label) for row in found}


@pytest.fixture
def ehr(tmp_path: Path) -> Path:
    return write_tables(tmp_path / "ehr", small_mimic())


@pytest.fixture
def ecg(tmp_path: Path) -> Path:
    return write_ecgs(tmp_path / "ecg")


def prepared(ids: list[int], problems: list[str | None]) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """What `record_prepared_ecgs` is given: each signal is its study_id all over; those with a problem have none."""
    with_signal = [study for study, problem in zip(ids, problems, strict=True) if problem is None]
    quality = [None if problem else {"I": ["flat"]} for problem in problems]
    rows = pd.DataFrame({"study_id": ids, "quality": quality, "usable": [True] * len(ids), "problem": problems})
    measured = pd.DataFrame(
        {"study_id": with_signal, "name": "heart_rate_bpm", "value": [60.0 + s for s in with_signal]}
    )
    return rows, measured, np.stack([np.full((12, 1000), study, np.int16) for study in with_signal])


def score(store: Store, sample_id: str = "los-1001") -> None:
    """A run of task los is stored, with a prediction of the sample."""
    with store.writing() as conn:
        insert_new(conn, run, [run_row()])
        known = {"run_id": "run-a", "sample_id": sample_id, "split": "train", "path": "both"}
        insert_new(conn, prediction, [known | {"logit": 0.0, "p": 0.5, "logit_raw": 0.0}])
