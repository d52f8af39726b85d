"""What error analysis asks of the store: a run and a part of the cohort in, one frame with a row per prediction out.

The frame holds what was predicted, what came of it, who the patient is and what each inner prediction said. It is read
one split at a time, by one query for the facts and one for the inner predictions, so that it never holds more than is
looked at. Diagnoses, race, insurance and language are audit facts: they stratify, and never enter a model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Select, and_, case, func, select

from cohort_db.frames import frame_of
from cohort_db.race_groups import race_group_sql
from cohort_db.schema import admission, branch_value, diagnosis, ecg_measurement, ecg_record, sample, stay, subject
from cohort_db.schema import prediction as predicted
from cohort_db.store import Store

LEVEL_PORTS = ("ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3")
PORTS = (*LEVEL_PORTS, "cross")
# Measured from the linked ECG by this program, unconfirmed; NaN where there is none or it was not measurable.
ECG_FACTS = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms")
_WORDS = ("path", "sex", "race", "insurance", "language", "unit", "admission_type", "diseases", "ecg")


def analysed(store: Store, run_id: str, split: str = "test") -> pd.DataFrame:
    """The run's predictions on a split whose outcome is known, with everything that errors are sorted by.

    One row per sample, by sample_id; empty where the run is unknown or has predicted nobody. Columns:
        sample_id, stay_id, subject_id; path ("both", or "ehr" without a usable ECG); p, logit (calibrated); label (int,
        1: a long stay); died_before_cut (bool);
        age_years; sex ("F", "M"); race (one of `race_groups.RACE_GROUPS`); insurance, language (as written, or
        "unknown"); unit (first_careunit in full); admission_type;
        diseases (the groups of the admission, sorted, joined by ", "; "" for none);
        ecg ("clean", "flagged": usable with a quality flag on some lead, "unusable", "none");
        heart_rate_bpm, pr_ms, qrs_ms, qt_ms (NaN where absent); typical_ecg, typical_ehr (conformal p-values, NaN);
        ecg_1..3, ehr_1..3, cross: the inner predictions, log-odds (NaN where the sample's path has no such port).
    Columns of words are categories: there are few different ones among many rows.
    """
    with store.reading() as conn:
        facts = frame_of(conn, _facts(run_id, split), optional=frozenset({"quality", "usable"}))
        inner = frame_of(conn, _ports(run_id, split), optional=frozenset(PORTS))
        measured = frame_of(conn, _measured(run_id, split), optional=frozenset(ECG_FACTS))
        coded = frame_of(conn, _coded(run_id, split))
    facts["label"] = facts["label"].astype(int)
    facts["ecg"] = _ecg(facts)
    groups = coded.groupby("sample_id")["disease_group"].agg(", ".join)
    facts["diseases"] = facts["sample_id"].map(groups).fillna("").astype(object)
    for name in ("insurance", "language"):
        facts[name] = facts[name].where(facts[name].notna() & (facts[name] != ""), "unknown")
    facts = facts.drop(columns=["quality", "usable", "study_id"])
    for more in (measured, inner):
        facts = facts.merge(more, on="sample_id", how="left", validate="one_to_one")
    return facts.astype(dict.fromkeys(_WORDS, "category"))


def _ecg(facts: pd.DataFrame) -> np.ndarray:
    """Return what the linked ECG is worth (N,), in words."""
    linked, usable = facts["study_id"].notna(), facts["usable"].fillna(False).astype(bool)
    flagged = facts["quality"].map(lambda quality: bool(quality) and any(quality.values())).astype(bool)
    return np.select([~linked, ~usable, flagged], ["none", "unusable", "flagged"], "clean").astype(object)


def _of(run_id: str, split: str) -> Any:
    """Return the condition that names the predictions; outcome known."""
    return and_(predicted.c.run_id == run_id, predicted.c.split == split, sample.c.label.is_not(None))


def _scored() -> Any:
    return predicted.join(sample, sample.c.sample_id == predicted.c.sample_id)


def _facts(run_id: str, split: str) -> Select[Any]:
    joined = (
        _scored()
        .join(stay, stay.c.stay_id == sample.c.stay_id)
        .join(subject, subject.c.subject_id == stay.c.subject_id)
        .join(admission, admission.c.hadm_id == stay.c.hadm_id)
        .outerjoin(ecg_record, ecg_record.c.study_id == sample.c.study_id)
    )
    return (
        select(
            predicted.c.sample_id,
            sample.c.stay_id,
            sample.c.subject_id,
            predicted.c.path,
            predicted.c.p,
            predicted.c.logit,
            sample.c.label,
            sample.c.died_before_cut,
            stay.c.age_years,
            subject.c.sex,
            race_group_sql(admission.c.race).label("race"),
            admission.c.insurance,
            admission.c.language,
            stay.c.first_careunit.label("unit"),
            admission.c.admission_type,
            predicted.c.typical_ecg,
            predicted.c.typical_ehr,
            sample.c.study_id,
            ecg_record.c.quality,
            ecg_record.c.usable,
        )
        .select_from(joined)
        .where(_of(run_id, split))
        .order_by(predicted.c.sample_id)
    )


def _ports(run_id: str, split: str) -> Select[Any]:
    """One row per sample, a column per port: turned in the database, where a row has a tenth of the weight."""
    turned = [func.max(case((branch_value.c.port == port, branch_value.c.logit))).label(port) for port in PORTS]
    same = and_(branch_value.c.run_id == predicted.c.run_id, branch_value.c.sample_id == predicted.c.sample_id)
    joined = _scored().join(branch_value, same)
    return (
        select(predicted.c.sample_id, *turned)
        .select_from(joined)
        .where(_of(run_id, split))
        .group_by(predicted.c.sample_id)
    )


def _measured(run_id: str, split: str) -> Select[Any]:
    name, value = ecg_measurement.c.name, ecg_measurement.c.value
    turned = [func.max(case((name == fact, value))).label(fact) for fact in ECG_FACTS]
    joined = _scored().join(ecg_measurement, ecg_measurement.c.study_id == sample.c.study_id)
    return (
        select(predicted.c.sample_id, *turned)
        .select_from(joined)
        .where(_of(run_id, split), name.in_(ECG_FACTS))
        .group_by(predicted.c.sample_id)
    )


def _coded(run_id: str, split: str) -> Select[Any]:
    joined = (
        _scored().join(stay, stay.c.stay_id == sample.c.stay_id).join(diagnosis, diagnosis.c.hadm_id == stay.c.hadm_id)
    )
    return (
        select(predicted.c.sample_id, diagnosis.c.disease_group)
        .select_from(joined)
        .where(_of(run_id, split), diagnosis.c.disease_group.is_not(None))
        .distinct()
        .order_by(predicted.c.sample_id, diagnosis.c.disease_group)
    )
