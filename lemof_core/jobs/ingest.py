"""`lemof ingest`: raw folders in, a store with samples and prepared ECGs out. Idempotent, and resumable when killed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cohort_db import ecg_wfdb, facets
from cohort_db.arrays import sweep_orphans
from cohort_db.cohort import CohortRules
from cohort_db.ecg_preparation import pending_ecgs, record_prepared_ecgs
from cohort_db.errors import InputMistake
from cohort_db.ingest import ingest as ingest_rows
from cohort_db.store import Store
from lemof_core.ecg_measure import measure_ecg
from lemof_core.ecg_signal import arrange_leads, prepare_ecg, to_int16_uv
from lemof_core.errors import ModelMistake
from lemof_core.fitting.workers import n_processes
from lemof_core.jobs.progress import Report, quiet

CHUNK = 64  # ECGs of one transaction
MANY = 300  # from here on a second process is worth its start


@dataclass(frozen=True)
class Prepared:
    """One ECG ready to be stored; `problem` says why there is no signal."""

    study_id: int
    ecg_uv: np.ndarray | None
    quality: dict[str, list[str]] | None
    usable: bool
    measured: dict[str, float]
    problem: str | None = None


def ingest(
    store: Store,
    ehr_folder: Path,
    ecg_folder: Path | None = None,
    *,
    rules: CohortRules | None = None,
    seed: int = 0,
    progress: Report = quiet,
) -> dict[str, Any]:
    """Leave the folders' patients in the store and every readable ECG prepared; return counts and attrition."""
    rules = rules or CohortRules()
    report = ingest_rows(store, ehr_folder, ecg_folder, rules=rules, seed=seed, progress=progress)
    out = report.as_dict()
    out["ecgs_prepared"] = prepare_ecgs(store, progress=progress)
    progress("facets", 0, 1)
    facets.make_current(store, rules.task)
    progress("facets", 1, 1)
    sweep_orphans(store)  # of jobs that were cut off between a folder and its row
    return out


def prepare_ecgs(store: Store, *, progress: Report = quiet) -> int:
    """Leave every readable ECG of the store with its 100 Hz copy, quality flags and measurements; return how many."""
    pending = pending_ecgs(store)
    with _mapping(len(pending)) as mapped:
        done = 0
        for dataset_id, group in pending.groupby("dataset_id", sort=False):
            for start in range(0, len(group), CHUNK):
                some = group.iloc[start : start + CHUNK]
                prepared = list(mapped(prepare_one, zip(some["study_id"], some["record"], strict=True)))
                _store_prepared(store, prepared)
                done += len(prepared)
                progress(f"ECGs of dataset {dataset_id}", done, len(pending))
    return len(pending)


def prepare_one(named_record: tuple[int, Path]) -> Prepared:
    """Return the record at the path as the models and the case page need it."""
    study_id, record = named_record
    try:
        signal = ecg_wfdb.read_signal(record)
        ecg = prepare_ecg(signal.signal_mv, fs=signal.fs, sig_name=signal.sig_name)
        arranged = arrange_leads(signal.signal_mv, sig_name=signal.sig_name)
    except (InputMistake, ModelMistake) as mistake:
        return Prepared(study_id, None, None, False, {}, str(mistake))
    measured = measure_ecg(arranged, signal.fs)
    known = {name: float(value) for name, value in measured.items() if np.isfinite(value)}
    quality = {lead: list(flags) for lead, flags in ecg.quality.items()}
    return Prepared(study_id, to_int16_uv(ecg.ecg_mv), quality, ecg.usable, known)


@contextmanager
def _mapping(n: int) -> Iterator[Any]:
    """Give a map function: over two processes where there is much to do, in this one otherwise."""
    if n < MANY or n_processes() < 2:
        yield map
        return
    with ProcessPoolExecutor(n_processes(), mp_context=get_context("spawn")) as pool:
        yield lambda function, items: pool.map(function, list(items), chunksize=8)


def _store_prepared(store: Store, prepared: list[Prepared]) -> None:
    rows = pd.DataFrame(
        {
            "study_id": [one.study_id for one in prepared],
            "quality": [one.quality for one in prepared],
            "usable": [one.usable for one in prepared],
            "problem": pd.Series([one.problem for one in prepared], dtype=object),
        }
    )
    measurements = pd.DataFrame(
        [(one.study_id, name, value) for one in prepared for name, value in one.measured.items()],
        columns=["study_id", "name", "value"],
    )
    signals = [one.ecg_uv for one in prepared if one.ecg_uv is not None]
    arrays = np.stack(signals) if signals else np.empty((0, 12, 1000), dtype=np.int16)
    record_prepared_ecgs(store, rows, measurements, arrays)
