"""What error analysis asks of the store: a run and a part of the cohort in, one frame with a row per prediction out.

The frame holds what was predicted, what came of it, who the patient is and what each inner prediction said. It is read
one split at a time, by one query for the facts and one for the inner predictions, so that it never holds more than is
looked at. Diagnoses, race, insurance and language are audit facts: they stratify, and never enter a model.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, func, literal, select, type_coerce

from cohort_db.frames import frame_of
from cohort_db.inner_ports import LEVEL_PORTS, PORTS, ports_of
from cohort_db.race_groups import race_group
from cohort_db.schema import admission, diagnosis, ecg_measurement, ecg_record, sample, stay, subject
from cohort_db.schema import prediction as predicted
from cohort_db.store import Store

__all__ = ["ECG_FACTS", "LEVEL_PORTS", "PORTS", "analysed"]

# Measured from the linked ECG by this program, unconfirmed; NaN where there is none or it was not measurable.
ECG_FACTS = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms")
_WORDS = frozenset({"path", "sex", "race", "insurance", "language", "unit", "admission_type", "ecg"})


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
    coded = select(diagnosis.c.disease_group).where(diagnosis.c.disease_group.is_not(None)).distinct()
    with store.reading() as conn:
        groups = sorted(conn.execute(coded).scalars())
        found = frame_of(conn, _facts(run_id, split, groups), words=_WORDS)
        inner = ports_of(conn, run_id, split)
    found["label"] = found["label"].astype(int)
    for name, tell in (("race", race_group), ("insurance", _known), ("language", _known), ("ecg", _ecg_in_words)):
        found[name] = _retold(found[name].array, tell)
    found["diseases"] = _in_words(found["diseases"].to_numpy(np.int64), groups)
    return found.join(inner, on="sample_id", validate="one_to_one")


def _facts(run_id: str, split: str, groups: Sequence[str]) -> Select[Any]:
    joined: FromClause = (
        predicted.join(sample, sample.c.sample_id == predicted.c.sample_id)
        .join(stay, stay.c.stay_id == sample.c.stay_id)
        .join(subject, subject.c.subject_id == stay.c.subject_id)
        .join(admission, admission.c.hadm_id == stay.c.hadm_id)
        .outerjoin(ecg_record, ecg_record.c.study_id == sample.c.study_id)
    )
    joined, measured = _beside_measured(joined)
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
            admission.c.race,
            admission.c.insurance,
            admission.c.language,
            stay.c.first_careunit.label("unit"),
            admission.c.admission_type,
            predicted.c.typical_ecg,
            predicted.c.typical_ehr,
            _ecg().label("ecg"),
            _diseases(groups).label("diseases"),
            *measured,
        )
        .select_from(joined)
        .where(predicted.c.run_id == run_id, predicted.c.split == split, sample.c.label.is_not(None))
        .order_by(predicted.c.sample_id)
    )


def _ecg() -> ColumnElement[str]:
    """Return "none", "unusable", or the quality flags of a usable ECG as they are stored, NULL where there are none."""
    flags = type_coerce(ecg_record.c.quality, Text)
    return case((sample.c.study_id.is_(None), "none"), (ecg_record.c.usable.is_(True), flags), else_="unusable")


def _ecg_in_words(told: str | None) -> str:
    """Return what the linked ECG is worth, of what `_ecg` gives."""
    if told in ("none", "unusable"):
        return str(told)
    flags = json.loads(told) if told else None
    return "flagged" if flags and any(flags.values()) else "clean"


def _known(word: str | None) -> str:
    return word or "unknown"


def _retold(words: pd.Categorical, tell: Callable[[str | None], str]) -> pd.Categorical:
    """Return each of the words (N,) as `tell` says it, who is asked once for each different one."""
    told = [tell(word) for word in (*words.categories, None)]  # the last is that of code -1, an absent word
    return pd.Categorical(np.array(told, dtype=object)[words.codes])


def _beside_measured(joined: FromClause) -> tuple[FromClause, list[ColumnElement[float]]]:
    """Return the join with what was measured in the linked ECG, and its columns by the names of ECG_FACTS."""
    columns: list[ColumnElement[float]] = []
    for fact in ECG_FACTS:
        own = ecg_measurement.alias(f"measured_{fact}")
        joined = joined.outerjoin(own, and_(own.c.study_id == sample.c.study_id, own.c.name == fact))
        columns.append(own.c.value.label(fact))
    return joined, columns


def _diseases(groups: Sequence[str]) -> ColumnElement[int]:
    """Return the sum of 2^place over the groups, in the order given, that the admission is coded with."""
    if not groups:
        return literal(0)
    bits = (
        func.max(case((diagnosis.c.disease_group == group, 2**place), else_=0)) for place, group in enumerate(groups)
    )
    own = select(reduce(operator.add, bits)).where(diagnosis.c.hadm_id == stay.c.hadm_id)
    return func.coalesce(own.scalar_subquery(), 0)


def _in_words(coded: np.ndarray, groups: Sequence[str]) -> pd.Categorical:
    """Return the groups of each sum (N,), joined by ", "."""
    sums, each = np.unique(coded, return_inverse=True)
    words = [", ".join(group for place, group in enumerate(groups) if one >> place & 1) for one in sums.tolist()]
    order = np.argsort(np.array(words, dtype=object))
    return pd.Categorical.from_codes(np.argsort(order)[each], [words[place] for place in order])
