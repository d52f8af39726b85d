"""Typicality: a patient like the fit's is rarely called outside, an altered one is, and what was altered is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from core_support import made_up_cohort

from lemof_core.batch import CohortArrays
from lemof_core.typicality import (
    FEWEST_CAL,
    OUTSIDE,
    Typicality,
    ecg_facts,
    ehr_facts,
    fit_typicality,
    judge,
)

N = 900
SPLITS = {"train": np.arange(400), "cal": np.arange(400, 600)}
NEW = np.arange(600, N)


@pytest.fixture(scope="module")
def arrays() -> CohortArrays:
    return made_up_cohort(N, seed=3)


@pytest.fixture(scope="module")
def typical(arrays: CohortArrays) -> dict[str, Typicality]:
    return fit_typicality(arrays, SPLITS)


def test_facts_are_mean_last_and_count_by_hand(arrays: CohortArrays) -> None:
    series = np.full((1, 6, 24), np.nan, dtype=np.float32)
    series[0, 2, [3, 10]] = [4.0, 7.0]
    own = replace(arrays.take(np.array([0])), series=series)
    facts = ehr_facts(own)
    of_third = {
        place: value
        for place, (name, value) in enumerate(zip(facts.names, facts.values[0], strict=True))
        if name == "series_2"
    }
    assert list(of_third.values()) == pytest.approx([5.5, 7.0, np.log(3)])
    unknown = [value for name, value in zip(facts.names, facts.values[0], strict=True) if name == "series_0"]
    assert np.isnan(unknown[:2]).all() and unknown[2] == 0


def test_of_new_patients_like_the_fits_few_are_outside(arrays: CohortArrays, typical: dict[str, Typicality]) -> None:
    found = judge(typical, arrays.take(NEW))
    p = found["typical_ehr"]
    assert np.isfinite(p).all() and (p > 0).all() and (p <= 1).all()
    assert (p < OUTSIDE).mean() <= 0.05
    assert p.mean() == pytest.approx(0.5, abs=0.1)  # uniform over patients like those of cal
    present = arrays.ecg_present[NEW]
    np.testing.assert_array_equal(np.isfinite(found["typical_ecg"]), present)


def test_p_values_are_the_counted_share_of_calibration_patients(
    arrays: CohortArrays, typical: dict[str, Typicality]
) -> None:
    values = ehr_facts(arrays.take(NEW[:20])).values
    cal = typical["ehr"].distances(ehr_facts(arrays.take(SPLITS["cal"])).values)
    counted = [(1 + (cal >= one).sum()) / (len(cal) + 1) for one in typical["ehr"].distances(values)]
    np.testing.assert_allclose(typical["ehr"].p_values(values), counted)


def test_an_altered_variable_is_outside_and_named(arrays: CohortArrays, typical: dict[str, Typicality]) -> None:
    series = arrays.series[NEW[:8]].copy()
    series[:, 4] = 400.0  # a hundred times what was ever seen
    found = judge(typical, replace(arrays.take(NEW[:8]), series=series))
    assert (found["typical_ehr"] < OUTSIDE).all()
    for named in found["unusual"]:
        assert named is not None and named[0][:2] == ["ehr", "series_4"]


def test_noise_in_place_of_an_ecg_is_outside(arrays: CohortArrays, typical: dict[str, Typicality]) -> None:
    own = arrays.take(NEW[arrays.ecg_present[NEW]][:8])
    noise = np.random.default_rng(0).normal(size=own.ecg_uv.shape) * 900
    found = judge(typical, replace(own, ecg_uv=noise.astype(np.int16), aux=np.full_like(own.aux, np.nan)))
    assert (found["typical_ecg"] < OUTSIDE).all()
    assert all(named and named[0][0] == "ecg" for named in found["unusual"])


def test_too_few_calibration_patients_give_no_verdict(arrays: CohortArrays) -> None:
    few = fit_typicality(arrays, SPLITS | {"cal": np.arange(400, 400 + FEWEST_CAL - 1)})
    assert few == {}
    found = judge(few, arrays.take(NEW[:3]))
    assert np.isnan(found["typical_ehr"]).all() and found["unusual"] == [None] * 3


def test_a_fact_that_nobody_had_or_that_never_varied_moves_nothing(arrays: CohortArrays) -> None:
    series = arrays.series.copy()
    series[:, 0] = np.nan
    static = arrays.static.copy()
    static[:, 1] = 1.0
    changed = replace(arrays, series=series, static=static)
    found = fit_typicality(changed, SPLITS)["ehr"]
    assert np.isfinite(found.distances(ehr_facts(changed).values)).all()


def test_what_is_saved_is_what_comes_back(arrays: CohortArrays, typical: dict[str, Typicality]) -> None:
    again = Typicality.from_arrays(typical["ecg"].names, typical["ecg"].to_arrays())
    values = ecg_facts(arrays.take(NEW)).values
    np.testing.assert_array_equal(again.p_values(values), typical["ecg"].p_values(values))
