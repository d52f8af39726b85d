"""The text that caches hang on changes with everything the pages show, stays where nothing does, and costs little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mimic_support import small_mimic, write_ecgs, write_tables
from sqlalchemy import event
from store_support import MakeStore, add_cohort, add_scored_run, make_sqlite, make_store, run_row

from cohort_db import read_results
from cohort_db.cohort import CohortRules
from cohort_db.ecg_preparation import pending_ecgs, record_prepared_ecgs
from cohort_db.ingest import ingest
from cohort_db.results import add_run, add_scored, replace_metrics
from cohort_db.store import Store

__all__ = ["make_sqlite", "make_store"]

# None of them has more rows where there are more stays.
SMALL = {"ingest_step", "array_ref", "run", "metric"}


class Seen:
    """The revisions of a store so far; each `check_changed` must be one that was never there before."""

    def __init__(self, store: Store, ask: Callable[[Store], object] = read_results.revision) -> None:
        self.store, self.ask, self.known = store, ask, [ask(store)]

    def check_changed(self, by: str) -> None:
        now = self.ask(self.store)
        assert now not in self.known, by
        assert self.ask(self.store) == now, "asking changes nothing"
        self.known.append(now)

    def check_kept(self, by: str) -> None:
        assert self.ask(self.store) == self.known[-1], by


def _metric(value: float, stratum: str = "all") -> dict[str, Any]:
    row = {"source": "final", "stratum_kind": stratum, "stratum": stratum, "deaths": "with", "name": "auroc"}
    return row | {"value": value, "lo": None, "hi": None, "n": 3, "events": 2, "note": None}


def _score(store: Store, sample_id: str) -> None:
    one = {"sample_id": [sample_id], "split": "test", "path": "both", "logit": 0.1, "p": 0.5, "logit_raw": 0.1}
    nothing = pd.DataFrame()
    add_scored(
        store,
        "run-b",
        predictions=pd.DataFrame(one),
        level_scores=nothing,
        branch_values=nothing,
        input_effects=nothing,
        arrays={},
    )


def test_every_result_that_a_job_stores_changes_it(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 4)
    seen = Seen(store)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    seen.check_changed("a run with predictions")
    older = run_row("run-b", created_at=datetime(2026, 11, 1))
    add_run(store, older, calibrations=[], level_choices=[], stage_weights=[])
    seen.check_changed("a run that is not the newest")
    _score(store, "los-2")
    seen.check_changed("a prediction without explanations")
    _score(store, "los-1")
    seen.check_changed("one more, of a lower id")
    replace_metrics(store, "run-a", "test", pd.DataFrame([_metric(0.7), _metric(0.6, "sex")]))
    seen.check_changed("metrics")
    replace_metrics(store, "run-a", "test", pd.DataFrame([_metric(0.7), _metric(0.61, "sex")]))
    seen.check_changed("as many metrics, one with another value")
    replace_metrics(store, "run-a", "test", pd.DataFrame([_metric(0.7), _metric(0.61, "sex")]))
    seen.check_kept("the same metrics once more")


def test_what_the_list_of_stays_hangs_on_changes_with_its_own_run_alone(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 4)
    cohort = Seen(store, read_results.cohort_revision)
    of_a, of_b = (
        Seen(store, lambda store, run=run: read_results.n_predictions(store, run)) for run in ("run-a", "run-b")
    )
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    of_a.check_changed("its predictions")
    add_run(store, run_row("run-b"), calibrations=[], level_choices=[], stage_weights=[])
    of_b.check_kept("a run without predictions")
    _score(store, "los-2")
    of_b.check_changed("one prediction")
    of_a.check_kept("another run's prediction")
    replace_metrics(store, "run-a", "test", pd.DataFrame([_metric(0.7)]))
    cohort.check_kept("all that runs did")


@pytest.mark.parametrize("ask", [read_results.revision, read_results.cohort_revision])
def test_every_step_of_an_ingest_changes_it(make_store: MakeStore, tmp_path: Path, ask: Callable[[Store], str]) -> None:
    store = make_store()
    ehr, ecg = write_tables(tmp_path / "ehr", small_mimic()), write_ecgs(tmp_path / "ecg")
    seen = Seen(store, ask)
    by_step: list[tuple[str, object]] = []
    ingest(store, ehr, ecg, progress=lambda step, *_: by_step.append((step, ask(store))))
    after = dict(by_step)
    assert len({seen.known[0], after["patients"], after["cohort:los"]}) == 3, "stays come before their samples"
    seen.check_changed("an ingest")
    ingest(store, ehr, ecg)
    seen.check_kept("the same ingest once more")
    ingest(store, ehr, ecg, rules=CohortRules(cut_days=4))
    seen.check_changed("as many samples with another outcome")
    study_ids = pending_ecgs(store)["study_id"].tolist()
    for study_id in study_ids:
        rows = {"study_id": [study_id], "quality": [{}], "usable": [True], "problem": [None]}
        measured = pd.DataFrame({"study_id": [], "name": [], "value": []})
        record_prepared_ecgs(store, pd.DataFrame(rows), measured, np.zeros((1, 12, 1000), np.int16))
        seen.check_changed(f"ECG {study_id} prepared")
    assert len(study_ids) > 1


@pytest.fixture
def steps(make_sqlite: MakeStore) -> Iterator[Callable[[], list[str]]]:
    """A function that gives SQLite's plan for what a revision asks."""
    store = make_sqlite()
    add_cohort(store, 40)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    sent: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    def plan() -> list[str]:
        event.listen(store.engine, "before_cursor_execute", note)
        read_results.revision(store)
        read_results.cohort_revision(store)
        event.remove(store.engine, "before_cursor_execute", note)
        with store.reading() as conn:
            return [
                str(row[3])
                for statement, parameters in sent
                for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]

    yield plan


def test_it_reads_no_table_that_grows_with_the_stays(steps: Callable[[], list[str]]) -> None:
    plan = steps()
    scanned = {step.split()[1] for step in plan if step.startswith("SCAN")}
    assert scanned <= SMALL, plan
    assert any(step.startswith("SEARCH prediction") for step in plan), plan
