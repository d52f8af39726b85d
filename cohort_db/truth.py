"""What the generator knows of synthetic patients, read off the folders they came from, where those still lie."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from cohort_db import read
from cohort_db.store import Store

_COLUMNS = ["stay_id", "p_x"]


def true_probabilities(store: Store) -> pd.DataFrame:
    """stay_id and p_x (the probability given all that a model may see) of the synthetic stays; no row without truth."""
    tables = [pd.read_csv(file) for file in _files(store, "truth.csv")]
    found = [table[_COLUMNS] for table in tables if set(_COLUMNS) <= set(table)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=_COLUMNS)


def practical_limit(store: Store) -> float | None:
    """AUROC of boosting on the true ECG parameters and the record; None unless one synthetic dataset tells it."""
    told = [
        json.loads(file.read_text(encoding="utf-8")).get("practical_limit") for file in _files(store, "summary.json")
    ]
    if len(told) != 1 or len(read.datasets(store)) != 1 or not told[0]:
        return None
    return float(told[0]["gradient_boosting"]["auroc"])


def _files(store: Store, name: str) -> list[Path]:
    datasets = read.datasets(store)
    files = [Path(folder) / name for folder in datasets.loc[datasets["synthetic"], "ehr_folder"]]
    return [file for file in files if file.is_file()]
