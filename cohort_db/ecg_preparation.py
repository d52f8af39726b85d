"""What the preparation of ECGs asks of the store, and what it hands back: pending records out, 100 Hz copies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import bindparam, case, select, update

from cohort_db.arrays import ArrayStore
from cohort_db.ecg_leads import LEADS
from cohort_db.errors import InputMistake
from cohort_db.frames import frame_of
from cohort_db.schema import dataset, ecg_measurement, ecg_record, sample
from cohort_db.store import Store, insert_new

ARRAY_NAME = "ecg_100hz_uv"
SIG_LEN = 1000
_AXES = {"lead": list(LEADS), "time": {"unit": "s", "start": 0.0, "step": 0.01}}
_NOTE = "10 s at 100 Hz in whole microvolts, leads in standard order: the copy that models read"


def pending_ecgs(store: Store) -> pd.DataFrame:
    """Return the readable ECGs that are not prepared yet, those linked to samples first.

    Columns: study_id, subject_id, dataset_id, linked (bool), record (Path without suffix: the ECG folder and the path).
    """
    linked = select(sample.c.study_id).where(sample.c.study_id.is_not(None))
    is_linked = case((ecg_record.c.study_id.in_(linked), 1), else_=0)
    query = (
        select(
            ecg_record.c.study_id,
            ecg_record.c.subject_id,
            ecg_record.c.dataset_id,
            is_linked.label("linked"),
            dataset.c.ecg_folder,
            ecg_record.c.path,
        )
        .join_from(ecg_record, dataset, dataset.c.dataset_id == ecg_record.c.dataset_id)
        .where(ecg_record.c.readable, ecg_record.c.usable.is_(None))
        .order_by(is_linked.desc(), ecg_record.c.study_id)
    )
    with store.reading() as conn:
        frame = frame_of(conn, query)
    frame["linked"] = frame["linked"].astype(bool)
    frame["record"] = [Path(folder) / path for folder, path in zip(frame["ecg_folder"], frame["path"], strict=True)]
    return frame.drop(columns=["ecg_folder", "path"])


def record_prepared_ecgs(
    store: Store, rows: pd.DataFrame, measurements: pd.DataFrame, arrays: NDArray[np.int16]
) -> None:
    """The prepared copies, their quality and what was measured in them are stored, in one transaction.

    Args:
        rows: study_id, quality (lead -> list of flags, or None), usable (bool), problem (None, or the sentence why no
            signal could be made). All from one dataset. ECGs that are prepared already keep what they have.
        measurements: study_id, name, value; finite values only.
        arrays: (n, 12, 1000) microvolts at 100 Hz in the order of LEADS, one row for each of `rows` without a problem.
    """
    with_signal = rows["problem"].isna().to_numpy(dtype=bool)
    if arrays.shape != (int(with_signal.sum()), len(LEADS), SIG_LEN) or arrays.dtype != np.int16:
        raise InputMistake(
            f"each of the {int(with_signal.sum())} rows without a problem must have one int16 array (12, 1000), "
            f"however: {arrays.shape=}, {arrays.dtype=}"
        )
    ids = [int(study_id) for study_id in rows["study_id"]]
    if not ids:
        return
    with store.writing() as conn:
        new, dataset_id = _unprepared(conn, ids)
        wanted = np.array([study_id in new for study_id in ids])
        copies = ArrayStore(store, f"dataset:{dataset_id}")
        copies.create(ARRAY_NAME, (len(LEADS), SIG_LEN), "int16", _AXES, _NOTE, conn=conn)
        first = copies.append(conn, ARRAY_NAME, arrays[wanted[with_signal]])
        changes, row_number = [], first
        for row, has_signal, is_new in zip(rows.itertuples(index=False), with_signal, wanted, strict=True):
            if is_new:
                changes.append(_change(row, row_number if has_signal else None))
                row_number += int(has_signal)
        if changes:
            values: dict[str, Any] = {name: bindparam(name) for name in ("quality", "usable", "problem", "array_row")}
            conn.execute(update(ecg_record).where(ecg_record.c.study_id == bindparam("key")).values(values), changes)
        measured = measurements[["study_id", "name", "value"]].itertuples(index=False, name=None)
        named = (dict(zip(("study_id", "name", "value"), row, strict=True)) for row in measured)
        insert_new(conn, ecg_measurement, [row for row in named if row["study_id"] in new])


def _unprepared(conn: Any, ids: list[int]) -> tuple[set[int], int]:
    """Return which of the ECGs are not prepared yet, and the one dataset of all of them."""
    known = conn.execute(
        select(ecg_record.c.study_id, ecg_record.c.dataset_id, ecg_record.c.usable).where(
            ecg_record.c.study_id.in_(ids)
        )
    ).all()
    if len({row.study_id for row in known}) != len(set(ids)) or len(set(ids)) != len(ids):
        raise InputMistake("every prepared ECG must be in the store and be given once")
    datasets = {row.dataset_id for row in known}
    if len(datasets) != 1:
        raise InputMistake("prepared ECGs must come from one dataset at a time")
    return {row.study_id for row in known if row.usable is None}, int(datasets.pop())


def _change(row: Any, array_row: int | None) -> dict[str, Any]:
    """Return the bound values of one update; a record without a signal is never usable."""
    return {
        "key": int(row.study_id),
        "quality": row.quality if isinstance(row.quality, dict) else None,
        "usable": bool(row.usable) and array_row is not None,
        "problem": None if array_row is not None else str(row.problem),
        "array_row": array_row,
    }
