"""ECGs in the store: linked, prepared once, and always the bytes that were prepared."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_support import ecg, ehr, prepared, rows_of, samples_of, score
from mimic_support import at, everything_in, write_record
from sqlalchemy import select
from store_support import MakeStore, make_sqlite, make_store

from cohort_db.arrays import ArrayStore
from cohort_db.ecg_preparation import ARRAY_NAME, pending_ecgs, record_prepared_ecgs
from cohort_db.ecg_readings import REPLACED, add_reading, reading_history, standing_readings
from cohort_db.errors import InputMistake
from cohort_db.ingest import ingest
from cohort_db.schema import dataset, ecg_measurement, ecg_record, sample
from cohort_db.store import Store

__all__ = ["ecg", "ehr", "make_sqlite", "make_store"]


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


def test_prepared_ecgs_are_stored_once_with_their_rows_and_measurements(
    make_store: MakeStore, ehr: Path, ecg: Path
) -> None:
    store = make_store()
    ingest(store, ehr, ecg)
    pending = pending_ecgs(store)
    assert pending["study_id"].tolist() == [12, 11, 14, 21]  # the linked one first, the unreadable one not at all
    assert pending["linked"].tolist() == [True, False, False, False]
    assert pending["record"][0] == ecg / "files/p1/s12/12"
    record_prepared_ecgs(store, *prepared([12, 11, 14], [None, "no beat in it", None]))
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
    record_prepared_ecgs(store, *prepared([14, 21], [None, None]))
    assert copies.read(ARRAY_NAME, slice(None))[:, 0, 0].tolist() == [12, 14, 21]
    assert len(rows_of(store, select(ecg_measurement))) == 3
    before = everything_in(store)
    ingest(store, ehr, ecg)
    assert everything_in(store) == before


def test_a_preparation_that_fails_leaves_no_row(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> None:
    store = make_sqlite()
    ingest(store, ehr, ecg)
    before = everything_in(store)
    rows, measured, arrays = prepared([12, 14], [None, None])
    with pytest.raises(InputMistake, match="one int16 array"):
        record_prepared_ecgs(store, rows, measured, arrays[:1])
    with pytest.raises(InputMistake):
        record_prepared_ecgs(store, rows, measured.assign(value=float("nan")), arrays)
    with pytest.raises(InputMistake, match="must be in the store"):
        record_prepared_ecgs(store, rows.assign(study_id=[12, 9999]), measured, arrays)
    assert everything_in(store) == before


# --- what was prepared is what is there ------------------------------------------------------------------------------


@pytest.fixture
def store(make_sqlite: MakeStore, ehr: Path, ecg: Path) -> Store:
    """Both folders, every ECG prepared; 12 is linked to los-1001."""
    made = make_sqlite()
    ingest(made, ehr, ecg)
    record_prepared_ecgs(made, *prepared([11, 12, 14, 21], [None] * 4))
    return made


def row_of(store: Store, study_id: int) -> Any:
    return rows_of(store, select(ecg_record).where(ecg_record.c.study_id == study_id))[0]


def measured(store: Store) -> set[int]:
    return {row.study_id for row in rows_of(store, select(ecg_measurement.c.study_id))}


def another_heart(ecg: Path, study_id: int, subject_id: int = 1) -> None:
    """The record holds other samples, in files as long as before."""
    signal = np.random.default_rng(study_id).normal(0, 0.2, (5000, 12))
    write_record(ecg / f"files/p{subject_id}/s{study_id}/{study_id}", signal)


def elsewhere(ecg: Path) -> Path:
    """A copy of the folder, with the times of its files."""
    return Path(shutil.copytree(ecg, ecg.with_name("copied")))


def test_another_folder_with_other_waveforms_is_prepared_anew(store: Store, ehr: Path, ecg: Path) -> None:
    before = {study_id: row_of(store, study_id) for study_id in (11, 12)}
    copy = elsewhere(ecg)
    another_heart(copy, 12)
    ingest(store, ehr, copy)
    row = row_of(store, 12)
    assert (row.usable, row.array_row, row.quality, row.problem) == (None, None, None, None)
    assert row.content_sha256 != before[12].content_sha256 is not None
    assert measured(store) == {11, 14, 21}
    assert row_of(store, 11) == before[11]
    assert [(row.study_id, row.record) for row in pending_ecgs(store).itertuples()] == [(12, copy / "files/p1/s12/12")]
    record_prepared_ecgs(store, *prepared([12], [None]))
    assert row_of(store, 12).array_row == 4 and measured(store) == {11, 12, 14, 21}


def test_a_reading_of_a_waveform_that_was_replaced_counts_no_more(store: Store, ehr: Path, ecg: Path) -> None:
    add_reading(store, 12, "qrs_ms", 120.0, "A")
    add_reading(store, 11, "qrs_ms", 110.0, "A")
    copy = elsewhere(ecg)
    another_heart(copy, 12)
    ingest(store, ehr, copy)
    assert standing_readings(store, 12) == {}
    assert [(row.value, row.reader) for row in reading_history(store, 12)] == [(120.0, "A"), (None, REPLACED)]
    assert standing_readings(store, 11)["qrs_ms"].value == 110.0


def test_a_record_that_was_read_can_go(store: Store, ehr: Path, ecg: Path) -> None:
    add_reading(store, 12, "qrs_ms", 120.0, "A")
    listed = ecg / "record_list.csv"
    listed.write_text("".join(line for line in listed.read_text().splitlines(keepends=True) if ",12,12," not in line))
    ingest(store, ehr, ecg)
    assert reading_history(store, 12) == []


def test_the_same_waveforms_in_another_folder_move_the_folder_alone(store: Store, ehr: Path, ecg: Path) -> None:
    score(store)
    before = everything_in(store)
    copy = elsewhere(ecg)
    ingest(store, ehr, copy)
    after = everything_in(store)
    assert rows_of(store, select(dataset.c.ecg_folder)) == [(str(copy),)]
    assert {name for name in after if after[name] != before[name]} == {"dataset", "ingest_step"}


@pytest.mark.parametrize("change", ["waveform", "header", "removed", "time", "not listed"])
def test_the_ecg_under_a_prediction_never_changes(store: Store, ehr: Path, ecg: Path, change: str) -> None:
    score(store)
    before = everything_in(store)
    listed, record = ecg / "record_list.csv", ecg / "files/p1/s12/12"
    lines = listed.read_text().splitlines(keepends=True)
    {
        "waveform": lambda: another_heart(ecg, 12),
        "header": lambda: record.with_suffix(".hea").write_text(
            record.with_suffix(".hea").read_text().replace("200.0", "100.0")
        ),
        "removed": record.with_suffix(".dat").unlink,
        "time": lambda: listed.write_text("".join(lines).replace(at(1001, -5), at(1001, -4))),
        "not listed": lambda: listed.write_text("".join(line for line in lines if ",12,12," not in line)),
    }[change]()
    with pytest.raises(InputMistake, match="ECG 12 has another content or time in this folder") as raised:
        ingest(store, ehr, ecg)
    assert "\n" not in str(raised.value)
    assert everything_in(store) == before


def test_ecgs_that_no_prediction_read_may_change_beside_one_that_did(store: Store, ehr: Path, ecg: Path) -> None:
    score(store)
    kept = row_of(store, 12)
    another_heart(ecg, 14)
    another_heart(ecg, 21, subject_id=2)
    ingest(store, ehr, ecg)
    assert row_of(store, 12) == kept and measured(store) == {11, 12}
    assert pending_ecgs(store)["study_id"].tolist() == [14, 21]


def test_a_record_that_is_not_listed_any_more_goes_with_its_link(store: Store, ehr: Path, ecg: Path) -> None:
    listed = ecg / "record_list.csv"
    listed.write_text("".join(line for line in listed.read_text().splitlines(keepends=True) if ",12,12," not in line))
    ingest(store, ehr, ecg)
    assert samples_of(store)[1001] == (None, 1)
    assert rows_of(store, select(sample.c.ecg_offset_s).where(sample.c.stay_id == 1001)) == [(None,)]
    assert measured(store) == {11, 14, 21}


def test_a_waveform_of_the_same_length_and_time_of_writing_is_noticed(store: Store, ehr: Path, ecg: Path) -> None:
    file = ecg / "files/p1/s12/12.dat"
    state, content = file.stat(), bytearray(file.read_bytes())
    content[50_000] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    ingest(store, ehr, ecg)
    assert pending_ecgs(store)["study_id"].tolist() == [12]


def test_a_record_stored_before_hashes_were_gets_one_where_it_lies_and_not_from_elsewhere(
    store: Store, ehr: Path, ecg: Path
) -> None:
    known = row_of(store, 12)
    with store.writing() as conn:
        conn.execute(ecg_record.update().values(content_sha256=None))
        conn.exec_driver_sql("DELETE FROM ingest_step WHERE step = 'ecg_record'")
    ingest(store, ehr, ecg)
    assert row_of(store, 12) == known
    with store.writing() as conn:
        conn.execute(ecg_record.update().values(content_sha256=None))
    ingest(store, ehr, elsewhere(ecg))
    assert pending_ecgs(store)["study_id"].tolist() == [12, 11, 14, 21]
