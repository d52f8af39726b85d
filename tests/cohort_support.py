"""Made-up stays as the cohort page reads them, a store that holds them, and strategies of its filters."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from store_support import run_row

from cohort_db import facets, schema
from cohort_db.race_groups import RACE_GROUPS
from cohort_db.results import add_run
from cohort_db.stay_filters import ECG, OUTCOMES, QUALITIES, SPLITS, VERDICTS, WHERE, Filters
from cohort_db.store import Store, insert_new
from dashboard.wording import Definition

FIVE_DAYS = Definition(t0_hours=48, cut_hours=120)
UNITS = ("MICU", "CCU", "SICU")
DISEASES = ("heart failure", "sepsis", "pneumonia")
RULES = ("adult", "first_stay")
RUN = "run-browse"
_TABLES = ("dataset", "subject", "admission", "stay", "ecg_record", "diagnosis", "sample", "exclusion", "split",
           "prediction")  # fmt: skip
_RACES = {"white": "WHITE - RUSSIAN", "black": "BLACK/AFRICAN", "asian": "ASIAN", "hispanic": "HISPANIC OR LATINO",
          "other": "PORTUGUESE", "unknown": "UNABLE TO OBTAIN"}  # fmt: skip
_FLAGS = {"clean": {"I": [], "V1": []}, "flagged": {"I": [], "V1": ["noisy"]}, "unusable": {"I": ["flat"]}}


@cache
def made_up_stays(n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Stays as a run sees them, not to be changed; a fifth is outside the cohort, a tenth is not scored.

    Columns: stay_id, subject_id, in_cohort, rule, split (the run's where it scored, else the patient's), age_years,
    sex, race, unit, disease_groups (joined by ", "), quality, outcome, label (Int64), p, path.
    """
    rng = np.random.default_rng(seed)
    in_cohort = rng.random(n) < 0.8
    scored = in_cohort & (rng.random(n) < 0.9)
    label = np.where(in_cohort & (rng.random(n) < 0.95), rng.integers(0, 2, n), -1)
    died = (label == 0) & (rng.random(n) < 0.2)
    groups = [", ".join(sorted(name for name in DISEASES if rng.random() < 0.3)) for _ in range(n)]
    subject = rng.integers(10_000, 10_000 + n // 2, n)
    of_subject = {number: (rng.choice(["F", "M"]), rng.choice(SPLITS)) for number in np.unique(subject)}
    own_split = np.array([of_subject[number][1] for number in subject])
    return pd.DataFrame(
        {
            "stay_id": rng.permutation(np.arange(30_000, 30_000 + n)),
            "subject_id": subject,
            "in_cohort": in_cohort,
            "rule": np.where(in_cohort, None, rng.choice(RULES, n)),
            "split": np.where(scored, rng.choice(SPLITS, n), own_split),
            "age_years": rng.integers(18, 91, n),
            "sex": [of_subject[number][0] for number in subject],
            "race": rng.choice(RACE_GROUPS, n),
            "unit": rng.choice(UNITS, n),
            "disease_groups": groups,
            "quality": np.where(in_cohort, rng.choice(QUALITIES, n), None),
            "outcome": np.select([died, label == 1, label == 0], ["died", "long", "left"], "none"),
            "label": pd.array(np.where(label < 0, None, label).tolist(), dtype="Int64"),
            "p": np.where(scored, rng.integers(0, 101, n) / 100, np.nan),
            "path": np.where(scored, rng.choice(["both", "ehr"], n), None),
            "own_split": own_split,
        }
    )


def hold(store: Store, frame: pd.DataFrame) -> None:
    """The store holds the stays of the frame with the predictions of run RUN, and their facets."""
    start = datetime(2150, 1, 1)
    tables = [
        "dataset",
        "subject",
        "admission",
        "stay",
        "ecg_record",
        "diagnosis",
        "sample",
        "exclusion",
        "split",
        "prediction",
    ]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in tables}
    rows["dataset"].append({"dataset_id": 1, "name": "d", "synthetic": True, "surrogate_ecg": False, "ehr_folder": "x"})
    for one in frame.drop_duplicates("subject_id").itertuples():
        patient = {"subject_id": one.subject_id, "dataset_id": 1, "sex": one.sex, "anchor_age": 50, "anchor_year": 2150}
        rows["subject"].append(patient)
        rows["split"].append({"task": "los", "subject_id": one.subject_id, "split": one.own_split})
    for one in frame.itertuples():
        ids = {"subject_id": one.subject_id, "hadm_id": one.stay_id + 100_000}
        admitted = {"admittime": start, "admission_type": "URGENT", "hospital_expire_flag": False}
        rows["admission"].append(ids | admitted | {"race": _RACES[one.race]})
        stay = {"stay_id": one.stay_id, "first_careunit": one.unit, "last_careunit": one.unit, "intime": start}
        rows["stay"].append(ids | stay | {"age_years": one.age_years, "died_in_icu": one.outcome == "died"})
        for number, group in enumerate(filter(None, one.disease_groups.split(", "))):
            coded = {"icd_version": 10, "icd_code": f"X{number}", "disease_group": group}
            rows["diagnosis"].append({"hadm_id": ids["hadm_id"], "seq_num": number + 1} | coded)
        if not one.in_cohort:
            rows["exclusion"].append({"task": "los", "stay_id": one.stay_id, "rule": one.rule})
            continue
        _add_sample(rows, one, start)
    with store.writing() as conn:
        for name in rows:
            if name != "prediction":
                insert_new(conn, schema.METADATA.tables[name], rows[name])
    add_run(store, run_row(RUN), calibrations=[], level_choices=[], stage_weights=[])
    with store.writing() as conn:
        insert_new(conn, schema.prediction, rows["prediction"])
    facets.make_current(store)


def _add_sample(rows: dict[str, list[dict[str, Any]]], one: Any, start: datetime) -> None:
    sample_id, study = f"los-{one.stay_id}", None if one.quality == "none" else int(one.stay_id) + 500_000
    if study is not None:
        record = {"study_id": study, "subject_id": one.subject_id, "dataset_id": 1, "ecg_time": start, "path": "e"}
        record |= {"surrogate": False, "readable": True, "quality": _FLAGS[one.quality]}
        rows["ecg_record"].append(record | {"usable": one.quality != "unusable"})
    at = {"t0": start + timedelta(days=1), "t0_offset_s": 86_400}
    told = {"label": None if pd.isna(one.label) else int(one.label), "died_before_cut": one.outcome == "died"}
    ids = {"sample_id": sample_id, "task": "los", "subject_id": one.subject_id, "stay_id": one.stay_id}
    rows["sample"].append(ids | at | told | {"study_id": study})
    if not np.isnan(one.p):
        said = {"split": one.split, "path": one.path, "p": one.p, "logit": 0.0, "logit_raw": 0.0}
        rows["prediction"].append({"run_id": RUN, "sample_id": sample_id, "stay_id": one.stay_id} | said)


def some_of(*options: str) -> Any:
    return st.lists(st.sampled_from(options), unique=True, max_size=len(options)).map(tuple)


def pair_of(numbers: Any) -> Any:
    return st.none() | st.tuples(numbers, numbers).map(lambda two: (min(two), max(two)))


_HUNDREDTHS = st.integers(0, 100).map(lambda number: number / 100)
FILTERS = st.builds(
    Filters,
    q=st.sampled_from(["", "3", "300", "301", "10", "1004", "9"]),
    where=some_of(*WHERE),
    rule=some_of(*RULES),
    split=some_of(*SPLITS),
    sex=some_of("F", "M"),
    age=pair_of(st.integers(15, 95)),
    race=some_of(*RACE_GROUPS),
    unit=some_of(*UNITS),
    disease=some_of(*DISEASES),
    ecg=some_of(*ECG),
    quality=some_of(*QUALITIES),
    outcome=some_of(*OUTCOMES),
    p=pair_of(_HUNDREDTHS),
    error=pair_of(_HUNDREDTHS.map(lambda number: number + 0.001)),  # |p - label| rounds, no end may lie on a value
    verdict=some_of(*VERDICTS),
    thr=_HUNDREDTHS,
    thr_ehr=_HUNDREDTHS,
)
_NAMES = [one.name for one in fields(Filters) if one.name not in ("thr", "thr_ehr", "cohort")]
# At most three at once: with all of them nobody is ever left.
FEW = st.tuples(FILTERS, st.sets(st.sampled_from(_NAMES), max_size=3)).map(
    lambda two: two[0].without(*(name for name in _NAMES if name not in two[1]))
)
