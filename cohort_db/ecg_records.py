"""In: listed ECGs of patients in the store. Out: rows of the table `ecg_record`, also for those that cannot be read.

An unreadable record is stored with the reason instead of stopping the ingest; it is tried again when its files change.
A record is known by the hash of its bytes: where they changed, everything that was made of the old ones is dropped and
the record waits to be prepared anew; where only its place changed, all of it stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, bindparam, delete, select, update

from cohort_db.ecg_readings import withdraw_replaced
from cohort_db.ecg_wfdb import content_sha256, read_header, record_path
from cohort_db.errors import InputMistake
from cohort_db.ingest_rows import delete_of, portions
from cohort_db.schema import dataset, ecg_measurement, ecg_reading, ecg_record, sample
from cohort_db.store import insert_new

Row = dict[str, Any]
_FACTS = ("fs", "sig_len", "sig_name", "units", "adc_gain")
_FROM_LIST = ("ecg_time", "path")
_FROM_FILES = (*_FACTS, "surrogate", "readable", "problem", "content_sha256")
_FROM_PREPARATION = ("quality", "usable", "array_row")


@dataclass(frozen=True)
class EcgChanges:
    """What a folder changes of a dataset's records.

    Attributes:
        new: rows of records that the store does not have.
        renewed: rows of records whose bytes are others now, or that still cannot be read.
        relisted: rows of records with the same bytes, and another time or path in the list.
        gone: study_ids that are not listed any more.
        retimed: study_ids among all these whose ecg_time is another.
    """

    new: list[Row]
    renewed: list[Row]
    relisted: list[Row]
    gone: list[int]
    retimed: set[int]

    def concerns(self, studies: set[int]) -> int | None:
        """Return one of the studies that would go or have other bytes or another time; None where there is none."""
        changed = {row["study_id"] for row in self.renewed} | set(self.gone) | self.retimed
        return min(changed & studies, default=None)


def describe_records(folder: Path, records: pl.DataFrame, read: Callable[[int], None]) -> list[Row]:
    """Return one row of `ecg_record` per record, without dataset_id and without what preparation finds.

    Args:
        records: as `ecg_wfdb.read_record_list` returns them.
        read: told the number of records read so far.
    """
    rows = []
    for number, record in enumerate(records.iter_rows(named=True), start=1):
        rows.append(record | _described(folder, record["path"]))
        read(number)
    return rows


def compare_records(conn: Connection, rows: list[Row], dataset_id: int | None, folder: Path) -> EcgChanges:
    """Return what the described records change of those that the store has of the dataset.

    Args:
        dataset_id: None where the store does not know the dataset yet.
        folder: where the rows were read.
    """
    known_folder = conn.execute(select(dataset.c.ecg_folder).where(dataset.c.dataset_id == dataset_id)).scalar()
    query = select(ecg_record).where(ecg_record.c.dataset_id == dataset_id)
    stored = {row["study_id"]: row for row in conn.execute(query).mappings()}
    changes = EcgChanges([], [], [], [], set())
    for row in rows:
        held = stored.pop(row["study_id"], None)
        if held is None:
            changes.new.append(row)
            continue
        same_list = all(held[name] == row[name] for name in _FROM_LIST)
        if not _same_bytes(held, row, same_folder=known_folder == str(folder)):
            changes.renewed.append(row)
        elif not same_list or held["content_sha256"] != row["content_sha256"]:
            changes.relisted.append(row)
        if held["ecg_time"] != row["ecg_time"]:
            changes.retimed.add(row["study_id"])
    changes.gone.extend(stored)
    return changes


def change_records(conn: Connection, changes: EcgChanges) -> None:
    """The records that the store has are as `changes` wants them; those that are new are not added yet."""
    of_files = (*_FROM_LIST, *_FROM_FILES)
    renewed = [{name: row[name] for name in ("study_id", *of_files)} for row in changes.renewed]
    for ids in portions([row["study_id"] for row in renewed]):
        conn.execute(delete(ecg_measurement).where(ecg_measurement.c.study_id.in_(ids)))
        withdraw_replaced(conn, ids)
    _update(conn, [row | dict.fromkeys(_FROM_PREPARATION) for row in renewed])
    relisted = ("study_id", *_FROM_LIST, "content_sha256")
    _update(conn, [{name: row[name] for name in relisted} for row in changes.relisted])
    remove_records(conn, changes.gone)


def add_records(conn: Connection, rows: list[Row], dataset_id: int) -> int:
    """The rows are stored; returns how many were added."""
    return insert_new(conn, ecg_record, [row | {"dataset_id": dataset_id} for row in rows])


def remove_records(conn: Connection, study_ids: list[int]) -> None:
    """The records are gone, with what was measured and read in them; their samples have no ECG until rebuilt."""
    for ids in portions(study_ids):
        nothing: dict[str, Any] = {"study_id": None, "ecg_offset_s": None}
        conn.execute(update(sample).where(sample.c.study_id.in_(ids)).values(nothing))
    for table in (ecg_measurement, ecg_reading, ecg_record):
        delete_of(conn, table, "study_id", study_ids)


def waveform_state(folder: Path, records: pl.DataFrame) -> str:
    """Return a hash that is another one once a file beside a listed header was written, moved or removed; none is read.

    Beside length and time of writing it takes the time of change, which the system sets and no program can set back.
    """
    digest = hashlib.sha256()
    for path in records["path"]:
        digest.update(f"{path}\n".encode())
    for place in sorted({(folder / path).parent for path in records["path"]}):
        if place.is_dir():
            with os.scandir(place) as entries:
                found = sorted((entry.name, entry.stat()) for entry in entries if entry.is_file())
            for name, state in found:
                times = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
                digest.update(f"{place.relative_to(folder)} {name} {times}\n".encode())
    return digest.hexdigest()


def _same_bytes(held: Any, row: Row, *, same_folder: bool) -> bool:
    """True where the stored record was read from the same bytes, and that is all there is to know of it."""
    if held["readable"] and held["content_sha256"] is None:
        # Stored before hashes were: in its old place and with its old header it is taken for the same.
        return same_folder and row["readable"] and all(held[name] == row[name] for name in _FACTS)
    if not held["readable"] and not row["readable"]:
        return bool(held["problem"] == row["problem"])
    return bool(held["content_sha256"] == row["content_sha256"])


def _update(conn: Connection, rows: list[Row]) -> None:
    """The records of the rows have the rows' other values."""
    if rows:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "study_id"}
        renamed = [{("key" if name == "study_id" else f"new_{name}"): row[name] for name in row} for row in rows]
        conn.execute(update(ecg_record).where(ecg_record.c.study_id == bindparam("key")).values(values), renamed)


def _described(folder: Path, path: str) -> Row:
    try:
        record = record_path(folder, path)
        header = read_header(record)
        content = content_sha256(record, header)
    except InputMistake as mistake:
        nothing = dict.fromkeys((*_FACTS, "content_sha256"))
        return nothing | {"surrogate": False, "readable": False, "problem": str(mistake)}
    return {
        "fs": header.fs,
        "sig_len": header.sig_len,
        "sig_name": list(header.sig_name),
        "units": list(header.units),
        "adc_gain": list(header.adc_gain),
        "surrogate": header.surrogate,
        "readable": True,
        "problem": None,
        "content_sha256": content,
    }
