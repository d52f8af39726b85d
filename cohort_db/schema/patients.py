"""What the raw folders say: subjects, admissions, stays, ECG records, measurements, intervals, diagnoses.

Times of day are the shifted MIMIC times, kept as they are. Times inside a stay are whole seconds from ICU `intime`
(`offset_s`, negative before it), so that "before the prediction" is one integer comparison.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Date, ForeignKey, Index, String, Table, Text

from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Serial, Whole
from cohort_db.schema.metadata import METADATA, col

dataset = Table(
    "dataset",
    METADATA,
    col("dataset_id", Serial, "store's own number, given at insertion", primary_key=True),
    col("name", String(200), "what people call it; dataset.json or the folder's name", unique=True),
    col("synthetic", Boolean, "made by `lemof synth`; dataset.json"),
    col("surrogate_ecg", Boolean, "waveforms are other people's; said by the WFDB header comments"),
    col("ehr_folder", Text, "folder of hosp/ and icu/ as given to ingest"),
    col("ecg_folder", Text, "folder of record_list.csv as given to ingest; empty when none", nullable=True),
    col("description", Json, "dataset.json as found", nullable=True),
)

ingest_step = Table(
    "ingest_step",
    METADATA,
    col("dataset_id", Whole, "dataset", ForeignKey("dataset.dataset_id"), primary_key=True),
    col("step", String(60), "name of the finished step, e.g. measurement:labevents", primary_key=True),
    col("fingerprint", String(80), "hash of what the step read (file sizes, headers, settings)"),
    col("n_rows", Whole, "rows the step holds in the store"),
    col("finished_at", Moment, "UTC; a step without a row here did not finish"),
)

subject = Table(
    "subject",
    METADATA,
    col("subject_id", Whole, "MIMIC id; hosp/patients", primary_key=True, autoincrement=False),
    col("dataset_id", Whole, "dataset it came with", ForeignKey("dataset.dataset_id"), index=True),
    col("sex", String(1), "F or M; hosp/patients.gender"),
    col("anchor_age", Whole, "years at anchor_year; hosp/patients"),
    col("anchor_year", Whole, "shifted year; hosp/patients"),
    col("dod", Date, "date of death, up to one year after discharge; hosp/patients", nullable=True),
)

admission = Table(
    "admission",
    METADATA,
    col("hadm_id", Whole, "MIMIC id; hosp/admissions", primary_key=True, autoincrement=False),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id"), index=True),
    col("admittime", Moment, "hosp/admissions"),
    col("dischtime", Moment, "hosp/admissions; known only afterwards", nullable=True),
    col("deathtime", Moment, "hosp/admissions; known only afterwards", nullable=True),
    col("admission_type", String(60), "hosp/admissions"),
    col("admission_location", String(80), "hosp/admissions", nullable=True),
    col("discharge_location", String(80), "hosp/admissions; barred from models", nullable=True),
    col("insurance", String(60), "hosp/admissions; audit stratum, barred from models", nullable=True),
    col("language", String(60), "hosp/admissions; audit stratum, barred from models", nullable=True),
    col("marital_status", String(60), "hosp/admissions; barred from models", nullable=True),
    col("race", String(80), "hosp/admissions; audit stratum, barred from models", nullable=True),
    col("hospital_expire_flag", Boolean, "died in hospital; hosp/admissions; barred from models"),
)

stay = Table(
    "stay",
    METADATA,
    col("stay_id", Whole, "MIMIC id; icu/icustays", primary_key=True, autoincrement=False),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id"), index=True),
    col("hadm_id", Whole, "admission", ForeignKey("admission.hadm_id"), index=True),
    col("first_careunit", String(80), "icu/icustays"),
    col("last_careunit", String(80), "icu/icustays; known only afterwards"),
    col("intime", Moment, "ICU admission; icu/icustays"),
    col("outtime", Moment, "ICU discharge; icu/icustays", nullable=True),
    col("los_hours", FiniteFloat, "hours, outtime - intime", nullable=True),
    col("age_years", Whole, "whole years at intime: anchor_age + year(intime) - anchor_year"),
    col("died_in_icu", Boolean, "deathtime lies within [intime, outtime + 6 h]; hosp/admissions"),
    col("death_offset_s", Whole, "seconds from intime to deathtime, when died_in_icu", nullable=True),
)

ecg_record = Table(
    "ecg_record",
    METADATA,
    col("study_id", Whole, "MIMIC-IV-ECG id; record_list.csv", primary_key=True, autoincrement=False),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id")),
    col("dataset_id", Whole, "dataset whose ecg_folder `path` is relative to", ForeignKey("dataset.dataset_id")),
    col("ecg_time", Moment, "cart clock, not synchronised; record_list.csv"),
    col("path", Text, "WFDB record path below ecg_folder, without suffix; record_list.csv"),
    col("fs", FiniteFloat, "Hz; WFDB header", nullable=True),
    col("sig_len", Whole, "samples per lead; WFDB header", nullable=True),
    col("sig_name", Json, "leads in file order; WFDB header", nullable=True),
    col("units", Json, "physical units in file order; WFDB header", nullable=True),
    col("adc_gain", Json, "adu per physical unit in file order; WFDB header", nullable=True),
    col("surrogate", Boolean, "header comment says SURROGATE: another person's heart"),
    col("readable", Boolean, "header and samples could be read at ingest"),
    col("problem", Text, "why it could not be read, in a sentence", nullable=True),
    col("quality", Json, "lead -> flags (flat, noisy, ...) found in the prepared signal", nullable=True),
    col("usable", Boolean, "good enough for a model; NULL until prepared", nullable=True),
    col("array_row", Whole, "row in the 100 Hz int16 microvolt copy; NULL when there is none", nullable=True),
    col(
        "content_sha256", String(64), "of the header's and the sample files' bytes; NULL when unreadable", nullable=True
    ),
    Index("ix_ecg_record_subject_time", "subject_id", "ecg_time"),
)

ecg_measurement = Table(
    "ecg_measurement",
    METADATA,
    col("study_id", Whole, "ECG", ForeignKey("ecg_record.study_id"), primary_key=True, autoincrement=False),
    col("name", String(40), "e.g. heart_rate_bpm, qrs_ms, st60_V2_mv; unit at the end of the name", primary_key=True),
    col("value", FiniteFloat, "in the unit of `name`; a quantity that could not be measured has no row"),
    sqlite_with_rowid=False,
)

variable = Table(
    "variable",
    METADATA,
    col("variable_id", Whole, "position in variables.csv from 1", primary_key=True, autoincrement=False),
    col("name", String(40), "short name; variables.csv", unique=True),
    col("label", String(80), "as the field writes it; variables.csv"),
    col("unit", String(20), "unit of every stored value; variables.csv"),
    col("kind", String(10), "series or static"),
    col("panel", String(40), "group on the case page"),
    col("low", FiniteFloat, "plausible minimum; outside is not stored", nullable=True),
    col("high", FiniteFloat, "plausible maximum; outside is not stored", nullable=True),
    col("ref_low", FiniteFloat, "reference range, both sexes or men", nullable=True),
    col("ref_high", FiniteFloat, "reference range, both sexes or men", nullable=True),
    col("ref_low_f", FiniteFloat, "reference range of women where it differs", nullable=True),
    col("ref_high_f", FiniteFloat, "reference range of women where it differs", nullable=True),
    col("ref_source", Text, "where the reference range is from", nullable=True),
    col("decimals", Whole, "digits after the point when shown"),
    col("crit_low", FiniteFloat, "at or below it somebody is called at once", nullable=True),
    col("crit_high", FiniteFloat, "at or above it somebody is called at once", nullable=True),
    col("crit_source", Text, "where the critical limits are from", nullable=True),
)

measurement = Table(
    "measurement",
    METADATA,
    col("stay_id", Whole, "stay", ForeignKey("stay.stay_id"), primary_key=True, autoincrement=False),
    col("variable_id", Whole, "variable", ForeignKey("variable.variable_id"), primary_key=True, autoincrement=False),
    col("offset_s", Whole, "seconds from intime to charttime", primary_key=True, autoincrement=False),
    col("itemid", Whole, "MIMIC item; chartevents, labevents", primary_key=True, autoincrement=False),
    col("value", FiniteFloat, "in the variable's unit, within its plausible range"),
    col("stored_offset_s", Whole, "seconds from intime to storetime; NULL where the source has none", nullable=True),
    sqlite_with_rowid=False,
)

event_interval = Table(
    "event_interval",
    METADATA,
    col("stay_id", Whole, "stay", ForeignKey("stay.stay_id"), primary_key=True, autoincrement=False),
    col("kind", String(12), "drug, procedure or transfer", primary_key=True),
    col("start_s", Whole, "seconds from intime", primary_key=True, autoincrement=False),
    col("source_id", String(40), "orderid or transfer_id of the source", primary_key=True),
    col("itemid", Whole, "MIMIC item; NULL for transfers", nullable=True),
    col("label", String(160), "d_items.label or the care unit"),
    col("end_s", Whole, "seconds from intime; NULL while open", nullable=True),
    col("amount", FiniteFloat, "in amount_unit", nullable=True),
    col("amount_unit", String(40), "as charted", nullable=True),
    col("rate", FiniteFloat, "in rate_unit", nullable=True),
    col("rate_unit", String(40), "as charted", nullable=True),
    sqlite_with_rowid=False,
)

diagnosis = Table(
    "diagnosis",
    METADATA,
    col("hadm_id", Whole, "admission", ForeignKey("admission.hadm_id"), primary_key=True, autoincrement=False),
    col("seq_num", Whole, "rank; hosp/diagnoses_icd", primary_key=True, autoincrement=False),
    col("icd_version", Whole, "9 or 10; hosp/diagnoses_icd", primary_key=True, autoincrement=False),
    col("icd_code", String(10), "without the point; coded at discharge, barred from models", primary_key=True),
    col("disease_group", String(40), "one of the ten groups; disease_groups.csv", nullable=True, index=True),
)

note = Table(
    "note",
    METADATA,
    col("note_id", String(40), "MIMIC-IV-Note id", primary_key=True),
    col("subject_id", Whole, "subject", ForeignKey("subject.subject_id")),
    col("hadm_id", Whole, "admission", ForeignKey("admission.hadm_id"), nullable=True, index=True),
    col("note_type", String(20), "e.g. DS, RR, ECG"),
    col("charttime", Moment, "time the note refers to", nullable=True),
    col("storetime", Moment, "time it was readable by others", nullable=True),
    col("text", Text, "as written; shown, never read by a model"),
)
