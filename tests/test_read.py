"""Reading patients, cohort and results: right columns and dtypes also when empty, by index, in few statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update
from store_support import INTIME, MakeStore, add_cohort, add_scored_run, make_sqlite, make_store

from cohort_db import read, read_results
from cohort_db.errors import InputMistake
from cohort_db.schema import ecg_record, measurement, sample, variable
from cohort_db.schema import task as task_table
from cohort_db.store import Store, insert_new
from cohort_db.variables import CRITICAL, variable_rows

__all__ = ["make_sqlite", "make_store"]


@pytest.fixture
def filled(make_store: MakeStore) -> Store:
    store = make_store()
    add_cohort(store, 4)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    return store


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


def test_one_stay_is_its_row_among_all_stays(filled: Store) -> None:
    frame = read.stays(filled)
    for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        one = read.stay_in_task(filled, row["stay_id"])
        assert {name: None if value is pd.NaT else value for name, value in row.items()} == one
    with pytest.raises(read.UnknownStay):
        read.stay_in_task(filled, 99)


def test_some_columns_of_all_stays_are_those_columns(filled: Store) -> None:
    some = ["stay_id", "label", "rule", "in_cohort", "ecg_usable", "sex"]
    pd.testing.assert_frame_equal(read.stays(filled, columns=some), read.stays(filled)[some])


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
        (
            lambda: read_results.run(filled, "run-z"),
            "the store holds no run run-z; it holds: run-a",
            read_results.UnknownRun,
        ),
    ):
        with pytest.raises(kind) as caught:
            ask()
        assert str(caught.value) == told
        assert isinstance(caught.value, KeyError)
        assert isinstance(caught.value, InputMistake)
    with pytest.raises(InputMistake, match="no cohort of task 'nap': run `lemof ingest` first"):
        read.task_definition(filled, "nap")
    with filled.writing() as conn:
        conn.execute(task_table.insert().values(task="los", t0_hours=24.0, cut_hours=72.0, rules={}))
    askers: list[Callable[[Store, str], object]] = [read.task_definition, read_results.newest_run]
    for asked in askers:
        with pytest.raises(InputMistake, match="no cohort of task 'nap': known: los"):
            asked(filled, "nap")
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


def test_a_store_ingested_before_there_were_critical_limits_judges_by_the_programs(make_store: MakeStore) -> None:
    store = make_store()
    before = [row | dict.fromkeys(CRITICAL) for row in variable_rows()]
    with store.writing() as conn:
        insert_new(conn, variable, before)
    pd.testing.assert_frame_equal(read.variables(store), pd.DataFrame(variable_rows())[read.variables(store).columns])
    limits = {"crit_low": 2.5, "crit_high": None, "crit_source": "this hospital's own"}
    with store.writing() as conn:
        conn.execute(update(variable).where(variable.c.name == "potassium").values(limits))
    own = read.variables(store).set_index("name")
    assert own.loc["potassium", ["crit_low", "crit_source"]].tolist() == [2.5, "this hospital's own"]
    assert own["crit_low"].count() == own["crit_source"].count() == 1 and own["crit_high"].count() == 0
