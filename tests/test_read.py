"""Reading patients, cohort and results: right columns and dtypes also when empty, by index, in few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from store_support import INTIME, MakeStore, add_cohort, make_sqlite, make_store, run_row

from cohort_db import read, read_results
from cohort_db.errors import InputMistake
from cohort_db.results import add_run, add_scored
from cohort_db.schema import ecg_record, measurement, sample
from cohort_db.store import Store, insert_new

__all__ = ["make_sqlite", "make_store"]


@pytest.fixture
def filled(make_store: MakeStore) -> Store:
    store = make_store()
    add_cohort(store, 4)
    _score(store, "run-a", datetime(2026, 11, 20))
    return store


def _score(store: Store, run_id: str, created_at: datetime) -> None:
    add_run(store, run_row(run_id, created_at=created_at), calibrations=[], level_choices=[], stage_weights=[])
    ids = ["los-3", "los-1", "los-2"]
    splits = ["train", "train", "test"]
    predictions = pd.DataFrame({"sample_id": ids, "split": splits, "path": "both", "logit": [3.0, 1.0, 2.0]})
    ports = [(i, port) for i in ids for port in ("ehr_1", "cross", "ecg_2", "ecg_1")]
    effects = {"v_none": 0.0, "v_ecg": 0.1, "v_ehr": 0.2, "v_both": 0.3, "n_background": 8}
    add_scored(
        store,
        run_id,
        predictions=predictions.assign(p=0.5, logit_raw=0.0),
        level_scores=pd.DataFrame(
            [(i, "ecg", level, 0.0, 0.1, 0.2) for i in ids for level in (2, 1)],
            columns=["sample_id", "modality", "level", "logit", "phi_logit", "phi_prob"],
        ),
        branch_values=pd.DataFrame(ports, columns=["sample_id", "port"]).assign(logit=0.0, phi_logit=0.1, phi_prob=0.2),
        input_effects=pd.DataFrame({"sample_id": ids} | effects),
        arrays={},
    )


# The cohort


def test_samples_are_joined_with_what_they_belong_to(filled: Store) -> None:
    frame = read.samples(filled)
    assert frame["sample_id"].tolist() == ["los-1", "los-2", "los-3"]
    first, second, third = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert first == {
        "sample_id": "los-1",
        "subject_id": 1,
        "hadm_id": 101,
        "stay_id": 1,
        "t0": INTIME + timedelta(hours=24),
        "t0_offset_s": 86_400,
        "label": 0,
        "outcome_hours": 40.0,
        "died_before_cut": False,
        "split": "train",
        "study_id": 1001,
        "ecg_offset_s": -60,
        "ecg_usable": True,
        "ecg_array_row": 1,
        "age_years": 51,
        "sex": "M",
        "first_careunit": "MICU",
        "admission_type": "EW EMER.",
        "admission_location": None,
        "intime": INTIME,
        "los_hours": 40.0,
        "surrogate": False,
        "synthetic": True,
        "dataset_id": 1,
    }
    assert list(first) == frame.columns.tolist()
    without_ecg = ("study_id", "ecg_offset_s", "ecg_usable", "ecg_array_row")
    assert [second[name] for name in without_ecg] == [None] * 4
    assert (second["split"], second["surrogate"], second["label"]) == ("test", False, 1)
    assert (third["surrogate"], third["ecg_usable"]) == (True, False)


def test_stays_outside_the_cohort_are_there_with_their_reason(filled: Store) -> None:
    frame = read.stays(filled)
    assert frame.columns.tolist() == [*read.samples(filled).columns, "rule", "in_cohort"]
    assert frame["stay_id"].tolist() == [1, 2, 3, 4]
    assert frame["in_cohort"].tolist() == [True, True, True, False]
    assert frame["rule"].tolist() == [None, None, None, "adult"]
    last = frame.iloc[3]
    assert (last["sample_id"], last["split"], last["first_careunit"], last["age_years"]) == (None, None, "MICU", 54)
    assert last[["t0", "label", "died_before_cut", "study_id"]].isna().all()
    inside = frame[frame["in_cohort"]].drop(columns=["rule", "in_cohort"])
    pd.testing.assert_frame_equal(inside, read.samples(filled), check_dtype=False)


def test_a_stay_has_one_row_for_each_task_it_is_asked_for(filled: Store) -> None:
    with filled.writing() as conn:
        other = {"sample_id": "death-1", "task": "death", "subject_id": 1, "stay_id": 1, "t0": INTIME, "t0_offset_s": 0}
        insert_new(conn, sample, [other | {"died_before_cut": False}])
    assert read.samples(filled, "death")["sample_id"].tolist() == ["death-1"]
    assert read.samples(filled, "death")["split"].tolist() == [None]
    assert len(read.samples(filled)) == 3
    assert len(read.stays(filled)) == len(read.stays(filled, "death")) == 4
    assert read.stays(filled, "death")["in_cohort"].tolist() == [True, False, False, False]
    assert read.stays(filled, "death")["rule"].isna().all()


def test_a_stay_is_told_in_full(filled: Store) -> None:
    facts = read.stay(filled, np.int64(2))
    expected = {"stay_id": 2, "subject_id": 2, "hadm_id": 102, "sex": "F", "intime": INTIME, "dataset": "made up"}
    assert {name: facts[name] for name in expected} == expected
    assert {"admittime", "race", "dod", "los_hours", "surrogate_ecg", "hospital_expire_flag"} <= set(facts)


def test_what_is_unknown_is_said(filled: Store) -> None:
    for ask, told, kind in (
        (lambda: read.stay(filled, 77), "the store holds no ICU stay 77", read.UnknownStay),
        (lambda: read.ecg_record(filled, 77), "the store holds no ECG 77", read.UnknownEcg),
        (lambda: read_results.run(filled, "run-z"), "the store holds no run run-z", read_results.UnknownRun),
    ):
        with pytest.raises(kind) as caught:
            ask()
        assert str(caught.value) == told
        assert isinstance(caught.value, KeyError)
        assert isinstance(caught.value, InputMistake)
    assert read_results.prediction(filled, "run-a", "los-77") is None
    assert read_results.input_effect(filled, "run-a", "los-77") is None


def test_what_is_not_there_is_empty_with_the_same_columns_and_dtypes(filled: Store, make_store: MakeStore) -> None:
    empty = make_store()
    asks: list[Callable[[Store], pd.DataFrame]] = [
        read.datasets,
        read.variables,
        read.samples,
        read.stays,
        read.disease_groups,
        read.attrition,
        read.exclusions,
        lambda store: read.measurements(store, [1, 2]),
        lambda store: read.intervals(store, 1),
        lambda store: read.diagnoses(store, 101),
        lambda store: read.ecgs(store, 1),
        lambda store: read.ecg_measurements(store, [1001]),
        read_results.runs,
        lambda store: read_results.predictions(store, "run-a"),
        lambda store: read_results.level_scores(store, "run-a"),
        lambda store: read_results.branch_values(store, "run-a", "los-1"),
    ]
    for ask in asks:
        full, nothing = ask(filled), ask(empty)
        assert len(full) > 0
        assert len(nothing) == 0
        pd.testing.assert_series_equal(nothing.dtypes, full.dtypes)


def test_disease_groups_are_told_once_per_sample(filled: Store) -> None:
    expected = [(f"los-{k}", "heart failure") for k in (1, 2, 3)]
    assert list(read.disease_groups(filled).itertuples(index=False, name=None)) == expected


def test_who_was_left_out_is_told_in_order(filled: Store) -> None:
    assert read.attrition(filled)[["step", "rule", "n_after"]].values.tolist() == [[0, "all", 4], [1, "adult", 3]]
    assert read.exclusions(filled).to_dict("records") == [{"stay_id": 4, "rule": "adult"}]
    assert read.exclusions(filled, "death").empty


# A patient's course


def test_measurements_come_by_stay_variable_and_time(filled: Store) -> None:
    frame = read.measurements(filled, [2, 1, 2, 99])
    assert frame.columns.tolist() == ["stay_id", "variable", "offset_s", "value", "itemid", "stored_offset_s"]
    shown = frame[["stay_id", "variable", "offset_s", "value"]].values.tolist()
    assert shown == [
        [stay_id, variable, offset_s, value]
        for stay_id in (1, 2)
        for variable, offset_s, value in (
            ("heart_rate", 0, 60.0 + stay_id),
            ("heart_rate", 90_000, 70.0 + stay_id),
            ("lactate", 3600, 1.5),
        )
    ]
    assert frame["stored_offset_s"].isna().tolist() == [True, True, False] * 2
    assert frame["stored_offset_s"].dropna().tolist() == [86_401, 86_401]


def test_before_a_time_only_what_was_charted_and_stored_before_it_is_read(filled: Store) -> None:
    for before_s, expected in ((0, []), (1, [0]), (86_400, [0]), (86_402, [0, 3600]), (90_001, [0, 3600, 90_000])):
        assert sorted(read.measurements(filled, [1], before_s=before_s)["offset_s"]) == expected


def test_measurements_read_are_those_written(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    add_cohort(store, 3)
    key = st.tuples(st.integers(1, 3), st.sampled_from([1, 7]), st.integers(-(10**6), 10**6), st.integers(1, 3))
    value = st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(-(2**52), 2**52))

    @settings(max_examples=40, deadline=None)
    @given(held=st.dictionaries(key, value, max_size=12))
    def holds(held: dict[tuple[int, int, int, int], tuple[float, int | None]]) -> None:
        names = ("stay_id", "variable_id", "offset_s", "itemid", "value", "stored_offset_s")
        with store.writing() as conn:
            conn.execute(text("DELETE FROM measurement"))
            insert_new(conn, measurement, [dict(zip(names, k + v, strict=True)) for k, v in held.items()])
        frame = read.measurements(store, [1, 2, 3])
        variable = frame["variable"].map({"heart_rate": 1, "lactate": 7})
        stored = [None if pd.isna(at) else at for at in frame["stored_offset_s"]]
        keys = zip(frame["stay_id"], variable, frame["offset_s"], frame["itemid"], strict=True)
        assert dict(zip(keys, zip(frame["value"], stored, strict=True), strict=True)) == held

    holds()


def test_many_stays_are_read_though_a_statement_takes_fewer(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 1203)
    frame = read.measurements(store, range(1, 1300))
    assert len(frame) == 3 * 1203
    assert frame["stay_id"].is_monotonic_increasing
    ecgs = read.ecg_measurements(store, range(1, 3000))
    assert ecgs["study_id"].tolist() == list(range(1001, 2204, 2))


def test_intervals_and_diagnoses_are_those_of_the_stay(filled: Store) -> None:
    frame = read.intervals(filled, 1)
    assert frame[["kind", "start_s", "label"]].values.tolist() == [["drug", 60, "Norepinephrine"]]
    assert frame["end_s"].isna().all()
    assert read.diagnoses(filled, 102)["icd_code"].tolist() == ["I5021", "I5022", "Z00"]
    assert read.diagnoses(filled, 102)["disease_group"].tolist() == ["heart failure", "heart failure", None]


def test_ecgs_of_a_patient_come_by_time_with_their_documents(filled: Store) -> None:
    with filled.writing() as conn:
        late = {"study_id": 5, "subject_id": 1, "dataset_id": 1, "ecg_time": INTIME, "path": "x", "surrogate": False}
        insert_new(conn, ecg_record, [late | {"readable": False, "problem": "the header is missing"}])
    frame = read.ecgs(filled, 1)
    assert frame["study_id"].tolist() == [1001, 5]
    assert frame["sig_name"].tolist() == [["I", "II"], None]
    assert frame["quality"].tolist() == [{"I": ["flat"]}, None]
    assert frame["usable"].isna().tolist() == [False, True]
    assert frame["readable"].tolist() == [True, False]


def test_the_path_of_an_ecg_is_absolute(filled: Store) -> None:
    record = read.ecg_record(filled, 1001)
    assert record["record_path"] == str(Path("/data/ecg/files/p1/s1001/1001").absolute())
    assert (record["fs"], record["sig_len"], record["sig_name"]) == (500.0, 5000, ["I", "II"])
    with filled.writing() as conn:
        conn.execute(text("UPDATE dataset SET ecg_folder = NULL"))
    with pytest.raises(InputMistake, match="ingest it again with its ECG folder"):
        read.ecg_record(filled, 1001)


# Results


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
    assert read_results.input_effect(filled, "run-a", "los-1") == effect


def test_ports_are_laid_out_by_sample(filled: Store) -> None:
    wide = read_results.ports(filled, "run-a")
    assert wide.columns.tolist() == ["ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3", "cross"]
    assert wide.index.tolist() == ["los-1", "los-2", "los-3"]
    assert wide.notna().all(axis=0).tolist() == [True, True, False, True, False, False, True]


def test_the_revision_changes_when_a_run_is_added(filled: Store) -> None:
    before = read_results.revision(filled)
    assert read_results.revision(filled) == before
    _score(filled, "run-b", datetime(2026, 11, 21))
    assert read_results.revision(filled) != before


def test_the_newest_run_comes_first(filled: Store, make_store: MakeStore) -> None:
    _score(filled, "run-0", datetime(2026, 11, 22))
    _score(filled, "run-z", datetime(2026, 11, 21))
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
    with pytest.raises(InputMistake, match="run `lemof train` first"):
        read_results.newest_run(make_store())


# By index, in few statements


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
    _score(store, "run-a", datetime(2026, 11, 20))
    plans = {
        "measurements": _plan(store, lambda: read.measurements(store, [1, 2], before_s=86_400)),
        "stay": _plan(store, lambda: read.stay(store, 1)),
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
        "newest_run": _plan(store, lambda: read_results.newest_run(store)),
    }
    scans = {name: [step for step in plan if step.startswith("SCAN")] for name, plan in plans.items()}
    assert scans.pop("measurements") == ["SCAN variable"]  # some forty rows, to name them
    assert not any(scans.values()), scans
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
