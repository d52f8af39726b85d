"""Charted values to hourly series: the guard at t0, carry-forward, and scaling that no test row can move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from core_support import made_up_cohort
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from lemof_core.ehr_series import Scaler, carry_forward, hourly_grid
from lemof_core.errors import ModelMistake

HOUR = 3600
T0 = 24 * HOUR


def grid(rows: list[tuple[float, float | None, float]]) -> np.ndarray:
    """Return the (24,) series of (offset_s, stored_offset_s, value) rows of one sample and variable."""
    frame = pd.DataFrame(rows, columns=["offset_s", "stored_offset_s", "value"]).assign(row=0, column=0)
    frame["stored_offset_s"] = frame["stored_offset_s"].astype("float64")
    return hourly_grid(frame, n_samples=1, n_variables=1, t0_offset_s=np.array([T0]))[0, 0]


def test_values_of_an_hour_are_averaged_and_hours_are_counted_from_admission() -> None:
    found = grid([(0, None, 1.0), (HOUR - 1, None, 3.0), (HOUR, None, 7.0), (T0 - 1, None, 9.0)])
    assert found[0] == 2.0 and found[1] == 7.0 and found[23] == 9.0
    assert np.isnan(found[2:23]).all()


def test_nothing_after_t0_enters_and_t0_itself_does() -> None:
    assert np.isnan(grid([(T0 + 1, None, 5.0)])).all()
    assert grid([(T0, None, 5.0)])[23] == 5.0


def test_nothing_stored_after_t0_enters_though_it_was_drawn_before() -> None:
    assert np.isnan(grid([(10 * HOUR, T0 + 60, 5.0)])).all()
    assert grid([(10 * HOUR, T0, 5.0)])[10] == 5.0


def test_nothing_before_the_window_enters() -> None:
    assert np.isnan(grid([(-1, None, 5.0)])).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-HOUR, 48 * HOUR), st.integers(0, 60 * HOUR), st.floats(-1e3, 1e3)), max_size=30))
def test_what_comes_after_t0_can_never_change_the_series(rows: list[tuple[int, int, float]]) -> None:
    known = [row for row in rows if row[0] <= T0 and row[1] <= T0]
    np.testing.assert_array_equal(grid([*rows]), grid([*known]))


def test_carry_forward_by_hand() -> None:
    series = np.array([[[np.nan, 2.0, np.nan, 4.0]]], dtype=np.float32)
    value, mask, since = carry_forward(series)
    np.testing.assert_array_equal(value[0, 0], [np.nan, 2, 2, 4])
    np.testing.assert_array_equal(mask[0, 0], [0, 1, 0, 1])
    np.testing.assert_allclose(since[0, 0], [1, 0, 0.25, 0])


def test_fitted_statistics_do_not_move_when_other_rows_change() -> None:
    arrays = made_up_cohort(80)
    train = np.arange(50)
    before = Scaler.fit(arrays, train)
    arrays.series[50:] = 1e6
    arrays.static[50:] = -1e6
    arrays.aux[50:] = 77
    after = Scaler.fit(arrays, train)
    assert before.to_json() == after.to_json()


def test_scaled_training_values_are_normal_scores_and_order_is_kept() -> None:
    arrays = made_up_cohort(200)
    scaler = Scaler.fit(arrays, np.arange(200))
    scaled = scaler.transform(arrays)
    observed = np.isfinite(arrays.series[:, 0])
    raw, score = arrays.series[:, 0][observed], scaled.value[:, 0][observed]
    order = np.argsort(raw)
    assert (np.diff(score[order]) >= -1e-6).all()
    median = np.argmin(np.abs(raw - np.median(raw)))
    assert abs(score[median]) < 0.05
    upper = np.argmin(np.abs(raw - np.quantile(raw, 0.9)))
    assert score[upper] == pytest.approx(norm.ppf(0.9), abs=0.05)


def test_tied_values_get_their_middle_rank_and_unknown_ones_zero() -> None:
    arrays = made_up_cohort(100)
    arrays.series[:, 1] = 100.0
    arrays.series[:50, 1] = 90.0
    scaled = Scaler.fit(arrays, np.arange(100)).transform(arrays)
    assert scaled.value[0, 1, -1] == pytest.approx(norm.ppf(0.25), abs=0.1)
    assert scaled.value[99, 1, -1] == pytest.approx(norm.ppf(0.75), abs=0.1)
    arrays.series[3, 2] = np.nan
    assert (Scaler.fit(arrays, np.arange(100)).transform(arrays).value[3, 2] == 0).all()


def test_a_variable_never_seen_in_training_is_zero_everywhere() -> None:
    arrays = made_up_cohort(60)
    arrays.series[:40, 2] = np.nan
    scaled = Scaler.fit(arrays, np.arange(40)).transform(arrays)
    assert (scaled.value[:, 2] == 0).all()


def test_a_scaler_survives_json_and_refuses_other_variables() -> None:
    arrays = made_up_cohort(60)
    scaler = Scaler.fit(arrays, np.arange(40))
    again = Scaler.from_json(scaler.to_json())
    np.testing.assert_array_equal(again.transform(arrays).value, scaler.transform(arrays).value)
    with pytest.raises(ModelMistake, match="lactate"):
        scaler.transform(replace(arrays, series_names=(*arrays.series_names[:-1], "lactate")))
    with pytest.raises(ModelMistake, match="n = 1"):
        Scaler.fit(arrays, np.arange(1))
