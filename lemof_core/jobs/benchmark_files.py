"""Measured cells in, the files of a table out: results, differences and costs as CSV, their source, and Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import lemof_core
from cohort_db.store import Store
from cohort_db.truth import practical_limit, true_probabilities
from lemof_core.benchmark.cells import CELL_FIELDS, Cell
from lemof_core.benchmark.measure import Outcome
from lemof_core.benchmark.tables import cost_rows, difference_rows, result_rows
from lemof_core.evaluation.metrics import bootstrap_weights
from lemof_core.fitting.workers import run_all
from lemof_core.jobs.benchmark_markdown import markdown
from lemof_core.jobs.bridge import Cohort, describe_data
from lemof_core.jobs.progress import Report

MANY = 200_000  # test rows over all cells from which on intervals are worth a process each
DIFFERENCE = [*CELL_FIELDS, "stratum", "against", "metric", "n", "value", "lo", "hi"]


@dataclass(frozen=True)
class Part:
    """What was measured on one cohort, and what its numbers need of it: no arrays, so that many parts fit in memory.

    y, subjects (n_test,); strata: name -> members (n_test,) bool; data: see `describe_data`.
    """

    outcomes: Mapping[Cell, Outcome]
    y: np.ndarray
    subjects: np.ndarray
    strata: Mapping[str, np.ndarray]
    data: Mapping[str, Any]
    p_x: float | None
    limit: float | None

    @classmethod
    def of(
        cls, store: Store, cohort: Cohort, outcomes: Mapping[Cell, Outcome], strata: Mapping[str, np.ndarray]
    ) -> Part:
        """Return the part of a store's cohort."""
        data, test = describe_data(store, cohort, "los"), cohort.splits["test"]
        y = cohort.arrays.labels[test].astype(float)
        truth = cohort.frame.iloc[test].merge(true_probabilities(store), on="stay_id", how="left")["p_x"]
        return cls(
            outcomes=outcomes,
            y=y,
            subjects=cohort.arrays.subject_ids[test],
            strata=strata,
            data=data,
            p_x=None if truth.isna().any() else round(float(roc_auc_score(y, truth)), 4),
            limit=practical_limit(store) if data["synthetic"] else None,
        )


def write_table(parts: Sequence[Part], command: str, target: Path, progress: Report) -> int:
    """Write the files of a table, measured on one cohort or several; return the rows of results."""
    tasks = [partial(_intervals, part, some) for part in parts for some in _pairs_of(part)]
    total = sum(len(part.outcomes) for part in parts)
    done = 0

    def one_more(what: str, _done: int, _total: int) -> None:
        nonlocal done
        done += 1
        progress(what, done, total)

    found = run_all(tasks, parallel=total * max(len(part.y) for part in parts) >= MANY, progress=one_more)
    rows = [row for results, _ in found for row in results]
    differences = [row for _, rows_of in found for row in rows_of]
    results, against = _frame(rows), _frame(differences, DIFFERENCE)
    costs = (
        pd.concat([cost_rows(part.outcomes) for part in parts])
        .groupby(list(CELL_FIELDS), sort=False)
        .mean()
        .reset_index()
    )
    about = _about(parts, command)
    files = {
        "results.csv": results.to_csv(index=False, float_format="%.5f"),
        "differences.csv": against.to_csv(index=False, float_format="%.5f"),
        "cells.csv": costs.to_csv(index=False),
        "about.json": json.dumps(about, indent=1, allow_nan=False) + "\n",
        "results.md": markdown(results, against, costs, about),
    }
    _replace(target, files)
    return len(rows)


def _replace(target: Path, files: Mapping[str, str]) -> None:
    """Write the files beside those that are there, and put them in their place once all of them are written."""
    target.mkdir(parents=True, exist_ok=True)
    drafts = {target / name: target / f"{name}.draft" for name in files}
    for draft, text in zip(drafts.values(), files.values(), strict=True):
        draft.write_text(text, encoding="utf-8")
    for file, draft in drafts.items():
        draft.replace(file)


def _pairs_of(part: Part) -> list[list[Cell]]:
    """Return the cells by what they are compared within: a pair of encoders, a fitting, a seed."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in part.outcomes:
        groups.setdefault((cell.ecg_encoder, cell.ehr_encoder, cell.fitting, str(cell.seed)), []).append(cell)
    return list(groups.values())


def _intervals(
    part: Part, cells: Sequence[Cell], progress: Report
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the rows of results and of differences of some cells; another process can be asked."""
    outcomes = {cell: part.outcomes[cell] for cell in cells}
    rows: dict[Cell, list[dict[str, object]]] = {cell: [] for cell in cells}
    differences: list[dict[str, object]] = []
    for at, (name, members) in enumerate(part.strata.items()):
        shared = (part.y, part.subjects, {name: members}, {name: bootstrap_weights(part.subjects[members])})
        for cell, outcome in outcomes.items():
            rows[cell] += result_rows(cell, outcome, *shared)
            if at == 0:
                progress("intervals", 1, 1)
        differences += difference_rows(outcomes, *shared)
    return [row for found in rows.values() for row in found], differences


def _frame(rows: Sequence[Mapping[str, object]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)


def _about(parts: Sequence[Part], command: str) -> dict[str, Any]:
    """Return where the numbers come from; what differs between cohorts is the first one's, and a note says so."""
    first = parts[0]
    notes = [
        f"Still in the ICU {part.data['cut_hours']:g} h after admission, predicted {part.data['t0_hours']:g} h after "
        "it, from the 24 h before that."
        for part in parts
    ]
    if len(parts) > 1:
        notes.append("The counts by split are those of the first cohort; every row has its own n.")
    notes += [
        "All fusions start from the same Stage 1 (folds, encoders, level heads), which seconds leave out.",
        "Rivals read the encoder's read-outs and the raw record beside the levels, and learn from the same teacher, as "
        "LeMoF robust does. boosted_measured is that teacher, and its growing is in no model's seconds. “untaught”: "
        "the network learns the labels itself.",
        "The interval of one seed comes from the test patients alone, that of a mean over seeds from patients and "
        "fits; the noise of a tuned cut, and of who was learnt from, is in neither.",
    ]
    synthetic = all(part.data["synthetic"] for part in parts)
    return {
        "command": command,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": lemof_core.__version__,
        "synthetic": synthetic,
        "surrogate_ecg": any(part.data["surrogate_ecg"] for part in parts),
        "datasets": sorted({name for part in parts for name in part.data["datasets"]}),
        "rules": first.data["rules"],
        "n_by_split": first.data["n_by_split"],
        "p_x_auroc": {"value": first.p_x, "lo": None, "hi": None} if len(parts) == 1 and first.p_x else None,
        "practical_limit_auroc": first.limit if len(parts) == 1 else None,
        "not_estimable": _not_estimable(parts),
        "notes": notes,
    }


def _not_estimable(parts: Sequence[Part]) -> list[str]:
    """Return a sentence for whatever could not be fitted: what, why, and of which fusions."""
    of_what: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        for cell, outcome in part.outcomes.items():
            for what, why in outcome.not_estimable.items():
                of_what.setdefault((what, why), set()).add(cell.fusion)
    return [
        f"{what}: {why}" + ("" if fusions == {what} else f" ({', '.join(sorted(fusions))})")
        for (what, why), fusions in of_what.items()
    ]
