"""Folders that say something else now: the store follows, but never under a prediction, and ids keep their owner."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ingest_support import ecg, ehr, rows_of, samples_of, score
from mimic_support import Tables, at, chart, everything_in, small_mimic, write_ecgs, write_tables
from sqlalchemy import select
from store_support import MakeStore, make_sqlite, make_store

from cohort_db.errors import InputMistake
from cohort_db.ingest import ingest
from cohort_db.ingest_rows import FIRST_CHART_ITEM
from cohort_db.ingest_steps import fingerprint
from cohort_db.schema import dataset, measurement, sample, split, subject
from cohort_db.store import Store
from cohort_db.variables import catalogue

__all__ = ["ecg", "ehr", "make_sqlite", "make_store"]

Change = Callable[[Tables], None]


def only_of(tables: Tables, name: str, **where: object) -> dict[str, object]:
    """The one row of a table that has the given values."""
    (row,) = [row for row in tables[name] if where.items() <= row.items()]
    return row


def changed(**values: object) -> Callable[[str, dict[str, object]], Change]:
    return lambda name, where: lambda tables: only_of(tables, name, **where).update(values)


def without(name: str, **where: object) -> Change:
    return lambda tables: tables[name].remove(only_of(tables, name, **where))


def without_patient(subject_id: int) -> Change:
    def change(tables: Tables) -> None:
        tables["icu/icustays"] = [row for row in tables["icu/icustays"] if row["subject_id"] != subject_id]

    return change


def a_second_correction(tables: Tables) -> None:
    tables["icu/chartevents"].append(chart(1001, 220045, 1, 95, "bpm", stored=6))


def in_common(store: Store) -> dict[str, object]:
    """All that does not depend on what the store held before: patients keep the part they were dealt."""
    return {name: rows for name, rows in everything_in(store).items() if name != "split"}


OF_PATIENT_1: dict[str, Change] = {
    "date of death": changed(dod="2151-01-01")("hosp/patients", {"subject_id": 1}),
    "race": changed(race="WHITE")("hosp/admissions", {"hadm_id": 101}),
    "outtime": changed(outtime=at(1001, 90))("icu/icustays", {"stay_id": 1001}),
    "deathtime": changed(deathtime=at(1001, 95))("hosp/admissions", {"hadm_id": 101}),
    "diagnosis": changed(icd_code="I509")("hosp/diagnoses_icd", {"hadm_id": 101, "seq_num": 1}),
    "diagnosis removed": without("hosp/diagnoses_icd", hadm_id=101, seq_num=2),
    "chart value": changed(valuenum=81)("icu/chartevents", {"stay_id": 1001, "charttime": at(1001, 96)}),
    "chart row added": a_second_correction,
    "lab row removed": without("hosp/labevents", itemid=51222),
    "drug's end": changed(endtime=at(1001, 4))("icu/inputevents", {"orderid": 7, "itemid": 221906}),
    "procedure removed": without("icu/procedureevents", orderid=9, itemid=225792),
    "patient removed": without_patient(1),
}


def write_changed(folder: Path, change: Change) -> None:
    """The folder's tables have the change; a table left without rows keeps its columns and an unusable row."""
    tables = small_mimic()
    tables["icu/procedureevents"].append(tables["icu/procedureevents"][0] | {"orderid": 10, "stay_id": 9999})
    change(tables)
    write_tables(folder, tables)


@pytest.mark.parametrize("name", OF_PATIENT_1)
def test_a_corrected_folder_gives_the_store_that_it_would_give_alone(
    make_sqlite: MakeStore, ehr: Path, ecg: Path, name: str
) -> None:
    store, alone = make_sqlite(), make_sqlite()
    ingest(store, ehr, ecg)
    before = in_common(store)
    write_changed(ehr, OF_PATIENT_1[name])
    ingest(store, ehr, ecg)
    ingest(alone, ehr, ecg)
    assert in_common(store) == in_common(alone)
    assert in_common(store) != before
    again = everything_in(store)
    assert ingest(store, ehr, ecg).added == {} and everything_in(store) == again


@pytest.mark.parametrize("name", OF_PATIENT_1)
def test_under_a_prediction_the_same_corrections_are_refused_before_anything_is_written(
    make_sqlite: MakeStore, ehr: Path, ecg: Path, name: str
) -> None:
    store = make_sqlite()
    ingest(store, ehr, ecg)
    score(store, "los-1001")
    before = everything_in(store)
    write_changed(ehr, OF_PATIENT_1[name])
    with pytest.raises(InputMistake, match="stored predictions or reviews refer") as raised:
        ingest(store, ehr, ecg)
    assert "\n" not in str(raised.value)
    assert everything_in(store) == before


def test_a_prediction_of_another_patient_hinders_no_correction(make_store: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_store()
    ingest(store, ehr, ecg)
    score(store, "los-2001")
    write_changed(ehr, OF_PATIENT_1["outtime"])
    ingest(store, ehr, ecg)
    assert rows_of(store, select(sample.c.outcome_hours).where(sample.c.stay_id == 1001)) == [(90.0,)]
    write_changed(ehr, OF_PATIENT_1["patient removed"])
    ingest(store, ehr, ecg)
    assert samples_of(store) == {2001: (None, 0), 4001: (None, 0)}
    assert (1,) not in rows_of(store, select(subject.c.subject_id))


def test_equal_rows_from_files_written_anew_are_no_change_under_a_prediction(
    make_sqlite: MakeStore, tmp_path: Path, ehr: Path, ecg: Path
) -> None:
    store = make_sqlite()
    ingest(store, ehr, ecg)
    score(store)
    before = {name: rows for name, rows in everything_in(store).items() if name not in ("ingest_step", "dataset")}
    moved = write_tables(tmp_path / "moved" / "ehr", small_mimic(), gz=False, upper=True)
    report = ingest(store, moved, ecg)
    assert set(report.added.values()) == {0} and report.skipped == []
    after = everything_in(store)
    assert {name: after[name] for name in before} == before
    assert rows_of(store, select(dataset.c.ehr_folder)) == [(str(moved),)]


def test_a_replacement_that_was_killed_is_finished_and_undone_by_the_old_files(
    make_sqlite: MakeStore, ehr: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    before = everything_in(store)
    original = {file: file.read_bytes() for file in ehr.rglob("*.gz")}
    write_changed(ehr, OF_PATIENT_1["chart value"])

    def dies(step: str, done: int, total: int) -> None:
        if step == "measurement:chartevents":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(store, ehr, progress=dies)
    assert (81.0,) in rows_of(store, select(measurement.c.value))
    for file, content in original.items():
        file.write_bytes(content)
    ingest(store, ehr)
    assert everything_in(store) == before


def test_a_change_in_the_middle_of_a_file_that_keeps_its_length_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "chartevents.csv"
    content = bytearray(os.urandom(300_000).hex().encode())
    file.write_bytes(content)
    before = fingerprint([file], "x")
    assert fingerprint([file], "x") == before
    content[300_000] ^= 1
    file.write_bytes(content)
    assert fingerprint([file], "x") != before


def test_every_item_of_the_catalogue_is_told_to_its_source() -> None:
    chart_items = {item for variable in catalogue() for item in variable.chart_items}
    lab_items = {item for variable in catalogue() for item in variable.lab_items}
    assert max(lab_items) < FIRST_CHART_ITEM <= min(chart_items)


def test_rows_that_come_later_change_no_sample_under_a_prediction(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    score(store)
    before = everything_in(store)
    with pytest.raises(InputMistake, match="would change, but stored predictions"):
        ingest(store, ehr, ecg)
    assert everything_in(store) == before


# --- ids and names --------------------------------------------------------------------------------------------------


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


def test_an_admission_that_is_somebody_elses_is_refused(make_sqlite: MakeStore, tmp_path: Path, ehr: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr)
    before = everything_in(store)
    tables = small_mimic()
    for name in ("hosp/patients", "hosp/admissions", "icu/icustays"):
        for row in tables[name]:
            row["subject_id"] += 100
            if "stay_id" in row:
                row["stay_id"] += 100_000
    with pytest.raises(InputMistake, match="admission 101 is another admission"):
        ingest(store, write_tables(tmp_path / "other", tables))
    tables = small_mimic()
    only_of(tables, "hosp/admissions", hadm_id=101)["admittime"] = at(1001, -3)
    with pytest.raises(InputMistake, match="admission 101 is another admission"):
        ingest(store, write_tables(ehr, tables))
    assert everything_in(store) == before


def test_an_ecg_study_that_is_somebody_elses_is_refused(make_sqlite: MakeStore, tmp_path: Path, ehr: Path) -> None:
    store = make_sqlite()
    folder = write_ecgs(tmp_path / "ecg")
    ingest(store, ehr, folder)
    before = everything_in(store)
    listed = folder / "record_list.csv"
    listed.write_text(listed.read_text().replace("\n1,12,", "\n2,12,"))
    with pytest.raises(InputMistake, match="ECG study 12 is another one"):
        ingest(store, ehr, folder)
    assert everything_in(store) == before


def test_another_dataset_of_the_same_name_is_refused_and_the_same_one_may_move(
    make_sqlite: MakeStore, tmp_path: Path, ehr: Path
) -> None:
    store = make_sqlite()
    (ehr / "dataset.json").write_text(json.dumps({"name": "made by hand", "seed": 3}))
    ingest(store, ehr)
    moved = ehr.rename(tmp_path / "elsewhere")
    ingest(store, moved)
    assert rows_of(store, select(dataset.c.name, dataset.c.ehr_folder)) == [("made by hand", str(moved))]
    before = everything_in(store)
    (moved / "dataset.json").write_text(json.dumps({"name": "made by hand", "seed": 4}))
    with pytest.raises(InputMistake, match=r"another dataset named 'made by hand' \(seed: 3 there, 4 here\)"):
        ingest(store, moved)
    tables = small_mimic()
    for name in ("hosp/patients", "hosp/admissions", "icu/icustays"):
        for row in tables[name]:
            row["subject_id"] += 100
    (moved / "dataset.json").write_text(json.dumps({"name": "made by hand", "seed": 3}))
    with pytest.raises(InputMistake, match="without one patient in common"):
        ingest(store, write_tables(moved, tables))
    assert everything_in(store) == before


# --- parts ----------------------------------------------------------------------------------------------------------


def parts_of(store: Store) -> dict[int, str]:
    return dict(tuple(row) for row in rows_of(store, select(split.c.subject_id, split.c.split)))


def test_splits_csv_moves_patients_until_a_run_was_fitted(make_store: MakeStore, ehr: Path) -> None:
    store = make_store()
    said = ehr / "splits.csv"
    ingest(store, ehr)
    for test_patient in (1, 2):
        said.write_text(
            "subject_id,part\n" + "".join(f"{s},{'test' if s == test_patient else 'fit'}\n" for s in (1, 2, 4))
        )
        ingest(store, ehr)
        assert {subject_id for subject_id, part in parts_of(store).items() if part == "test"} == {test_patient}
        assert set(parts_of(store)) == {1, 2, 4}
    score(store, "los-4001")
    before = everything_in(store)
    said.write_text("subject_id,part\n1,test\n2,test\n4,fit\n")
    with pytest.raises(InputMistake, match=r"moves 1 patients into or out of test \(e.g. subject 1\)"):
        ingest(store, ehr)
    said.write_text("subject_id,part\n1,fit\n2,fit\n4,fit\n")
    with pytest.raises(InputMistake, match=r"moves 1 patients into or out of test \(e.g. subject 2\)"):
        ingest(store, ehr)
    assert everything_in(store) == before
