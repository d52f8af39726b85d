"""The mean over seeds: one seed is left as it is, the interval against scipy's own and against simulated fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from lemof_core.benchmark.over_seeds import over_seeds

Z = 1.959964


def rows(values: list[float], half: float = 0.01) -> pd.DataFrame:
    named = [{"seed": at, "value": value, "lo": value - half, "hi": value + half} for at, value in enumerate(values)]
    return pd.DataFrame(named).assign(fusion="daft", n=100)


def one(frame: pd.DataFrame) -> pd.Series:
    return over_seeds(frame, ("fusion",)).iloc[0]


def test_seeds_are_averaged_with_their_number_and_range() -> None:
    found = one(rows([0.70, 0.74, 0.72]).assign(seed=[0, 1, 5], events=[40, 41, 40]))
    assert (found["value"], found["n_seeds"], found["seed_lo"], found["seed_hi"]) == pytest.approx((0.72, 3, 0.7, 0.74))
    assert (found["seeds"], found["n"], found["events"]) == ([0, 1, 5], 100, 41)


def test_what_is_not_a_seed_is_never_averaged() -> None:
    with pytest.raises(ValueError, match="several rows of one seed"):
        one(rows([0.70, 0.74]).assign(seed=0))


def test_the_interval_of_one_seed_is_its_own_and_may_be_uneven() -> None:
    found = one(pd.DataFrame([{"fusion": "daft", "seed": 3, "value": 0.7, "lo": 0.66, "hi": 0.71}]))
    assert (found["lo"], found["hi"]) == pytest.approx((0.66, 0.71))


def test_seeds_that_agree_leave_the_patients_interval() -> None:
    found = one(rows([0.72, 0.72, 0.72], half=0.01))
    assert (found["lo"], found["hi"]) == pytest.approx((0.71, 0.73), abs=1e-9)


def test_without_noise_of_patients_it_is_students_interval() -> None:
    values = [0.70, 0.74, 0.72, 0.71]
    found = one(rows(values, half=0.0))
    expected = t.interval(0.95, 3, loc=np.mean(values), scale=np.std(values, ddof=1) / 2)
    assert (found["lo"], found["hi"]) == pytest.approx(expected)


def test_a_seed_without_a_number_counts_for_nothing() -> None:
    found = one(rows([0.70, float("nan"), 0.74]))
    assert (found["n_seeds"], found["value"]) == (2, pytest.approx(0.72))
    none = one(rows([float("nan"), float("nan")]))
    assert none["n_seeds"] == 0 and none[["value", "lo", "hi"]].isna().all()


@pytest.mark.parametrize("of_fits", [0.2, 1.0, 3.0])
def test_it_holds_the_truth_as_often_as_it_says(of_fits: float) -> None:
    """1,500 studies of 4 seeds: one error of the shared patients, whose size is known, and one of each fit."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1500, 1)) + of_fits * rng.normal(size=(1500, 4))
    frame = pd.DataFrame({"study": np.repeat(np.arange(1500), 4), "seed": np.tile(np.arange(4), 1500)})
    frame = frame.assign(value=values.ravel(), lo=values.ravel() - Z, hi=values.ravel() + Z)
    found = over_seeds(frame, ("study",))
    held = float(((found["lo"] < 0) & (found["hi"] > 0)).mean())
    assert 0.935 < held < 0.975
