"""In: listed ECGs of patients in the store. Out: rows of the table `ecg_record`, also for those that cannot be read.

An unreadable record is stored with the reason instead of stopping the ingest; it is tried again when its files change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, bindparam, select, update

from cohort_db.ecg_wfdb import read_header, record_path
from cohort_db.errors import InputMistake
from cohort_db.schema import ecg_record
from cohort_db.store import insert_new

_FACTS = ("fs", "sig_len", "sig_name", "units", "adc_gain")


def describe_records(folder: Path, records: pl.DataFrame, read: Callable[[int], None]) -> list[dict[str, Any]]:
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


def store_records(conn: Connection, rows: list[dict[str, Any]], dataset_id: int) -> int:
    """The rows are stored; those stored as unreadable become what is known of them now. Returns how many were added."""
    n_added = insert_new(conn, ecg_record, [row | {"dataset_id": dataset_id} for row in rows])
    unreadable = select(ecg_record.c.study_id).where(
        ~ecg_record.c.readable & ecg_record.c.study_id.in_([row["study_id"] for row in rows])
    )
    stale = set(conn.execute(unreadable).scalars())
    changed = [
        {"key": row["study_id"]} | {name: row[name] for name in _CHANGING} for row in rows if row["study_id"] in stale
    ]
    if changed:
        new_values: dict[str, Any] = {name: bindparam(name) for name in _CHANGING}
        conn.execute(update(ecg_record).where(ecg_record.c.study_id == bindparam("key")).values(new_values), changed)
    return n_added


_CHANGING = (*_FACTS, "path", "surrogate", "readable", "problem")


def waveform_fingerprint(folder: Path, records: pl.DataFrame) -> str:
    """Return a hash of which header and sample files are there, and how long they are; contents are not read."""
    digest = hashlib.sha256()
    for path in records["path"]:
        for suffix in (".hea", ".dat"):
            file = folder / f"{path}{suffix}"
            size = file.stat().st_size if file.is_file() else -1
            digest.update(f"{path}{suffix} {size}\n".encode())
    return digest.hexdigest()


def _described(folder: Path, path: str) -> dict[str, Any]:
    try:
        header = read_header(record_path(folder, path))
    except InputMistake as mistake:
        nothing = dict.fromkeys(_FACTS)
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
    }
