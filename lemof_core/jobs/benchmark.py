"""`lemof benchmark`: the paper's tables measured on the store's cohort, cell by cell; what is there is not redone.

Outcomes of cells lie in `benchmark/cells` beside the store and are shared by all tables; each table is a folder of
small files, which the page `/methods` shows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from cohort_db import read
from cohort_db.errors import InputMistake
from cohort_db.store import Store, open_store
from lemof_core.benchmark.cell_files import CellFiles
from lemof_core.benchmark.cells import ENCODERS, Cell, table_cells
from lemof_core.benchmark.measure import Outcome, measure_group
from lemof_core.fitting.stage_one import Setting
from lemof_core.fitting.workers import n_processes, run_all
from lemof_core.jobs.benchmark_files import Part, write_table
from lemof_core.jobs.bridge import Cohort, load_cohort
from lemof_core.jobs.progress import Report, quiet

TABLES = ("table1", "table2", "table3", "ablation", "leak")
BY_DISEASE = ("table2", "table3")


def benchmark(
    store: Store,
    table: str,
    *,
    arms: Sequence[str] = ("frozen", "finetuned"),
    fitting: str = "oof5",
    seeds: Sequence[int] = (0,),
    pairs: Sequence[tuple[str, str]] | None = None,
    out: Path | None = None,
    progress: Report = quiet,
) -> dict[str, Any]:
    """Measure the table's cells that are not measured yet, and leave its files in `out`.

    Default folder: `benchmark/<table>` beside the store. The store itself is not changed. Raises InputMistake for an
    unknown table or encoder, and where test lacks a class.
    """
    if table not in TABLES:
        raise InputMistake(f"unknown table {table!r}; known: {', '.join((*TABLES, 'sensitivity'))}")
    refuse_unknown(pairs)
    cells = table_cells(table, arms=arms, fitting=fitting, seeds=seeds, pairs=pairs)
    cohort, outcomes, n_measured = measured(store, cells, progress)
    part = Part(store, cohort, outcomes, _strata(store, cohort, by_disease=table in BY_DISEASE))
    command = f"lemof benchmark {table} --fitting {fitting}" + "".join(f" --arm {arm}" for arm in arms)
    command += "".join(f" --seed {seed}" for seed in seeds)
    command += "".join(f" --pair {ecg}+{ehr}" for ecg, ehr in pairs or ())
    target = out or store.folder / "benchmark" / table
    n_results = write_table([part], command, target, progress)
    return {"table": table, "cells": len(cells), "measured": n_measured, "results": n_results, "out": str(target)}


def refuse_unknown(pairs: Sequence[tuple[str, str]] | None) -> None:
    """Raise InputMistake for an encoder that is not known."""
    for pair in pairs or ():
        for modality, name in zip(("ecg", "ehr"), pair, strict=True):
            if name not in ENCODERS[modality]:
                known = ", ".join(ENCODERS[modality])
                raise InputMistake(f"unknown {modality.upper()} encoder {name!r}; known: {known}")


def measured(store: Store, cells: Sequence[Cell], progress: Report) -> tuple[Cohort, dict[Cell, Outcome], int]:
    """Return the store's cohort, what each cell says of its test samples, and how many were not measured before.

    Raises InputMistake where test lacks a class.
    """
    cohort = load_cohort(store, "los")
    _refuse_one_class(cohort)
    files = CellFiles(store.folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    missing = [cell for cell in cells if files.load(cell) is None]
    _train_levels(cohort, missing, store.folder / "levels", progress)
    groups = [list(group) for _, group in groupby(missing, key=Cell.stage)]
    tasks = [partial(_measure, store.url, files.folder, group) for group in groups]
    run_all(tasks, parallel=len(groups) > 1, progress=progress)
    return cohort, {cell: _loaded(files, cell) for cell in cells}, len(missing)


def _strata(store: Store, cohort: Cohort, *, by_disease: bool) -> dict[str, np.ndarray]:
    names = np.array(cohort.arrays.sample_ids, dtype=object)[cohort.splits["test"]]
    strata = {"all": np.ones(len(names), dtype=bool)}
    if by_disease:
        groups = read.disease_groups(store).groupby("disease_group")["sample_id"]
        strata |= {str(name): np.isin(names, members.to_numpy()) for name, members in groups}
    return strata


def _refuse_one_class(cohort: Cohort) -> None:
    test = cohort.splits["test"]
    events = int(cohort.arrays.labels[test].sum())
    if min(events, len(test) - events) < 1:
        raise InputMistake(
            f"a table needs both classes in test, however: n = {len(test)}, events = {events}; ingest more patients"
        )


def _train_levels(cohort: Cohort, cells: Sequence[Cell], kept_in: Path, progress: Report) -> None:
    """Train the level predictors that several groups share, one encoder at a time and its folds over processes."""
    done = set()
    for stage in sorted({cell.stage() for cell in cells}):
        setting = None
        for modality, encoder in (("ecg", stage.ecg_encoder), ("ehr", stage.ehr_encoder)):
            variant = stage.variant if modality == "ecg" else ""  # both presets train the EHR's encoder alike
            key = (modality, encoder, variant, stage.fitting, stage.seed)
            if key not in done:
                setting = setting or Setting.of(cohort.arrays, cohort.splits, _config_of(stage, cells), kept_in)
                setting.train((modality,), progress)
                done.add(key)


def _config_of(stage: Cell, cells: Sequence[Cell]) -> Any:
    return next(cell.config() for cell in cells if cell.stage() == stage)


@cache
def _cohort(url: str) -> Cohort:
    """Return the store's cohort, read once a process."""
    store = open_store(url)
    try:
        return load_cohort(store, "los")
    finally:
        store.close()


def _measure(url: str, folder: Path, cells: Sequence[Cell], progress: Any) -> int:
    """Measure one group; a function of its own, so that another process can be asked."""
    os.environ["LEMOF_WORKERS"] = "1" if n_processes() > 1 else os.environ.get("LEMOF_WORKERS", "1")
    cohort = _cohort(url)
    files = CellFiles(folder, cohort.arrays, cohort.splits)
    kept_in = folder.parent.parent / "levels"
    return measure_group(cohort.arrays, cohort.splits, cells, kept_in, files.keep, progress)


def _loaded(files: CellFiles, cell: Cell) -> Outcome:
    found = files.load(cell)
    if found is None:
        raise ValueError(f"{cell} was measured, but its file is not there")
    return found
