"""Made-up stays as the cohort page reads them, and strategies of its filters, for tests of lists of stays."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from dashboard.cohort_filters import OUTCOMES, SPLITS, VERDICTS, WHERE, Filters
from dashboard.wording import Definition

FIVE_DAYS = Definition(t0_hours=48, cut_hours=120)
UNITS = ("MICU", "CCU", "SICU")
DISEASES = ("heart failure", "sepsis", "pneumonia")
RULES = ("adult", "first_stay")


@cache
def made_up_stays(n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Stays with the columns of `queries_cohort.stays`, not to be changed;
    a fifth is outside the cohort, a tenth is not scored."""
    rng = np.random.default_rng(seed)
    in_cohort = rng.random(n) < 0.8
    scored = in_cohort & (rng.random(n) < 0.9)
    label = np.where(in_cohort, rng.integers(0, 2, n), -1)
    died = (label == 0) & (rng.random(n) < 0.2)
    groups = [", ".join(sorted(name for name in DISEASES if rng.random() < 0.3)) for _ in range(n)]
    outcome = np.select([died, label == 1, label == 0], ["died", "long", "left"], "none")
    return pd.DataFrame(
        {
            "stay_id": rng.permutation(np.arange(30_000, 30_000 + n)),
            "subject_id": rng.integers(10_000, 10_000 + n // 2, n),
            "in_cohort": in_cohort,
            "rule": pd.Categorical(np.where(in_cohort, None, rng.choice(RULES, n))),
            "split": pd.Categorical(np.where(in_cohort, rng.choice(SPLITS, n), None)),
            "age_years": rng.integers(18, 91, n),
            "sex": pd.Categorical(rng.choice(["F", "M"], n)),
            "unit": pd.Categorical(rng.choice(UNITS, n)),
            "disease_groups": pd.Categorical(groups),
            "ecg": pd.Categorical(rng.choice(["yes", "no"], n)),
            "outcome": pd.Categorical(outcome, categories=list(OUTCOMES)),
            "label": pd.array(np.where(label < 0, None, label).tolist(), dtype="Int64"),
            "p": np.where(scored, rng.integers(0, 101, n) / 100, np.nan),
            "path": np.where(scored, rng.choice(["both", "ehr"], n), None),
        }
    )


def some_of(*options: str) -> Any:
    return st.lists(st.sampled_from(options), unique=True, max_size=len(options)).map(tuple)


def pair_of(numbers: Any) -> Any:
    return st.none() | st.tuples(numbers, numbers).map(lambda two: (min(two), max(two)))


FILTERS = st.builds(
    Filters,
    q=st.sampled_from(["", "3", "300", "301", "10", "1004", "9"]),
    where=some_of(*WHERE),
    rule=some_of(*RULES),
    split=some_of(*SPLITS),
    sex=some_of("F", "M"),
    age=pair_of(st.integers(15, 95)),
    unit=some_of(*UNITS),
    disease=some_of(*DISEASES),
    ecg=some_of("yes", "no"),
    outcome=some_of(*OUTCOMES),
    p=pair_of(st.integers(0, 100).map(lambda number: number / 100)),
    verdict=some_of(*VERDICTS),
    thr=st.integers(0, 100).map(lambda number: number / 100),
    thr_ehr=st.integers(0, 100).map(lambda number: number / 100),
)
