"""In: a batch of stays. Out: its rows of patients, admissions, transfers, icustays and diagnoses_icd."""

from __future__ import annotations

import numpy as np
import polars as pl

from cohort_db.synthetic.diagnoses import draw_diagnoses
from cohort_db.synthetic.patients import BoolArray, IntArray
from cohort_db.synthetic.stays import FIRST_STAY_ID, StayBatch, TimeArray

_CARE_UNITS = (
    "Medical Intensive Care Unit (MICU)",
    "Surgical Intensive Care Unit (SICU)",
    "Cardiac Vascular Intensive Care Unit (CVICU)",
    "Medical/Surgical Intensive Care Unit (MICU/SICU)",
    "Trauma SICU (TSICU)",
    "Coronary Care Unit (CCU)",
)
_YEAR_GROUPS = ("2008 - 2010", "2011 - 2013", "2014 - 2016", "2017 - 2019")
_LAST_ICD9_GROUP = 1
# Values of each text column of admissions with their probabilities.
_CHOICES: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "insurance": (("Other", "Medicare", "Medicaid"), (0.45, 0.45, 0.1)),
    "language": (("ENGLISH", "?"), (0.9, 0.1)),
    "marital_status": (("MARRIED", "SINGLE", "WIDOWED", "DIVORCED"), (0.45, 0.32, 0.15, 0.08)),
    "race": (
        ("WHITE", "BLACK/AFRICAN AMERICAN", "HISPANIC/LATINO - PUERTO RICAN", "ASIAN - CHINESE", "OTHER", "UNKNOWN"),
        (0.67, 0.12, 0.06, 0.04, 0.05, 0.06),
    ),
    "admission_type": (
        ("EW EMER.", "URGENT", "OBSERVATION ADMIT", "SURGICAL SAME DAY ADMISSION"),
        (0.5, 0.2, 0.2, 0.1),
    ),
    "discharge_location": (("HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB"), (0.35, 0.3, 0.25, 0.1)),
}
_ADMITTED_FROM = {
    "EW EMER.": "EMERGENCY ROOM",
    "URGENT": "TRANSFER FROM HOSPITAL",
    "OBSERVATION ADMIT": "EMERGENCY ROOM",
    "SURGICAL SAME DAY ADMISSION": "PHYSICIAN REFERRAL",
}


def hospital_rows(batch: StayBatch, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Table name to rows. Persons and admissions with several stays appear once."""
    first = ~batch.second
    group = _per_subject(batch, rng.integers(0, len(_YEAR_GROUPS), batch.n))
    patients = pl.DataFrame(
        {
            "subject_id": batch.subject_id,
            "gender": np.where(batch.patients.sex_male > 0, "M", "F"),
            "anchor_age": batch.patients.age.astype(np.int64),
            "anchor_year": _year(batch.intime),
            "anchor_year_group": [_YEAR_GROUPS[k] for k in group],
        }
    ).filter(pl.Series(first))
    deaths = pl.DataFrame({"subject_id": batch.subject_id, "dod": batch.outtime})
    deaths = deaths.filter(pl.Series(batch.died)).with_columns(pl.col("dod").cast(pl.Date))
    icd_version = np.where(group <= _LAST_ICD9_GROUP, 9, 10)
    coded = draw_diagnoses(batch.patients, batch.draw.u, batch.draw.e, icd_version, rng)
    diagnoses = pl.DataFrame(
        {
            "subject_id": batch.subject_id[coded.row],
            "hadm_id": batch.hadm_id[coded.row],
            "seq_num": coded.seq_num,
            "icd_code": coded.icd_code,
            "icd_version": coded.icd_version,
        }
    )
    return {
        "hosp/patients": patients.join(deaths, on="subject_id", how="left", maintain_order="left"),
        "hosp/admissions": _admissions(batch, rng),
        # A second stay of the same admission is coded with the first.
        "hosp/diagnoses_icd": diagnoses.unique(["hadm_id", "seq_num"], keep="first", maintain_order=True),
        **_stay_rows(batch, rng),
    }


def _admissions(batch: StayBatch, rng: np.random.Generator) -> pl.DataFrame:
    """One row an admission; a death in the ICU ends it."""
    chosen = {name: rng.choice(values, batch.n, p=p) for name, (values, p) in _CHOICES.items()}
    emergency = np.isin(chosen["admission_type"], ("EW EMER.", "OBSERVATION ADMIT"))
    registered = batch.admittime - (60 * rng.integers(120, 480, batch.n)).astype("timedelta64[s]")
    left_emergency = batch.admittime + (60 * rng.integers(5, 60, batch.n)).astype("timedelta64[s]")
    frame = pl.DataFrame(
        {
            "subject_id": batch.subject_id,
            "hadm_id": batch.hadm_id,
            "admittime": batch.admittime,
            "dischtime": batch.dischtime,
            "death": np.where(batch.died, batch.outtime, np.datetime64("NaT", "us")),
            **{name: values.tolist() for name, values in chosen.items()},
            "admission_location": [_ADMITTED_FROM[kind] for kind in chosen["admission_type"]],
            "edregtime": np.where(emergency, registered, np.datetime64("NaT", "us")),
            "edouttime": np.where(emergency, left_emergency, np.datetime64("NaT", "us")),
        }
    ).with_columns(pl.col("death", "edregtime", "edouttime").cast(pl.Datetime("us")))
    grouped = frame.group_by("hadm_id", maintain_order=True).agg(
        pl.col("death").max().alias("deathtime"),
        pl.col("dischtime").max(),
        pl.exclude("death", "dischtime").first(),
    )
    dead = pl.col("deathtime").is_not_null()
    return grouped.with_columns(
        pl.when(dead).then(pl.lit("DIED")).otherwise("discharge_location").alias("discharge_location"),
        dead.cast(pl.Int64).alias("hospital_expire_flag"),
    )


def _stay_rows(batch: StayBatch, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """icustays, and transfers: ward before (if there was time), ICU, ward after, discharge."""
    unit = [_CARE_UNITS[k] for k in rng.integers(0, len(_CARE_UNITS), batch.n)]
    icu = pl.DataFrame(
        {
            "subject_id": batch.subject_id,
            "hadm_id": batch.hadm_id,
            "stay_id": batch.stay_id,
            "first_careunit": unit,
            "last_careunit": unit,
            "intime": batch.intime,
            "outtime": batch.outtime,
            "los": batch.los_minutes / 1440,
        }
    )
    # The ICU's transfer has the number of the stay, as in MIMIC-IV; the others count on from 9e8, which no stay uses.
    number = 900_000_000 + (batch.stay_id - FIRST_STAY_ID) * 3
    in_icu = icu.select(
        "subject_id", "hadm_id", pl.col("stay_id").alias("transfer_id"), pl.lit("transfer").alias("eventtype"),
        pl.col("first_careunit").alias("careunit"), "intime", "outtime",
    )  # fmt: skip
    opens, row_before = _admission_order(batch)
    ward_end = batch.dischtime.copy()
    ward_end[row_before[~opens]] = batch.intime[~opens]
    closes = np.ones(batch.n, dtype=bool)
    closes[row_before[~opens]] = False
    before = _transfers(batch, number, "admit", "Emergency Department", batch.admittime, batch.intime)
    after = _transfers(batch, number + 1, "transfer", "Medicine", batch.outtime, ward_end)
    gone = _transfers(batch, number + 2, "discharge", None, batch.dischtime, None)
    kept = [
        before.filter(pl.Series(opens)),
        in_icu,
        after.filter(pl.Series(~batch.died)),
        gone.filter(pl.Series(closes)),
    ]
    transfers = pl.concat(kept).sort("subject_id", "intime", "transfer_id")
    return {"icu/icustays": icu, "hosp/transfers": transfers}


def _admission_order(batch: StayBatch) -> tuple[BoolArray, IntArray]:
    """Whether a stay is the first of its admission, and the row of that first stay."""
    _, first_row, group = np.unique(batch.hadm_id, return_index=True, return_inverse=True)
    row = first_row[group]
    return row == np.arange(batch.n), row


def _transfers(
    batch: StayBatch, number: IntArray, eventtype: str, unit: str | None, start: TimeArray, end: TimeArray | None
) -> pl.DataFrame:
    empty = np.full(batch.n, np.datetime64("NaT", "us"))
    return pl.DataFrame(
        {
            "subject_id": batch.subject_id,
            "hadm_id": batch.hadm_id,
            "transfer_id": number,
            "eventtype": [eventtype] * batch.n,
            "careunit": pl.Series([unit] * batch.n, dtype=pl.String),
            "intime": start,
            "outtime": empty if end is None else end,
        }
    )


def _per_subject(batch: StayBatch, values: IntArray) -> IntArray:
    """A second stay gets the value of its person's first stay."""
    firsts = {int(subject): int(value) for subject, value in zip(batch.subject_id[::-1], values[::-1], strict=True)}
    return np.array([firsts[int(subject)] for subject in batch.subject_id])


def _year(times: TimeArray) -> IntArray:
    return np.asarray(times.astype("datetime64[Y]").astype(np.int64) + 1970)
