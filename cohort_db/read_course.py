"""What may be asked of one patient's course: a store and ids in, DataFrames and dicts out (dtypes: see `frames`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, or_, select

from cohort_db.errors import InputMistake
from cohort_db.frames import frame_of
from cohort_db.schema import dataset, diagnosis, ecg_measurement, event_interval, measurement, variable
from cohort_db.schema import ecg_record as ecg_table
from cohort_db.store import Store

# Ids in one statement: databases bound the number of parameters.
_IDS_AT_ONCE = 500


class UnknownId(InputMistake, KeyError):
    """The store holds nothing of that number."""

    def __str__(self) -> str:
        """The sentence itself; KeyError would show it in quotes."""
        return str(self.args[0])


class UnknownEcg(UnknownId):
    """The store holds no ECG of that number."""


def measurements(store: Store, stay_ids: Sequence[int], *, before_s: int | None = None) -> pd.DataFrame:
    """The charted values of the stays, by stay, variable and time.

    Columns: stay_id, variable (name), offset_s (s from intime), value (in the variable's unit), itemid,
    stored_offset_s (Int64, s from intime; NA where the source has no storetime).

    Args:
        before_s: only what was known before that second: charted before it and, where the time is there, stored
            before it.
    """
    wanted = sorted({int(stay_id) for stay_id in stay_ids})
    with store.reading() as conn:
        names = dict(list(conn.execute(select(variable.c.variable_id, variable.c.name))))
        parts = [
            part
            for start in range(0, len(wanted), _IDS_AT_ONCE)
            if (part := _charted(conn, wanted[start : start + _IDS_AT_ONCE], before_s))
        ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0)] * 6
    stay_id, variable_id, offset_s, itemid, value, stored = columns
    unknown = np.isnan(stored)
    return pd.DataFrame(
        {
            "stay_id": stay_id.astype(np.int64),
            "variable": _named(variable_id.astype(np.int64), names),
            "offset_s": offset_s.astype(np.int64),
            "value": value.astype(np.float64),
            "itemid": itemid.astype(np.int64),
            "stored_offset_s": pd.arrays.IntegerArray(np.where(unknown, 0, stored).astype(np.int64), unknown),
        }
    )


def intervals(store: Store, stay_id: int) -> pd.DataFrame:
    """Drugs, procedures and transfers of a stay, by start: kind, start_s, end_s (Int64, NA while open), label, itemid
    (Int64), amount, amount_unit, rate, rate_unit, source_id. Times are seconds from intime."""
    names = ("kind", "start_s", "end_s", "label", "itemid", "amount", "amount_unit", "rate", "rate_unit", "source_id")
    shown = [event_interval.c[name] for name in names]
    query = select(*shown).where(event_interval.c.stay_id == stay_id)
    with store.reading() as conn:
        return frame_of(
            conn, query.order_by(event_interval.c.start_s, event_interval.c.kind, event_interval.c.source_id)
        )


def diagnoses(store: Store, hadm_id: int) -> pd.DataFrame:
    """The codes of an admission, by rank: seq_num, icd_version, icd_code, disease_group. Unknown at t0."""
    shown = [column for column in diagnosis.c if column.name != "hadm_id"]
    query = select(*shown).where(diagnosis.c.hadm_id == hadm_id).order_by(diagnosis.c.seq_num, diagnosis.c.icd_code)
    with store.reading() as conn:
        return frame_of(conn, query)


def ecgs(store: Store, subject_id: int) -> pd.DataFrame:
    """Every ECG of a patient, by time; the columns of ecg_record: study_id, subject_id, dataset_id, ecg_time, path,
    fs, sig_len, sig_name, units, adc_gain, surrogate, readable, problem, quality, usable, array_row."""
    query = select(ecg_table).where(ecg_table.c.subject_id == subject_id)
    with store.reading() as conn:
        return frame_of(conn, query.order_by(ecg_table.c.ecg_time, ecg_table.c.study_id))


def ecg_record(store: Store, study_id: int) -> dict[str, Any]:
    """All facts of one ECG, and record_path: the absolute path of its WFDB record, without suffix.

    Raises: UnknownEcg.
    """
    query = select(ecg_table, dataset.c.ecg_folder).join(dataset, dataset.c.dataset_id == ecg_table.c.dataset_id)
    with store.reading() as conn:
        row = conn.execute(query.where(ecg_table.c.study_id == study_id)).mappings().first()
    if row is None:
        raise UnknownEcg(f"the store holds no ECG {study_id}")
    facts = dict(row)
    folder = facts.pop("ecg_folder")
    if folder is None:
        raise InputMistake(f"the folder of ECG {study_id} is not known: ingest it again with its ECG folder")
    return facts | {"record_path": str((Path(folder) / facts["path"]).absolute())}


def ecg_measurements(store: Store, study_ids: Sequence[int]) -> pd.DataFrame:
    """What was measured in the ECGs, by ECG and name: study_id, name (unit at its end), value."""
    wanted = sorted({int(study_id) for study_id in study_ids})
    order = (ecg_measurement.c.study_id, ecg_measurement.c.name)
    with store.reading() as conn:
        parts = [
            frame_of(conn, select(ecg_measurement).where(ecg_measurement.c.study_id.in_(ids)).order_by(*order))
            for start in range(0, max(len(wanted), 1), _IDS_AT_ONCE)
            for ids in [wanted[start : start + _IDS_AT_ONCE]]
        ]
    return pd.concat(parts, ignore_index=True)


def _charted(conn: Connection, stay_ids: list[int], before_s: int | None) -> list[np.ndarray[Any, Any]]:
    """Columns stay_id, variable_id, offset_s, itemid, value, stored_offset_s (float, NaN for NULL); [] for no row."""
    at = measurement.c
    query = select(at.stay_id, at.variable_id, at.offset_s, at.itemid, at.value, at.stored_offset_s)
    query = query.where(at.stay_id.in_(stay_ids)).order_by(at.stay_id, at.variable_id, at.offset_s, at.itemid)
    if before_s is not None:
        query = query.where(at.offset_s < before_s, or_(at.stored_offset_s.is_(None), at.stored_offset_s < before_s))
    rows = conn.execute(query).all()
    # Seconds stay exact in a float up to 2**53.
    kinds = (np.int64, np.int64, np.int64, np.int64, np.float64, np.float64)
    return [np.array(column, dtype=kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=False)]


def _named(variable_ids: np.ndarray[Any, Any], names: dict[int, str]) -> np.ndarray[Any, Any]:
    """The variables' names; one string object each, however many rows."""
    known = np.full(max(names, default=0) + 1, None, dtype=object)
    known[list(names)] = list(names.values())
    return np.asarray(known[variable_ids])
