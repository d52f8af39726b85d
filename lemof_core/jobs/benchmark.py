"""`lemof benchmark`: the paper's tables measured on the store's cohort, cell by cell; what is there is not redone.

Outcomes of cells lie in `benchmark/cells` beside the store and are shared by all tables; each table is a folder of
small files, which the page `/methods` shows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy import make_url

from cohort_db import read
from cohort_db.errors import InputMistake
from cohort_db.store import Store, open_store
from cohort_db.store_url import folder_of
from lemof_core.benchmark.cell_files import CellFiles
from lemof_core.benchmark.cells import ENCODERS, VARIANTS, Cell, table_cells, table_commands, whole_cells
from lemof_core.benchmark.measure import Outcome, measure_groups
from lemof_core.fitting.stage_one import Setting
from lemof_core.fitting.workers import N_THREADS, n_processes, run_all
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
    cohort, files, n_measured = measured(store, cells, progress)
    if out is None:  # the table's own folder holds whatever was ever measured for it, not this command's cells alone
        cells = [*{*cells, *whole_cells(table, files.known())}]
    strata = ecg_strata(cohort) | (_diseases(store, cohort) if table in BY_DISEASE else {})
    part = Part.of(store, cohort, {cell: loaded(files, cell) for cell in sorted(cells, key=_shown)}, strata)
    target = out or store.folder / "benchmark" / table
    n_results = write_table([part], " && ".join(table_commands(table, cells)), target, progress)
    return {"table": table, "cells": len(cells), "measured": n_measured, "results": n_results, "out": str(target)}


def _grouped(cell: Cell) -> tuple[Cell, Cell]:
    """Return what brings cells of one Stage 1 together."""
    return cell.stage(), cell


def _shown(cell: Cell) -> tuple[Any, ...]:
    """Return what orders the rows of a table: the variants of a fusion stand in the order of the ladder's steps."""
    step = [*VARIANTS, ""].index(cell.variant)
    return cell.ecg_encoder, cell.ehr_encoder, cell.fitting, cell.seed, cell.fusion, step, cell.arm


def refuse_unknown(pairs: Sequence[tuple[str, str]] | None) -> None:
    """Raise InputMistake for an encoder that is not known."""
    for pair in pairs or ():
        for modality, name in zip(("ecg", "ehr"), pair, strict=True):
            if name not in ENCODERS[modality]:
                known = ", ".join(ENCODERS[modality])
                raise InputMistake(f"unknown {modality.upper()} encoder {name!r}; known: {known}")


def measured(store: Store, cells: Sequence[Cell], progress: Report) -> tuple[Cohort, CellFiles, int]:
    """Return the store's cohort, the files of its cells, and how many of these cells were not measured before.

    Raises InputMistake where test lacks a class.
    """
    torch.set_num_threads(N_THREADS)
    cohort = load_cohort(store, "los")
    _refuse_one_class(cohort)
    files = CellFiles(store.folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    kept_in = store.folder / "levels"
    missing = sorted((cell for cell in cells if files.load(cell) is None), key=_grouped)
    _train_levels(cohort, missing, kept_in, progress)
    groups = [list(group) for _, group in groupby(missing, key=Cell.stage)]
    if len(groups) > 1 and n_processes() > 1:
        tasks = [partial(_measure_apart, store.url, some) for some in _shares(groups, n_processes())]
        run_all(tasks, parallel=True, progress=progress)
    else:
        measure_groups(cohort.arrays, cohort.splits, groups, kept_in, files.keep, progress)
    return cohort, files, len(missing)


def ecg_strata(cohort: Cohort) -> dict[str, np.ndarray]:
    """Return all test samples, those with an ECG, where fusions differ, and those without, where few do."""
    present = cohort.arrays.ecg_present[cohort.splits["test"]]
    return {"all": np.ones(len(present), dtype=bool), "with ECG": present, "without ECG": ~present}


def _diseases(store: Store, cohort: Cohort) -> dict[str, np.ndarray]:
    names = np.array(cohort.arrays.sample_ids, dtype=object)[cohort.splits["test"]]
    groups = read.disease_groups(store).groupby("disease_group")["sample_id"]
    return {str(name): np.isin(names, members.to_numpy()) for name, members in groups}


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


@lru_cache(maxsize=1)
def _cohort(url: str) -> Cohort:
    """Return the store's cohort, read once by a worker process."""
    with closing(open_store(url)) as store:
        return load_cohort(store, "los")


def _shares(groups: Sequence[list[Cell]], n: int) -> list[list[list[Cell]]]:
    """Return the groups in shares for n processes: those of one ECG encoder together where there are enough of them."""
    by_ecg = groupby(groups, key=lambda group: (group[0].ecg_encoder, group[0].fitting, group[0].seed))
    shares = [list(some) for _, some in by_ecg]
    while len(shares) < n and len(largest := max(shares, key=len)) > 1:
        shares.remove(largest)
        shares += [largest[: len(largest) // 2], largest[len(largest) // 2 :]]
    return shares


def _measure_apart(url: str, groups: Sequence[Sequence[Cell]], progress: Any) -> int:
    """Measure some groups in a process of its own, which starts no others."""
    os.environ["LEMOF_WORKERS"] = "1"
    cohort, folder = _cohort(url), folder_of(make_url(url))
    files = CellFiles(folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    return measure_groups(cohort.arrays, cohort.splits, groups, folder / "levels", files.keep, progress)


def loaded(files: CellFiles, cell: Cell) -> Outcome:
    """Return the outcome of a cell that was measured."""
    found = files.load(cell)
    if found is None:
        raise ValueError(f"{cell} was measured, but its file is not there")
    return found
