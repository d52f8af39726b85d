"""What a reader measured by hand in an ECG in, kept append-only; the reading that counts for each quantity out."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, insert, select

from cohort_db.errors import InputMistake
from cohort_db.schema import ecg_reading, ecg_record
from cohort_db.store import Store

LONGEST_NAME = 120
REPLACED = "ingest: the waveform was replaced"


@dataclass(frozen=True)
class Readable:
    """A quantity that may be read by hand, and the range outside which a number is a slip of the hand."""

    label: str
    unit: str
    low: float
    high: float


# Beyond anything that a living heart shows on an ECG: wide enough for a newborn's PR and a QRS in hyperkalaemia.
READABLE = {
    "heart_rate_bpm": Readable("HR", "/min", 15, 350),
    "pr_ms": Readable("PR", "ms", 50, 600),
    "qrs_ms": Readable("QRS", "ms", 40, 300),
    "qt_ms": Readable("QT", "ms", 150, 900),
}


@dataclass(frozen=True)
class Reading:
    """One row of ecg_reading: value None says "not measurable"; created_at is UTC."""

    name: str
    value: float | None
    withdrawn: bool
    reader: str
    created_at: datetime


def add_reading(store: Store, study_id: int, name: str, value: float | None, reader: str) -> None:
    """The reading is stored and counts from now on; those before it stay.

    Args:
        value: in the unit of `name`; None: the reader says that it is not measurable.
    Raises: InputMistake for an unknown ECG or quantity, an implausible value, or a reader without a name.
    """
    known = _known(name)
    if value is not None and not (math.isfinite(value) and known.low <= value <= known.high):
        raise InputMistake(f"{known.label} must lie within {known.low:g} to {known.high:g} {known.unit}")
    with store.writing() as conn:
        standing = _standing(_rows(conn, study_id))
        if value is not None:
            _check_order(name, value, standing)
        _append(conn, study_id, name, value, reader, withdrawn=False)


def withdraw_reading(store: Store, study_id: int, name: str, reader: str) -> None:
    """The automated value counts again; the reading stays in the history, with who withdrew it.

    Raises: InputMistake where no reading of it stands.
    """
    known = _known(name)
    with store.writing() as conn:
        if name not in _standing(_rows(conn, study_id)):
            raise InputMistake(f"no reading of {known.label} stands for this ECG")
        _append(conn, study_id, name, None, reader, withdrawn=True)


def withdraw_replaced(conn: Connection, study_ids: Sequence[int]) -> None:
    """What was read in waveforms that are others now counts no more; the history says why."""
    read = select(ecg_reading.c.study_id).where(ecg_reading.c.study_id.in_(study_ids)).distinct()
    for study_id in list(conn.execute(read).scalars()):
        for name in _standing(_rows(conn, study_id)):
            _append(conn, study_id, name, None, REPLACED, withdrawn=True)


def standing_readings(store: Store, study_id: int) -> dict[str, Reading]:
    """Quantity -> its newest reading; none where that was withdrawn."""
    return _standing(reading_history(store, study_id))


def reading_history(store: Store, study_id: int) -> list[Reading]:
    """Every reading and withdrawal of the ECG, oldest first."""
    with store.reading() as conn:
        return _rows(conn, study_id)


def _known(name: str) -> Readable:
    if name not in READABLE:
        raise InputMistake(f"{name!r} is not measured by hand here; it must be one of {', '.join(READABLE)}")
    return READABLE[name]


def _check_order(name: str, value: float, standing: dict[str, Reading]) -> None:
    """QRS is a part of QT: the two readings cannot say otherwise."""
    other = {"qrs_ms": "qt_ms", "qt_ms": "qrs_ms"}.get(name)
    read = standing.get(other) if other else None
    if read is None or read.value is None:
        return
    qrs, qt = (value, read.value) if name == "qrs_ms" else (read.value, value)
    if qrs >= qt:
        raise InputMistake(f"QRS ({qrs:g} ms) is a part of QT ({qt:g} ms) and must be shorter")


def _append(conn: Connection, study_id: int, name: str, value: float | None, reader: str, *, withdrawn: bool) -> None:
    reader = " ".join(reader.split())
    if not reader or len(reader) > LONGEST_NAME:
        raise InputMistake(f"a reading needs its reader's name, of {LONGEST_NAME} letters at most")
    if conn.execute(select(ecg_record.c.study_id).where(ecg_record.c.study_id == study_id)).first() is None:
        raise InputMistake(f"the store holds no ECG {study_id}")
    newest = conn.execute(select(func.max(ecg_reading.c.created_at)).where(ecg_reading.c.study_id == study_id)).scalar()
    now = datetime.now(UTC).replace(tzinfo=None)
    # Two readings never share a moment, nor does a clock set back make an old one count.
    created_at = now if newest is None else max(now, newest + timedelta(microseconds=1))
    row = {"study_id": study_id, "name": name, "value": value, "withdrawn": withdrawn, "reader": reader}
    conn.execute(insert(ecg_reading), [row | {"reading_id": uuid.uuid4().hex, "created_at": created_at}])


def _rows(conn: Connection, study_id: int) -> list[Reading]:
    shown = (ecg_reading.c[name] for name in ("name", "value", "withdrawn", "reader", "created_at"))
    query = select(*shown).where(ecg_reading.c.study_id == study_id).order_by(ecg_reading.c.created_at)
    return [Reading(**row) for row in conn.execute(query).mappings()]


def _standing(rows: list[Reading]) -> dict[str, Reading]:
    newest = {row.name: row for row in rows}
    return {name: row for name, row in newest.items() if not row.withdrawn}
