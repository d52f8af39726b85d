"""Folders into the store: hand-counted rows, twice is once, killed is finished, mistakes leave no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ingest_support import ecg, ehr, n_rows, rows_of, samples_of, score
from mimic_support import Tables, everything_in, small_mimic, write_tables
from sqlalchemy import delete, select, update
from store_support import MakeStore, make_sqlite, make_store

from cohort_db.arrays import ArrayStore
from cohort_db.cohort import CohortRules
from cohort_db.errors import InputMistake
from cohort_db.ingest import ingest
from cohort_db.schema import METADATA, array_ref, dataset, ecg_record, exclusion, measurement, sample, split
from cohort_db.store import open_store
from cohort_db.variables import catalogue
from lemof_core.jobs.ingest import ingest as ingest_job

__all__ = ["ecg", "ehr", "make_sqlite", "make_store"]

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


def test_other_rules_give_other_samples_until_a_prediction_refers_to_them(
    make_store: MakeStore, ehr: Path, ecg: Path
) -> None:
    store = make_store()
    ingest(store, ehr, ecg, rules=CohortRules(cut_days=5))
    assert {label for _, label in samples_of(store).values()} == {0}
    ingest(store, ehr, ecg)
    assert samples_of(store)[1001] == (12, 1)
    score(store)
    before = everything_in(store)
    with pytest.raises(InputMistake, match="would change, but stored predictions or reviews refer to them"):
        ingest(store, ehr, ecg, rules=CohortRules(cut_days=5))
    assert everything_in(store) == before
    # A rule that touches other samples only may change.
    ingest(store, ehr, ecg, rules=CohortRules(paired=True))
    assert samples_of(store) == {1001: (12, 1)}


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
    assert ("read ECGs", 5, 5) in told
    assert ("measurement:labevents", 1, 1) in told
    assert told[-1] == ("cohort:los", 1, 1)
    assert all(done <= total or total == 0 for _, done, total in told)


def test_the_job_sweeps_the_arrays_that_a_killed_job_left(make_sqlite: MakeStore, ehr: Path) -> None:
    store = make_sqlite()
    ingest_job(store, ehr)
    for owner in ("killed", "finished"):
        ArrayStore(store, owner).create("levels", (2,), "int16", {}, "")
    with store.writing() as conn:
        conn.execute(delete(array_ref).where(array_ref.c.owner == "killed"))
    assert (store.arrays_folder / "killed").is_dir()
    ingest_job(store, ehr)
    assert not (store.arrays_folder / "killed").exists()
    assert ArrayStore(store, "finished").meta("levels")["n_rows"] == 0


def test_values_lie_on_the_clock_of_their_stay(make_sqlite: MakeStore, ehr: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    first = select(measurement.c.offset_s, measurement.c.stored_offset_s, measurement.c.value).where(
        measurement.c.stay_id == 1001, measurement.c.itemid == 220045
    )
    assert sorted(rows_of(store, first)) == [(3600, 18_000, 90.0), (7200, 108_000, 85.0), (345_600, 346_200, 70.0)]
