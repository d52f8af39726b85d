"""Reading results: predictions beside their samples, explanations in the order shown, the newest run first."""

from __future__ import annotations

from datetime import datetime

import pytest
from store_support import MakeStore, add_cohort, add_scored_run, make_store, run_row

from cohort_db import read_results
from cohort_db.errors import InputMistake
from cohort_db.results import add_run
from cohort_db.schema import task as task_table
from cohort_db.store import Store

__all__ = ["make_store"]


@pytest.fixture
def filled(make_store: MakeStore) -> Store:
    store = make_store()
    add_cohort(store, 4)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    return store


def test_predictions_are_joined_with_their_samples(filled: Store) -> None:
    frame = read_results.predictions(filled, "run-a")
    assert frame["sample_id"].tolist() == ["los-1", "los-2", "los-3"]
    assert frame["logit"].tolist() == [1.0, 2.0, 3.0]
    assert frame[["label", "subject_id", "stay_id"]].values.tolist() == [[0, 1, 1], [1, 2, 2], [1, 3, 3]]
    assert frame["outcome_hours"].tolist() == [40.0, 80.0, 120.0]
    assert frame["died_before_cut"].tolist() == [False] * 3
    assert read_results.predictions(filled, "run-a", "test")["sample_id"].tolist() == ["los-2"]
    one = read_results.prediction(filled, "run-a", "los-2")
    assert one is not None
    assert list(one) == frame.columns.tolist()
    assert (one["logit"], one["label"], one["split"], one["p_lo"]) == (2.0, 1, "test", None)


def test_explanations_come_in_the_order_they_are_shown(filled: Store) -> None:
    branches = read_results.branch_values(filled, "run-a", "los-1")
    assert branches["port"].tolist() == ["ecg_1", "ecg_2", "ehr_1", "cross"]
    assert read_results.level_scores(filled, "run-a", "los-1")["level"].tolist() == [1, 2]
    assert len(read_results.level_scores(filled, "run-a")) == 6
    effect = {"sample_id": "los-1", "v_none": 0.0, "v_ecg": 0.1, "v_ehr": 0.2, "v_both": 0.3, "n_background": 8}
    effect |= {"se_ecg": 0.01, "se_ehr": 0.02, "se_joint": 0.03}
    assert read_results.input_effect(filled, "run-a", "los-1") == effect


def test_ports_are_laid_out_by_sample(filled: Store) -> None:
    wide = read_results.ports(filled, "run-a")
    assert wide.columns.tolist() == ["ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3", "cross"]
    assert wide.index.tolist() == ["los-1", "los-2", "los-3"]
    assert wide.notna().all(axis=0).tolist() == [True, True, False, True, False, False, True]


def test_the_revision_changes_when_a_run_is_added(filled: Store) -> None:
    before = read_results.revision(filled)
    assert read_results.revision(filled) == before
    add_scored_run(filled, "run-b", datetime(2026, 11, 21))
    assert read_results.revision(filled) != before


def test_the_newest_run_comes_first(filled: Store, make_store: MakeStore) -> None:
    add_scored_run(filled, "run-0", datetime(2026, 11, 22))
    add_scored_run(filled, "run-z", datetime(2026, 11, 21))
    add_run(
        filled,
        run_row("run-d", task="death", created_at=datetime(2027, 1, 1)),
        calibrations=[],
        level_choices=[],
        stage_weights=[],
    )
    assert read_results.runs(filled)["run_id"].tolist() == ["run-d", "run-0", "run-z", "run-a"]
    assert read_results.runs(filled, "los")["run_id"].tolist() == ["run-0", "run-z", "run-a"]
    assert read_results.runs(filled)["config"].iloc[0] == run_row()["config"]
    assert read_results.newest_run(filled) == "run-0"
    assert read_results.newest_run(filled, "death") == "run-d"
    empty = make_store()
    with pytest.raises(InputMistake, match="no cohort of task 'los': run `lemof ingest` first"):
        read_results.newest_run(empty)
    with empty.writing() as conn:
        conn.execute(task_table.insert().values(task="los", t0_hours=24.0, cut_hours=72.0, rules={}))
    with pytest.raises(InputMistake, match="no run of task 'los': run `lemof train` first"):
        read_results.newest_run(empty)
