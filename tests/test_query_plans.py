"""Reads go by index and in few statements, however many patients there are: held by SQLite's own query plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import event
from store_support import MakeStore, add_cohort, add_scored_run, make_sqlite

from cohort_db import facets, read, read_analysis, read_results
from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from cohort_db.store import Store

__all__ = ["make_sqlite"]


@contextmanager
def _statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The SELECT statements sent to the store, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    yield sent
    event.remove(store.engine, "before_cursor_execute", note)


def _plan(store: Store, ask: Callable[[], object]) -> list[str]:
    """What SQLite does for each step of the statements that `ask` sends."""
    with _statements(store) as sent:
        ask()
    with store.reading() as conn:
        return [
            row[3]
            for statement, parameters in sent
            for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def test_reads_of_one_thing_never_scan_a_table(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    add_cohort(store, 40)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    plans = {
        "measurements": _plan(store, lambda: read.measurements(store, [1, 2], before_s=86_400)),
        "stay": _plan(store, lambda: read.stay(store, 1)),
        "stay_in_task": _plan(store, lambda: read.stay_in_task(store, 1)),
        "intervals": _plan(store, lambda: read.intervals(store, 1)),
        "diagnoses": _plan(store, lambda: read.diagnoses(store, 101)),
        "ecgs": _plan(store, lambda: read.ecgs(store, 1)),
        "ecg_record": _plan(store, lambda: read.ecg_record(store, 1001)),
        "ecg_measurements": _plan(store, lambda: read.ecg_measurements(store, [1001])),
        "predictions": _plan(store, lambda: read_results.predictions(store, "run-a")),
        "prediction": _plan(store, lambda: read_results.prediction(store, "run-a", "los-1")),
        "level_scores": _plan(store, lambda: read_results.level_scores(store, "run-a", "los-1")),
        "branch_values": _plan(store, lambda: read_results.branch_values(store, "run-a", "los-1")),
        "input_effect": _plan(store, lambda: read_results.input_effect(store, "run-a", "los-1")),
        "metrics": _plan(store, lambda: read_results.metrics(store, "run-a", "test")),
        "n_predictions": _plan(store, lambda: read_results.n_predictions(store, "run-a")),
        "newest_run": _plan(store, lambda: read_results.newest_run(store)),
        "ports": _plan(store, lambda: read_results.ports(store, "run-a", "test")),
        "analysed": _plan(store, lambda: read_analysis.analysed(store, "run-a", "test")),
    }
    scans = {name: [step for step in plan if step.startswith("SCAN")] for name, plan in plans.items()}
    groups = "SCAN diagnosis USING COVERING INDEX ix_diagnosis_disease_group"
    assert scans.pop("analysed") in ([], [groups])  # which there are
    assert not [step for name in ("ports", "analysed") for step in plans[name] if "TEMP B-TREE" in step]
    assert scans.pop("measurements") == ["SCAN variable"]  # some forty rows, to name them
    assert not any(scans.values()), scans
    assert "COVERING INDEX" in str(plans["n_predictions"])
    assert "SEARCH measurement USING PRIMARY KEY (stay_id=? AND variable_id" not in str(plans["measurements"])
    assert "SEARCH measurement USING PRIMARY KEY (stay_id=?" in str(plans["measurements"])
    assert "SEARCH prediction USING INDEX sqlite_autoindex_prediction_1 (run_id=?)" in plans["predictions"]
    assert (
        "SEARCH prediction USING INDEX sqlite_autoindex_prediction_1 (run_id=? AND sample_id=?)" in plans["prediction"]
    )


def test_the_number_of_statements_does_not_grow_with_the_cohort(make_sqlite: MakeStore) -> None:
    counted = []
    for n_stays in (3, 60):
        store = make_sqlite()
        add_cohort(store, n_stays)
        with _statements(store) as sent:
            read.samples(store)
            read.stays(store)
            read.disease_groups(store)
            read.measurements(store, range(1, n_stays + 1))
        counted.append(len(sent))
    assert counted == [5, 5]


def test_the_cohort_page_reads_the_stays_once_and_before_a_filter_none(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    add_cohort(store, 40)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    facets.make_current(store)
    browser = Browser(store, "run-a")
    inside, women = Filters(where=("in",)), Filters(where=("in",), sex=("F",))
    counted_before = [
        *_plan(store, lambda: browser.count(inside)),
        *_plan(store, lambda: browser.counts(inside, "unit")),
        *_plan(store, lambda: browser.ages(inside)),
    ]
    assert len(counted_before) >= 3
    assert not any("stay_facet" in step or "prediction" in step for step in counted_before), counted_before
    stays, of_run = (step for step in _plan(store, lambda: browser.count(women)) if "facet_count" not in step)
    # Neither the wide tables nor the wide rows of predictions, and in the order in which the rows lie.
    assert stays == "SEARCH stay_facet USING PRIMARY KEY (task=?)"
    assert of_run.startswith("SEARCH prediction USING COVERING INDEX ix_prediction_browse (run_id=? AND stay_id=?")
    asked = [lambda facet=facet: browser.counts(women, facet) for facet in ("unit", "disease", "split", "where")]
    asked += [lambda: browser.ages(women), lambda: browser.stay_ids(women, "p_high")]
    asked += [lambda of=of: browser.histogram(women, of) for of in ("p", "error")]
    for ask in asked:
        assert _plan(store, ask) == [], "read before"
    page = _plan(store, lambda: browser.page(women, "p_high", limit=50))
    assert page[0] == "SEARCH stay_facet USING PRIMARY KEY (task=? AND stay_id=?)", (
        "of the rows shown, by their numbers"
    )
    assert not any(step.startswith("SCAN") for step in page)
    jump = _plan(store, lambda: browser.of_id(7))
    assert all("stay_id=?" in step or "subject_id=?" in step for step in jump) and len(jump) == 2
