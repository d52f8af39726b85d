"""A hand-made MIMIC-IV and MIMIC-IV-ECG folder, small enough to be counted by hand, and where the real demo lies.

Patient 1 stays 96 h; 2 has two stays (48 h, then 6 h) and a second admission; 3 is 17 years old; 4 dies in the ICU
after 50 h; 5 has no discharge time; 6 leaves after 20 h; 7 never was in an ICU.
"""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from sqlalchemy import select

from cohort_db.schema import METADATA
from cohort_db.store import Store

SHARED = Path(__file__).resolve().parents[2] / "shared"
DEMO = SHARED / "data" / "mimic-iv-clinical-database-demo-2.2"
DEMO_ECG_LIST = SHARED / "data" / "mimic-iv-ecg-demo-0.1" / "record_list.csv"
needs_demo = pytest.mark.skipif(
    not (DEMO.is_dir() and DEMO_ECG_LIST.is_file()), reason="the real MIMIC-IV demo is not at ../shared/data"
)

Tables = dict[str, list[dict[str, Any]]]
INTIME = {
    1001: datetime(2150, 1, 2),
    2001: datetime(2150, 3, 1, 6),
    2002: datetime(2150, 3, 3, 18),
    3001: datetime(2150, 4, 1),
    4001: datetime(2150, 5, 1),
    5001: datetime(2150, 6, 1),
    6001: datetime(2150, 7, 1),
}
LOS_H = {1001: 96, 2001: 48, 2002: 6, 3001: 80, 4001: 50.5, 5001: None, 6001: 20}
HADM = {1001: 101, 2001: 201, 2002: 201, 3001: 301, 4001: 401, 5001: 501, 6001: 601}
MIMIC_LEADS = ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]


def at(stay_id: int, hours: float) -> str:
    """The time that many hours after ICU admission, as MIMIC writes it."""
    return written(INTIME[stay_id] + timedelta(hours=hours))


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def small_mimic() -> Tables:
    """Every needed table as rows of column -> value; tests change what they are about."""
    people = [(1, "F", 60), (2, "M", 40), (3, "M", 17), (4, "F", 70), (5, "M", 50), (6, "F", 80), (7, "M", 66)]
    patients = [
        {"subject_id": s, "gender": g, "anchor_age": age, "anchor_year": 2150, "dod": "2150-05-03" if s == 4 else ""}
        for s, g, age in people
    ]
    stays = [
        {
            "subject_id": stay_id // 1000,
            "hadm_id": HADM[stay_id],
            "stay_id": stay_id,
            "first_careunit": "Coronary Care Unit (CCU)",
            "last_careunit": "Medical Intensive Care Unit (MICU)",
            "intime": at(stay_id, 0),
            "outtime": "" if LOS_H[stay_id] is None else at(stay_id, LOS_H[stay_id]),
        }
        for stay_id in INTIME
    ]
    return {
        "hosp/patients": patients,
        "hosp/admissions": _admissions(),
        "icu/icustays": stays,
        "hosp/diagnoses_icd": [
            {"subject_id": 1, "hadm_id": 101, "seq_num": 1, "icd_code": "I500", "icd_version": 10},
            {"subject_id": 1, "hadm_id": 101, "seq_num": 2, "icd_code": "4275", "icd_version": 9},
            {"subject_id": 7, "hadm_id": 701, "seq_num": 1, "icd_code": "I500", "icd_version": 10},
        ],
        "icu/d_items": [{"itemid": 221906, "label": "Norepinephrine"}, {"itemid": 225792, "label": "Ventilation"}],
        "icu/chartevents": _chart_rows(),
        "hosp/labevents": _lab_rows(),
        **_intervals(),
    }


def _admissions() -> list[dict[str, Any]]:
    first = {hadm: stay for stay, hadm in reversed(HADM.items())}
    rows = [
        {
            "subject_id": hadm // 100,
            "hadm_id": hadm,
            "admittime": at(stay_id, -0.5),
            "dischtime": at(stay_id, 200),
            "deathtime": at(stay_id, 50) if hadm == 401 else "",
            "admission_type": "EW EMER.",
            "hospital_expire_flag": int(hadm == 401),
            "race": "UNKNOWN",
        }
        for hadm, stay_id in first.items()
    ]
    other = {"admittime": "2150-02-27 00:00:00", "dischtime": "2150-03-01 05:00:00", "deathtime": ""}
    never = {"admittime": "2150-08-01 00:00:00", "dischtime": "2150-08-02 00:00:00", "deathtime": ""}
    shared = {"admission_type": "ELECTIVE", "hospital_expire_flag": 0, "race": "UNKNOWN"}
    return [
        *rows,
        {"subject_id": 2, "hadm_id": 202, **other, **shared},
        {"subject_id": 7, "hadm_id": 701, **never, **shared},
    ]


def chart(
    stay_id: int, itemid: int, hours: float, value: Any, unit: str = "", stored: float | None = None
) -> dict[str, Any]:
    """One row of chartevents; stored 10 minutes later unless said otherwise."""
    late = hours + 1 / 6 if stored is None else stored
    return {
        "subject_id": stay_id // 1000,
        "hadm_id": HADM.get(stay_id, ""),
        "stay_id": stay_id,
        "charttime": at(stay_id, hours) if stay_id in INTIME else "2150-01-02 01:00:00",
        "storetime": at(stay_id, late) if stay_id in INTIME else "",
        "itemid": itemid,
        "value": value,
        "valuenum": value,
        "valueuom": unit,
    }


def _chart_rows() -> list[dict[str, Any]]:
    rows = [
        chart(1001, 220045, 1, 80, "bpm"),
        chart(1001, 220045, 1, 90, "bpm", stored=5),  # the correction of the row before
        chart(1001, 220045, 2, 85, "bpm", stored=30),  # known only after t0
        chart(1001, 220045, 96, 70, "bpm"),  # at outtime: inside
        chart(1001, 223761, 1, 98.6, "°F"),
        chart(1001, 223761, 2, 37.5, "°C"),
        chart(1001, 223835, 1, 0.5),
        chart(1001, 223835, 2, 40),
        chart(1001, 226531, 0, 220),
        chart(1001, 226707, 0, 70, "Inch"),
        chart(1001, 220045, 3, 80, "mmHg"),  # wrong unit
        chart(1001, 220045, 4, 999999, "bpm"),  # implausible
        chart(1001, 220045, -25, 80, "bpm"),  # outside the window
        chart(9999, 220045, 0, 80, "bpm"),  # unknown stay
        chart(1001, 224688, 1, 14, "insp/min"),  # the ventilator's set rate
        chart(1001, 220045, 5, "", "bpm"),  # no number
        chart(1001, 220045, 6, 80, "bpm") | {"charttime": "soon"},
    ]
    return rows


def lab(
    subject_id: int, hadm: int | str, itemid: int, when: str, value: Any, unit: str, comments: str = ""
) -> dict[str, Any]:
    """One row of labevents, stored an hour later."""
    stored = datetime.strptime(when, "%Y-%m-%d %H:%M:%S") + timedelta(hours=1)
    return {
        "labevent_id": 0,
        "subject_id": subject_id,
        "hadm_id": hadm,
        "itemid": itemid,
        "charttime": when,
        "storetime": written(stored),
        "value": value,
        "valuenum": value,
        "valueuom": unit,
        "comments": comments,
    }


def _lab_rows() -> list[dict[str, Any]]:
    return [
        lab(1, 101, 50912, at(1001, 3), 1.1, "mg/dL"),
        lab(1, "", 50912, at(1001, -10), 1.3, "mg/dL"),  # drawn in the emergency department
        lab(1, 999, 50912, at(1001, 5), 1.2, "mg/dL"),  # of another admission
        lab(1, 101, 51222, at(1001, 3), 140, "g/L"),
        lab(1, 101, 50983, at(1001, 3), 141, "mmol/L"),
        lab(1, 101, 50912, at(1001, 6), 97, "umol/L"),  # wrong unit
        lab(1, 101, 51478, at(1001, 3), 300, "mg/dL"),  # urine glucose
        lab(1, 101, 51003, at(1001, 3), "", "ng/mL", "<0.01.  CTROPNT > 0.10 NG/ML SUGGESTS ACUTE MI."),
        lab(1, 101, 51237, at(1001, 3), "", "", "UNABLE TO REPORT."),  # no number
        lab(2, 201, 50912, at(2001, 38), 0.8, "mg/dL"),  # inside 2001, and within 24 h before 2002
        lab(2, 201, 50912, at(2002, -8), 0.9, "mg/dL"),  # between the stays
        lab(2, "", 50912, at(2002, 1), 1.0, "mg/dL"),
    ]


def _intervals() -> Tables:
    def event(stay_id: int, itemid: int, start: float, end: float, **more: Any) -> dict[str, Any]:
        common = {"stay_id": stay_id, "starttime": at(stay_id, start), "endtime": at(stay_id, end), "itemid": itemid}
        return common | more | {"ORIGINALAMOUNT": 1, "ORIGINALRATE": 1}

    drug = {"amount": 2, "amountuom": "mg", "rate": 0.1, "rateuom": "mcg/kg/min"}
    ward = {"subject_id": 2, "hadm_id": 201, "eventtype": "transfer"}
    return {
        "icu/inputevents": [
            event(1001, 221906, 1, 3, orderid=7, **drug),
            event(
                1001, 220949, 1, 3, orderid=7, **(drug | {"amount": 100, "amountuom": "ml", "rate": "", "rateuom": ""})
            ),
            event(1001, 221906, 300, 301, orderid=8, **drug),  # after the stay
        ],
        "icu/procedureevents": [event(1001, 225792, 2, 40, orderid=9, value=2280, valueuom="min")],
        "hosp/transfers": [
            {
                **ward,
                "transfer_id": 1,
                "careunit": "Emergency Department",
                "intime": at(2001, -9),
                "outtime": at(2001, 0),
            },
            {**ward, "transfer_id": 2, "careunit": "MICU", "intime": at(2001, 0), "outtime": at(2001, 48)},
            {**ward, "transfer_id": 3, "careunit": "Medicine", "intime": at(2001, 48), "outtime": at(2002, 0)},
            {**ward, "transfer_id": 4, "careunit": "", "intime": at(2002, 6), "outtime": ""},
        ],
    }


def write_tables(folder: Path, tables: Tables, *, gz: bool = True, upper: bool = False) -> Path:
    """The tables lie in `folder` as CSV; columns are those of each table's first row, in reverse order if `upper`."""
    for name, rows in tables.items():
        columns = list(rows[0])[::-1] if upper else list(rows[0])
        file = folder / f"{name}.csv{'.gz' if gz else ''}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with (gzip.open if gz else open)(file, "wt", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow([column.upper() if upper else column for column in columns])
            writer.writerows([row[column] for column in columns] for row in rows)
    return folder


def write_ecgs(folder: Path) -> Path:
    """Six ECGs: 11 too early, 12 readable, 13 cut short, 14 after t0; 21 in another admission; 71 of patient 7."""
    listed = [
        (1, 11, at(1001, -30)),
        (1, 12, at(1001, -5)),
        (1, 13, at(1001, 20)),
        (1, 14, at(1001, 25)),
        (2, 21, at(2001, -2)),
        (7, 71, "2150-08-01 01:00:00"),
    ]
    signal = np.random.default_rng(0).normal(0, 0.3, (5000, 12))
    with_file = folder / "record_list.csv"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["subject_id,study_id,file_name,ecg_time,path"]
    for subject_id, study_id, when in listed:
        path = f"files/p{subject_id}/s{study_id}/{study_id}"
        lines.append(f"{subject_id},{study_id},{study_id},{when},{path}")
        (folder / path).parent.mkdir(parents=True)
        write_record(folder / path, signal)
    with_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    cut = folder / "files/p1/s13/13.dat"
    cut.write_bytes(cut.read_bytes()[:60_000])
    return folder


def write_record(record: Path, p_signal: np.ndarray, *, gain: float = 200.0, comments: list[str] | None = None) -> None:
    """A WFDB record as MIMIC-IV-ECG has them: 500 Hz, format 16, aVF before aVL."""
    wfdb.wrsamp(
        record.name,
        fs=500,
        units=["mV"] * 12,
        sig_name=MIMIC_LEADS,
        p_signal=p_signal,
        fmt=["16"] * 12,
        adc_gain=[gain] * 12,
        baseline=[0] * 12,
        comments=comments or [],
        write_dir=str(record.parent),
    )


def everything_in(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, sorted, without the times at which steps finished."""
    found = {}
    with store.reading() as conn:
        for table in METADATA.sorted_tables:
            columns = [column for column in table.c if column.name != "finished_at"]
            found[table.name] = sorted(tuple(map(repr, row)) for row in conn.execute(select(*columns)))
    return found
