"""Folders into the store: hand-counted rows, twice is once, killed is finished, mistakes leave no trace, real demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mimic_support import (
    DEMO,
    Tables,
    at,
    everything_in,
    needs_demo,
    small_mimic,
    write_ecgs,
    write_record,
    write_tables,
)
from sqlalchemy import func, select, update
from store_support import MakeStore, make_sqlite, make_store, run_row

from cohort_db.arrays import ArrayStore
from cohort_db.cohort import CohortRules
from cohort_db.ecg_preparation import ARRAY_NAME, pending_ecgs, record_prepared_ecgs
from cohort_db.errors import InputMistake
from cohort_db.ingest import ingest
from cohort_db.schema import (
    METADATA,
    dataset,
    ecg_measurement,
    ecg_record,
    exclusion,
    measurement,
    prediction,
    run,
    sample,
    split,
)
from cohort_db.store import Store, insert_new, open_store
from cohort_db.variables import catalogue

__all__ = ["make_sqlite", "make_store"]

KILLED = """
import os, sys
from pathlib import Path
from cohort_db.ingest import ingest
from cohort_db.store import open_store
url, ehr, ecg, last = sys.argv[1:]
def progress(step, done, total):
    if step == last:
        os._exit(9)
ingest(open_store(url, create=True), Path(ehr), Path(ecg), progress=progress)
"""


def rows_of(store: Store, query: Any) -> list[Any]:
    with store.reading() as conn:
        return list(conn.execute(query))


def n_rows(store: Store) -> dict[str, int]:
    with store.reading() as conn:
        return {
            table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


def samples_of(store: Store) -> dict[int, tuple[int | None, int]]:
    """stay_id -> (linked ECG, label)."""
    found = rows_of(store, select(sample.c.stay_id, sample.c.study_id, sample.c.label))
    return {row.stay_id: (row.study_id, row.label) for row in found}


@pytest.fixture
def ehr(tmp_path: Path) -> Path:
    return write_tables(tmp_path / "ehr", small_mimic())


@pytest.fixture
def ecg(tmp_path: Path) -> Path:
    return write_ecgs(tmp_path / "ecg")


def test_the_hand_made_folders_give_the_rows_counted_by_hand(make_store: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_store()
    report = ingest(store, ehr, ecg)
    held = n_rows(store)
    expected = {
        "dataset": 1,
        "subject": 6,
        "admission": 7,
        "stay": 7,
        "diagnosis": 2,
        "variable": len(catalogue()),
        "measurement": 17,
        "event_interval": 8,
        "ecg_record": 5,
        "sample": 3,
        "exclusion": 4,
        "attrition": 5,
        "split": 3,
    }
    assert {name: held[name] for name in expected} == expected
    assert samples_of(store) == {1001: (12, 1), 2001: (None, 0), 4001: (None, 0)}
    assert rows_of(store, select(sample.c.stay_id).where(sample.c.died_before_cut)) == [(4001,)]
    assert rows_of(store, select(sample.c.ecg_offset_s).where(sample.c.stay_id == 1001)) == [(-5 * 3600,)]
    broken = rows_of(store, select(ecg_record.c.study_id, ecg_record.c.problem).where(~ecg_record.c.readable))
    assert broken == [(13, "13.dat is cut short: it has 60000 of 120000 bytes")]
    good = rows_of(store, select(ecg_record).where(ecg_record.c.study_id == 12))[0]
    assert (good.fs, good.sig_len, good.sig_name[3:6], good.usable) == (500, 5000, ["aVR", "aVF", "aVL"], None)
    for count in report.sources:
        shared = count.noted.get("kept once more for another stay of the admission", 0)
        assert count.read + shared == count.kept + sum(count.dropped.values()), count
    assert (report.n_samples, report.n_with_ecg, report.n_events) == (3, 1, 1)
    assert [row["n_after"] for row in report.attrition] == [7, 6, 5, 4, 3]
    assert json.loads(json.dumps(report.as_dict()))["sources"][3]["dropped"] == {"patient without an ICU stay": 1}


def test_a_second_ingest_changes_nothing(make_store: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_store()
    first = ingest(store, ehr, ecg)
    before = everything_in(store)
    second = ingest(store, ehr, ecg)
    without_ecg_folder = ingest(store, ehr)
    assert everything_in(store) == before
    assert second.added == without_ecg_folder.added == {}
    assert len(second.skipped) == 8 and len(first.skipped) == 0
    assert second.attrition == first.attrition and second.n_by_split == first.n_by_split


def test_doing_every_step_again_adds_no_row(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr, ecg)
    before = everything_in(store)
    with store.writing() as conn:
        conn.execute(METADATA.tables["ingest_step"].delete())
    again = ingest(store, ehr, ecg)
    assert set(again.added.values()) == {0} and again.skipped == []
    assert everything_in(store) == before


@pytest.mark.parametrize(
    "last",
    [
        "read labevents",
        "patients",
        "measurement:chartevents",
        "event_interval:inputevents",
        "ecg_record",
        "cohort:los",
    ],
)
def test_a_killed_ingest_is_finished_by_the_same_command(
    make_sqlite: MakeStore, tmp_path: Path, ehr: Path, ecg: Path, last: str
) -> None:
    undisturbed = make_sqlite()
    ingest(undisturbed, ehr, ecg)
    url = f"sqlite:///{tmp_path / 'killed' / 'cohort.db'}"
    command = [sys.executable, "-c", KILLED, url, str(ehr), str(ecg), last]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 9, done.stderr
    store = open_store(url, create=True)
    if last not in ("read labevents", "cohort:los"):
        held = n_rows(store)
        assert held["subject"] == 6 and held["sample"] == 0
    ingest(store, ehr, ecg)
    assert everything_in(store) == everything_in(undisturbed)
    store.close()


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


@pytest.mark.parametrize(
    "late", ["torn labs", "list without a column", "no list", "bad dataset.json", "half written", "bad splits.csv"]
)
def test_a_mistake_in_any_file_leaves_the_store_as_it_was(
    make_sqlite: MakeStore, ehr: Path, ecg: Path, late: str
) -> None:
    store = make_sqlite()
    before = everything_in(store)
    listed = ecg / "record_list.csv"
    {
        "torn labs": lambda: _torn(ehr / "hosp/labevents.csv.gz"),
        "list without a column": lambda: listed.write_text(listed.read_text().replace("ecg_time", "time")),
        "no list": listed.unlink,
        "bad dataset.json": lambda: (ehr / "dataset.json").write_text("{"),
        "half written": lambda: (ehr / "dataset.json").write_text('{"synthetic": true, "complete": false}'),
        "bad splits.csv": lambda: (ehr / "splits.csv").write_text("subject_id\n1\n"),
    }[late]()
    with pytest.raises(InputMistake):
        ingest(store, ehr, ecg)
    assert everything_in(store) == before


def _only(tables: Tables, subjects: set[int]) -> Tables:
    """The tables without other patients' stays (their rows elsewhere may stay: nobody asks for them)."""
    return tables | {"icu/icustays": [row for row in tables["icu/icustays"] if row["subject_id"] in subjects]}


def test_more_patients_are_added_and_nobody_is_moved(make_sqlite: MakeStore, tmp_path: Path) -> None:
    folder = tmp_path / "ehr"
    store, at_once = make_sqlite(), make_sqlite()
    ingest(store, write_tables(folder, _only(small_mimic(), {1, 3})))
    parts = rows_of(store, select(split))
    assert samples_of(store) == {1001: (None, 1)}
    ingest(store, write_tables(folder, small_mimic()))
    assert set(parts) < set(rows_of(store, select(split)))
    assert samples_of(store) == {1001: (None, 1), 2001: (None, 0), 4001: (None, 0)}
    ingest(at_once, folder)
    assert n_rows(store) == n_rows(at_once)
    assert rows_of(store, select(exclusion)) == rows_of(at_once, select(exclusion))


def test_ecgs_that_come_later_are_linked_and_mended_ones_are_read_again(
    make_sqlite: MakeStore, ehr: Path, ecg: Path
) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    assert samples_of(store)[1001] == (None, 1)
    ingest(store, ehr, ecg)
    assert samples_of(store)[1001] == (12, 1)
    write_record(ecg / "files/p1/s13/13", np.zeros((5000, 12)), comments=["SURROGATE WAVEFORM"])
    ingest(store, ehr, ecg)
    assert samples_of(store)[1001] == (13, 1)
    assert rows_of(store, select(ecg_record.c.problem).where(ecg_record.c.study_id == 13)) == [(None,)]
    assert rows_of(store, select(dataset.c.surrogate_ecg)) == [(True,)]


def test_other_rules_give_other_samples_until_a_prediction_refers_to_them(
    make_store: MakeStore, ehr: Path, ecg: Path
) -> None:
    store = make_store()
    ingest(store, ehr, ecg, rules=CohortRules(cut_days=5))
    assert {label for _, label in samples_of(store).values()} == {0}
    ingest(store, ehr, ecg)
    assert samples_of(store)[1001] == (12, 1)
    with store.writing() as conn:
        insert_new(conn, run, [run_row()])
        known = {"run_id": "run-a", "sample_id": "los-1001", "split": "train", "path": "both"}
        insert_new(conn, prediction, [known | {"logit": 0.0, "p": 0.5, "logit_raw": 0.0}])
    before = everything_in(store)
    with pytest.raises(InputMistake, match="would change, but stored predictions or reviews refer to them"):
        ingest(store, ehr, ecg, rules=CohortRules(cut_days=5))
    assert everything_in(store) == before
    # A rule that touches other samples only may change.
    ingest(store, ehr, ecg, rules=CohortRules(paired=True))
    assert samples_of(store) == {1001: (12, 1)}


def test_ids_that_belong_to_somebody_else_are_refused(make_sqlite: MakeStore, tmp_path: Path, ehr: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    before = everything_in(store)
    other_name = write_tables(tmp_path / "other", small_mimic())
    with pytest.raises(InputMistake, match="subject 1 is in the store already, from ehr"):
        ingest(store, other_name)
    tables = small_mimic()
    tables["hosp/patients"][1]["anchor_age"] = 41
    with pytest.raises(InputMistake, match="subject 2 is somebody else"):
        ingest(store, write_tables(ehr, tables))
    tables = small_mimic()
    tables["icu/icustays"][0]["intime"] = at(1001, 1)
    with pytest.raises(InputMistake, match="stay 1001 is another stay"):
        ingest(store, write_tables(ehr, tables))
    assert everything_in(store) == before


def test_another_list_of_variables_is_refused(make_sqlite: MakeStore, ehr: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    variable = METADATA.tables["variable"]
    with store.writing() as conn:
        conn.execute(update(variable).where(variable.c.variable_id == 1).values(unit="Hz"))
    with pytest.raises(InputMistake, match=r"variable 1 is heart_rate \(Hz\) in the store"):
        ingest(store, ehr)


def test_the_folder_says_its_name_whether_it_is_synthetic_and_who_is_in_test(make_sqlite: MakeStore, ehr: Path) -> None:
    (ehr / "dataset.json").write_text(json.dumps({"name": "made by hand", "synthetic": True, "seed": 3}))
    (ehr / "splits.csv").write_text("subject_id,part\n1,test\n2,fit\n4,fit\n")
    store = make_sqlite()
    report = ingest(store, ehr)
    found = rows_of(store, select(dataset))[0]
    assert (
        (found.name, found.synthetic, found.description["seed"])
        == ("made by hand", True, 3)
        == (report.dataset, True, 3)
    )
    parts = dict(rows_of(store, select(split.c.subject_id, split.c.split)))
    assert parts[1] == "test" and "test" not in (parts[2], parts[4])


def test_progress_is_told_for_reading_and_writing(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> None:
    told: list[tuple[str, int, int]] = []
    ingest(make_sqlite(), ehr, ecg, progress=lambda *what: told.append(what))
    assert ("read chartevents", 17, 0) in told
    assert ("read ECG headers", 5, 5) in told
    assert ("measurement:labevents", 1, 1) in told
    assert told[-1] == ("cohort:los", 1, 1)
    assert all(done <= total or total == 0 for _, done, total in told)


def _prepared(ids: list[int], problems: list[str | None]) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    with_signal = [study for study, problem in zip(ids, problems, strict=True) if problem is None]
    quality = [None if problem else {"I": ["flat"]} for problem in problems]
    rows = pd.DataFrame({"study_id": ids, "quality": quality, "usable": [True] * len(ids), "problem": problems})
    measured = pd.DataFrame(
        {"study_id": with_signal, "name": "heart_rate_bpm", "value": [60.0 + s for s in with_signal]}
    )
    return rows, measured, np.stack([np.full((12, 1000), study, np.int16) for study in with_signal])


def test_prepared_ecgs_are_stored_once_with_their_rows_and_measurements(
    make_store: MakeStore, ehr: Path, ecg: Path
) -> None:
    store = make_store()
    ingest(store, ehr, ecg)
    pending = pending_ecgs(store)
    assert pending["study_id"].tolist() == [12, 11, 14, 21]  # the linked one first, the unreadable one not at all
    assert pending["linked"].tolist() == [True, False, False, False]
    assert pending["record"][0] == ecg / "files/p1/s12/12"
    record_prepared_ecgs(store, *_prepared([12, 11, 14], [None, "no beat in it", None]))
    found = rows_of(
        store,
        select(ecg_record.c.study_id, ecg_record.c.usable, ecg_record.c.problem, ecg_record.c.array_row)
        .where(ecg_record.c.usable.is_not(None))
        .order_by(ecg_record.c.study_id),
    )
    assert found == [(11, False, "no beat in it", None), (12, True, None, 0), (14, True, None, 1)]
    copies = ArrayStore(store, "dataset:1")
    assert copies.read(ARRAY_NAME, [1, 0])[:, 0, 0].tolist() == [14, 12]
    assert pending_ecgs(store)["study_id"].tolist() == [21]
    # Once more, together with a new one: only the new one is added.
    record_prepared_ecgs(store, *_prepared([14, 21], [None, None]))
    assert copies.read(ARRAY_NAME, slice(None))[:, 0, 0].tolist() == [12, 14, 21]
    assert len(rows_of(store, select(ecg_measurement))) == 3
    before = everything_in(store)
    ingest(store, ehr, ecg)
    assert everything_in(store) == before


def test_a_preparation_that_fails_leaves_no_row(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr, ecg)
    before = everything_in(store)
    rows, measured, arrays = _prepared([12, 14], [None, None])
    with pytest.raises(InputMistake, match="one int16 array"):
        record_prepared_ecgs(store, rows, measured, arrays[:1])
    with pytest.raises(InputMistake):
        record_prepared_ecgs(store, rows, measured.assign(value=float("nan")), arrays)
    with pytest.raises(InputMistake, match="must be in the store"):
        record_prepared_ecgs(store, rows.assign(study_id=[12, 9999]), measured, arrays)
    assert everything_in(store) == before


@needs_demo
def test_the_real_demo_holds_the_measurements_that_pandas_counts(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    report = ingest(store, DEMO)
    by_variable = select(measurement.c.variable_id, func.count()).group_by(measurement.c.variable_id)
    found = dict(tuple(row) for row in rows_of(store, by_variable))
    chart, labs = _chart_by_pandas(), _labs_by_pandas()
    together = chart.add(labs, fill_value=0).astype(int)
    assert found == together.to_dict()
    assert [row["n_after"] for row in report.attrition] == [140, 140, 100, 100, 85]
    assert sum(n["n"] for n in report.n_by_split.values()) == report.n_samples == 85
    for part in ("meta", "cal", "test"):
        assert 5 <= report.n_by_split[part]["events"] <= report.n_by_split[part]["n"] - 5
    before = n_rows(store)
    ingest(store, DEMO)
    assert n_rows(store) == before


def _to_variable(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Values in the variable's unit, implausible ones dropped; written again without the code under test."""
    rows = rows.copy()
    items = {itemid: v for v in catalogue() for itemid in (v.chart_items if source == "chart" else v.lab_items)}
    rows = rows[rows.itemid.isin(items)].dropna(subset=["valuenum"])
    factor = {226531: 0.45359237, 226707: 2.54}
    rows["value"] = rows.valuenum * rows.itemid.map(factor).fillna(1.0)
    fahrenheit = rows.itemid == 223761
    rows.loc[fahrenheit, "value"] = (rows.valuenum[fahrenheit] - 32) * 5 / 9
    fraction = (rows.itemid == 223835) & (rows.valuenum <= 1)
    rows.loc[fraction, "value"] = rows.valuenum[fraction] * 100
    rows["variable_id"] = rows.itemid.map({itemid: v.variable_id for itemid, v in items.items()})
    low, high = (rows.itemid.map({i: getattr(v, name) for i, v in items.items()}) for name in ("low", "high"))
    return rows[(rows.value >= low) & (rows.value <= high)]


def _icu() -> pd.DataFrame:
    icu = pd.read_csv(DEMO / "icu/icustays.csv.gz", parse_dates=["intime", "outtime"])
    return icu.assign(start=icu.intime - pd.Timedelta(hours=24))[
        ["subject_id", "hadm_id", "stay_id", "intime", "outtime", "start"]
    ]


def _chart_by_pandas() -> pd.Series:
    rows = pd.read_csv(
        DEMO / "icu/chartevents.csv.gz",
        usecols=["stay_id", "charttime", "itemid", "valuenum"],
        parse_dates=["charttime"],
    )
    rows = _to_variable(rows, "chart").merge(_icu(), on="stay_id")
    inside = rows[(rows.charttime >= rows.start) & (rows.charttime <= rows.outtime)]
    return inside.drop_duplicates(["stay_id", "variable_id", "charttime", "itemid"]).groupby("variable_id").size()


def _labs_by_pandas() -> pd.Series:
    columns = ["labevent_id", "subject_id", "hadm_id", "charttime", "itemid", "valuenum", "comments"]
    rows = pd.read_csv(DEMO / "hosp/labevents.csv.gz", usecols=columns, parse_dates=["charttime"])
    limit = rows.comments.str.extract(r"^\s*<\s*([0-9.]*[0-9])")[0].astype(float)
    rows["valuenum"] = rows.valuenum.fillna(limit)
    rows = _to_variable(rows, "lab").merge(_icu(), on="subject_id", suffixes=("", "_stay"))
    rows = rows[rows.hadm_id.isna() | (rows.hadm_id == rows.hadm_id_stay)]
    rows = rows[(rows.charttime >= rows.start) & (rows.charttime <= rows.outtime)]
    # The stay that contains it, the later of two, before the next to come.
    waiting = (rows.intime - rows.charttime).dt.total_seconds()
    rows = rows.assign(before=waiting > 0, distance=waiting.abs()).sort_values(["before", "distance"])
    one_stay = rows.drop_duplicates("labevent_id")
    return one_stay.drop_duplicates(["stay_id", "variable_id", "charttime", "itemid"]).groupby("variable_id").size()


def test_values_lie_on_the_clock_of_their_stay(make_sqlite: MakeStore, ehr: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    first = select(measurement.c.offset_s, measurement.c.stored_offset_s, measurement.c.value).where(
        measurement.c.stay_id == 1001, measurement.c.itemid == 220045
    )
    assert sorted(rows_of(store, first)) == [(3600, 18_000, 90.0), (7200, 108_000, 85.0), (345_600, 346_200, 70.0)]
