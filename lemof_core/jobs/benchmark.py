"""`lemof benchmark`: the paper's tables measured on the store's cohort, cell by cell; what is there is not redone.

Outcomes of cells lie in `benchmark/cells` beside the store and are shared by all tables; each table is a folder of
small files, which the page `/methods` shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import lemof_core
from cohort_db import read
from cohort_db.errors import InputMistake
from cohort_db.store import Store, open_store
from cohort_db.truth import practical_limit, true_probabilities
from lemof_core.benchmark.cell_files import CellFiles
from lemof_core.benchmark.cells import ENCODERS, Cell, table_cells
from lemof_core.benchmark.measure import Outcome, measure_group
from lemof_core.benchmark.tables import cost_rows, difference_rows, result_rows
from lemof_core.fitting.stage_one import Setting
from lemof_core.fitting.workers import n_processes, run_all
from lemof_core.jobs.bridge import Cohort, describe_data, load_cohort
from lemof_core.jobs.progress import Report, quiet

TABLES = ("table1", "table2", "table3", "ablation", "leak")
BY_DISEASE = ("table2", "table3")
_CELL = [field.name for field in fields(Cell)]
DIFFERENCE_COLUMNS = [*_CELL, "stratum", "against", "metric", "n", "value", "lo", "hi"]


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
        raise InputMistake(f"unknown table {table!r}; known: {', '.join(TABLES)}")
    for pair in pairs or ():
        for modality, name in zip(("ecg", "ehr"), pair, strict=True):
            if name not in ENCODERS[modality]:
                known = ", ".join(ENCODERS[modality])
                raise InputMistake(f"unknown {modality.upper()} encoder {name!r}; known: {known}")
    cohort = load_cohort(store, "los")
    _refuse_one_class(cohort)
    cells = table_cells(table, arms=arms, fitting=fitting, seeds=seeds, pairs=pairs)
    files = CellFiles(store.folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    missing = [cell for cell in cells if files.load(cell) is None]
    _train_levels(cohort, missing, store.folder / "levels", progress)
    groups = [list(group) for _, group in groupby(missing, key=Cell.stage)]
    tasks = [partial(_measure, store.url, files.folder, group) for group in groups]
    run_all(tasks, parallel=len(groups) > 1, progress=progress)
    outcomes = {cell: _loaded(files, cell) for cell in cells}
    target = out or store.folder / "benchmark" / table
    command = f"lemof benchmark {table} --fitting {fitting}" + "".join(f" --arm {arm}" for arm in arms)
    command += "".join(f" --seed {seed}" for seed in seeds)
    command += "".join(f" --pair {ecg}+{ehr}" for ecg, ehr in pairs or ())
    n_results = _write(store, cohort, outcomes, table, command, target, progress)
    return {"table": table, "cells": len(cells), "measured": len(missing), "results": n_results, "out": str(target)}


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


def _write(
    store: Store,
    cohort: Cohort,
    outcomes: Mapping[Cell, Outcome],
    table: str,
    command: str,
    target: Path,
    progress: Report,
) -> int:
    """Write the four files of a table; return the rows of results."""
    test = cohort.splits["test"]
    y, subjects = cohort.arrays.labels[test].astype(float), cohort.arrays.subject_ids[test]
    names = np.array(cohort.arrays.sample_ids, dtype=object)[test]
    strata = {"all": np.ones(len(test), dtype=bool)}
    if table in BY_DISEASE:
        groups = read.disease_groups(store).groupby("disease_group")["sample_id"]
        strata |= {str(name): np.isin(names, members.to_numpy()) for name, members in groups}
    rows = []
    for done, (cell, outcome) in enumerate(outcomes.items()):
        rows += result_rows(cell, outcome, y, subjects, strata)
        progress("intervals", done + 1, len(outcomes))
    target.mkdir(parents=True, exist_ok=True)
    differences = list(difference_rows(outcomes, y, subjects, strata))
    pd.DataFrame(rows).to_csv(target / "results.csv", index=False, float_format="%.5f")
    pd.DataFrame(differences, columns=DIFFERENCE_COLUMNS).to_csv(
        target / "differences.csv", index=False, float_format="%.5f"
    )
    cost_rows(outcomes).to_csv(target / "cells.csv", index=False)
    about = _about(store, cohort, command)
    (target / "about.json").write_text(json.dumps(about, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (target / "results.md").write_text(_markdown(pd.DataFrame(rows), about), encoding="utf-8")
    return len(rows)


def _about(store: Store, cohort: Cohort, command: str) -> dict[str, Any]:
    data = describe_data(store, cohort, "los")
    test = cohort.splits["test"]
    frame = cohort.frame.iloc[test].merge(true_probabilities(store), on="stay_id", how="inner")
    p_x = None
    if len(frame) == len(test):
        y = cohort.arrays.labels[test]
        p_x = {"value": round(float(roc_auc_score(y, frame["p_x"])), 4), "lo": None, "hi": None}
    return {
        "command": command,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": lemof_core.__version__,
        "synthetic": data["synthetic"],
        "n_by_split": data["n_by_split"],
        "p_x_auroc": p_x,
        "practical_limit_auroc": practical_limit(store) if data["synthetic"] else None,
        "notes": [
            f"Still in the ICU {data['cut_hours']:g} h after admission, predicted {data['t0_hours']:g} h after it.",
            "All fusions start from the same Stage 1 (folds, encoders, level heads), which seconds leave out.",
            "Rivals read the measured quantities and the raw record beside the levels, as LeMoF robust does.",
        ],
    }


def _markdown(results: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Return the table as Markdown: AUROC and tuned ACC of all test samples, every cell a row."""
    some = results[results["metric"].isin(["auroc", "acc_tuned"]) & (results["stratum"] == "all")]
    lines = [
        f"`{about['command']}`, n = {about['n_by_split']['test']['n']}",
        "",
        "| ECG | EHR | fusion | arm | seed | AUROC | ACC, tuned |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, rows in some.groupby(_CELL, sort=False):
        ecg, ehr, fusion, variant, arm, _, seed = key
        by_metric = rows.set_index("metric")
        shown = [_shown(by_metric.loc[name]) for name in ("auroc", "acc_tuned")]
        lines.append(f"| {ecg} | {ehr} | {fusion} {variant} | {arm} | {seed} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _shown(row: Any) -> str:
    if pd.isna(row["value"]):
        return f"not estimable, n = {row['n']}"
    return f"{row['value']:.3f} [{row['lo']:.3f}-{row['hi']:.3f}]"
