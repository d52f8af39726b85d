"""In: data frames with some of a table's columns. Out: MIMIC-IV 2.2 CSV.gz files with all columns in MIMIC's order.

Files are appended to chunk by chunk, so memory stays small, and hold no time stamp: the same rows give the same bytes.
"""

from __future__ import annotations

import gzip
import io
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import polars as pl

_CHART = "subject_id hadm_id stay_id caregiver_id charttime storetime itemid value valuenum valueuom warning"
_ORDER = "ordercategoryname secondaryordercategoryname ordercomponenttypedescription ordercategorydescription"
_BAG = "isopenbag continueinnextdept statusdescription"
TABLE_COLUMNS: dict[str, tuple[str, ...]] = {
    table: tuple(columns.split())
    for table, columns in {
        "hosp/patients": "subject_id gender anchor_age anchor_year anchor_year_group dod",
        "hosp/admissions": "subject_id hadm_id admittime dischtime deathtime admission_type admit_provider_id "
        "admission_location discharge_location insurance language marital_status race edregtime edouttime "
        "hospital_expire_flag",
        "hosp/diagnoses_icd": "subject_id hadm_id seq_num icd_code icd_version",
        "hosp/d_icd_diagnoses": "icd_code icd_version long_title",
        "hosp/labevents": "labevent_id subject_id hadm_id specimen_id itemid order_provider_id charttime storetime "
        "value valuenum valueuom ref_range_lower ref_range_upper flag priority comments",
        "hosp/d_labitems": "itemid label fluid category",
        "hosp/transfers": "subject_id hadm_id transfer_id eventtype careunit intime outtime",
        "icu/icustays": "subject_id hadm_id stay_id first_careunit last_careunit intime outtime los",
        "icu/chartevents": _CHART,
        "icu/d_items": "itemid label abbreviation linksto category unitname param_type lownormalvalue highnormalvalue",
        "icu/inputevents": "subject_id hadm_id stay_id caregiver_id starttime endtime storetime itemid amount "
        f"amountuom rate rateuom orderid linkorderid {_ORDER} patientweight totalamount totalamountuom {_BAG} "
        "originalamount originalrate",
        "icu/procedureevents": "subject_id hadm_id stay_id caregiver_id starttime endtime storetime itemid value "
        "valueuom location locationcategory orderid linkorderid ordercategoryname ordercategorydescription "
        f"patientweight {_BAG} ORIGINALAMOUNT ORIGINALRATE",
    }.items()
}
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_GZIP_LEVEL = 4


class MimicFolder:
    """Writes tables below a folder; use as a context manager, so that all files are closed and complete."""

    def __init__(self, out: Path) -> None:
        self._streams: dict[str, gzip.GzipFile] = {}
        self._open = ExitStack()
        for table, columns in TABLE_COLUMNS.items():
            path = out / f"{table}.csv.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            # An explicit name and time of 0 keep the gzip header the same from run to run.
            raw = self._open.enter_context(path.open("wb"))
            stream = self._open.enter_context(gzip.GzipFile(path.name, "wb", _GZIP_LEVEL, fileobj=raw, mtime=0))
            stream.write((",".join(columns) + "\n").encode())
            self._streams[table] = stream

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Rows are added; columns that `rows` lacks stay empty."""
        missing = [pl.lit(None).alias(name) for name in TABLE_COLUMNS[table] if name not in rows.columns]
        ordered = rows.with_columns(missing).select(TABLE_COLUMNS[table])
        buffer = io.BytesIO()
        ordered.write_csv(buffer, include_header=False, datetime_format=_TIME_FORMAT)
        self._streams[table].write(buffer.getbuffer())

    def __enter__(self) -> MimicFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
