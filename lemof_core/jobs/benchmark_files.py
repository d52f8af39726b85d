"""Measured cells in, the files of a table out: results, differences and costs as CSV, their source, and Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import lemof_core
from cohort_db.store import Store
from cohort_db.truth import practical_limit, true_probabilities
from lemof_core.benchmark.cells import Cell
from lemof_core.benchmark.measure import Outcome
from lemof_core.benchmark.tables import cost_rows, difference_rows, result_rows
from lemof_core.jobs.bridge import Cohort, describe_data
from lemof_core.jobs.progress import Report

_CELL = [field.name for field in fields(Cell)]
_IN_WORDS = {"auroc": "AUROC", "acc_50": "ACC at 0.5", "acc_tuned": "ACC, tuned"}  # what results.md shows
_DIFFERENCE = [*_CELL, "stratum", "against", "metric", "n", "value", "lo", "hi"]


@dataclass(frozen=True)
class Part:
    """What was measured on one cohort; strata: name -> members (n_test,) bool of its test samples."""

    store: Store
    cohort: Cohort
    outcomes: Mapping[Cell, Outcome]
    strata: Mapping[str, np.ndarray]


def write_table(parts: Sequence[Part], command: str, target: Path, progress: Report) -> int:
    """Write the files of a table, measured on one cohort or several; return the rows of results."""
    rows: list[dict[str, object]] = []
    differences: list[dict[str, object]] = []
    done, total = 0, sum(len(part.outcomes) for part in parts)
    for part in parts:
        arrays, test = part.cohort.arrays, part.cohort.splits["test"]
        y, subjects = arrays.labels[test].astype(float), arrays.subject_ids[test]
        for cell, outcome in part.outcomes.items():
            rows += result_rows(cell, outcome, y, subjects, part.strata)
            done += 1
            progress("intervals", done, total)
        differences += difference_rows(part.outcomes, y, subjects, part.strata)
    target.mkdir(parents=True, exist_ok=True)
    _frame(rows).to_csv(target / "results.csv", index=False, float_format="%.5f")
    _frame(differences, _DIFFERENCE).to_csv(target / "differences.csv", index=False, float_format="%.5f")
    costs = pd.concat([cost_rows(part.outcomes) for part in parts])
    costs.groupby(_CELL, sort=False).mean().reset_index().to_csv(target / "cells.csv", index=False)
    about = _about(parts, command)
    (target / "about.json").write_text(json.dumps(about, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (target / "results.md").write_text(_markdown(_frame(rows), about), encoding="utf-8")
    return len(rows)


def _frame(rows: Sequence[Mapping[str, object]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)


def _about(parts: Sequence[Part], command: str) -> dict[str, Any]:
    """Return where the numbers come from; what differs between cohorts is the first one's, and a note says so."""
    first = parts[0]
    data = [describe_data(part.store, part.cohort, "los") for part in parts]
    notes = [
        f"Still in the ICU {one['cut_hours']:g} h after admission, predicted {one['t0_hours']:g} h after it."
        for one in data
    ]
    if len(parts) > 1:
        notes.append("The counts by split are those of the first cohort; every row has its own n.")
    notes += [
        "All fusions start from the same Stage 1 (folds, encoders, level heads), which seconds leave out.",
        "Rivals read the measured quantities and the raw record beside the levels, as LeMoF robust does.",
    ]
    synthetic = all(one["synthetic"] for one in data)
    return {
        "command": command,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": lemof_core.__version__,
        "synthetic": synthetic,
        "n_by_split": data[0]["n_by_split"],
        "p_x_auroc": _p_x(first) if len(parts) == 1 else None,
        "practical_limit_auroc": practical_limit(first.store) if synthetic and len(parts) == 1 else None,
        "notes": notes,
    }


def _p_x(part: Part) -> dict[str, float | None] | None:
    """Return the AUROC of the generator's own probabilities on test; None where they are not at hand for everybody."""
    test = part.cohort.splits["test"]
    frame = part.cohort.frame.iloc[test].merge(true_probabilities(part.store), on="stay_id", how="left")
    if frame["p_x"].isna().any():
        return None
    value = roc_auc_score(part.cohort.arrays.labels[test], frame["p_x"])
    return {"value": round(float(value), 4), "lo": None, "hi": None}


def _markdown(results: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Return the table as Markdown: AUROC and ACC at both cuts, a row for every cell and group of patients."""
    some = results[results["metric"].isin(_IN_WORDS)]
    lines = [
        f"`{about['command']}`, n = {about['n_by_split']['test']['n']}",
        "",
        f"| ECG | EHR | fusion | arm | fitting | seed | patients | {' | '.join(_IN_WORDS.values())} |",
        f"|{'---|' * (7 + len(_IN_WORDS))}",
    ]
    for key, rows in some.groupby([*_CELL, "stratum"], sort=False):
        ecg, ehr, fusion, variant, arm, fitting, seed, stratum = key
        by_metric = rows.set_index("metric")
        cells = [ecg, ehr, f"{fusion} {variant}".rstrip(), arm, fitting, str(seed), stratum]
        lines.append(f"| {' | '.join([*cells, *(_shown(by_metric.loc[name]) for name in _IN_WORDS)])} |")
    return "\n".join(lines) + "\n"


def _shown(row: Any) -> str:
    if pd.isna(row["value"]):
        return f"not estimable, n = {row['n']}"
    return f"{row['value']:.3f} [{row['lo']:.3f}-{row['hi']:.3f}]"
