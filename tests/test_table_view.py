"""The tabular view of a day: hand-computed numbers, numpy as oracle, and what may not move them."""

from __future__ import annotations

import numpy as np
import pytest
from core_support import made_up_cohort

from lemof_core.batch import ScaledCohort
from lemof_core.boosted_trees import BoostedTrees
from lemof_core.ehr_series import Scaler, carry_forward
from lemof_core.table_view import N_SERIES_COLUMNS, SERIES_COLUMNS, tabular_view

N_HOURS = 24
nan = np.nan


def of_hours(*days: list[float]) -> dict[str, np.ndarray]:
    """Return the columns of one-variable days, given hour by hour."""
    value, mask, since = carry_forward(np.array(days, dtype=np.float32)[:, None])
    seen = tabular_view(value, mask, since, np.zeros((len(days), 0)), np.zeros((len(days), 0)))
    return dict(zip(SERIES_COLUMNS, seen.T, strict=True))


def one_day(*hours: float) -> dict[str, float]:
    return {name: float(column[0]) for name, column in of_hours(list(hours)).items()}


def scaled(n: int = 40) -> ScaledCohort:
    """Return a cohort where the first stay's first variable was never seen and its first static is unknown."""
    arrays = made_up_cohort(n)
    arrays.series[0, 0] = np.nan
    arrays.static[0, 0] = np.nan
    return Scaler.fit(arrays, np.arange(n)).transform(arrays)


def view(cohort: ScaledCohort) -> np.ndarray:
    return tabular_view(cohort.value, cohort.mask, cohort.since, cohort.static, cohort.static_mask)


def series_of(table: np.ndarray, n_series: int = 6) -> dict[str, np.ndarray]:
    """Return each column as (n, V)."""
    columns = table[:, : n_series * N_SERIES_COLUMNS].reshape(len(table), n_series, N_SERIES_COLUMNS)
    return {name: columns[..., index] for index, name in enumerate(SERIES_COLUMNS)}


def test_a_day_of_three_values_by_hand() -> None:
    # Hours 1, 2, 5 with 2, -1, 1.5: mean hour 8/3, gaps -5/3, -2/3, 7/3, so slope (-10/3 + 2/3 + 3.5) / (78/9).
    found = one_day(nan, 2.0, -1.0, nan, nan, 1.5, nan, nan)
    expected = dict(zip(SERIES_COLUMNS, (1.5, 2.5 / 3, -1.0, 2.0, 3, (5 / 6) / (78 / 9), 2.0, 0), strict=True))
    assert found == pytest.approx(expected)


def test_a_variable_never_seen_is_unknown_and_said_to_be() -> None:
    found = one_day(*[nan] * 6)
    assert (found.pop("count"), found.pop("missing")) == (0, 1)
    assert np.isnan(list(found.values())).all()


def test_one_value_has_no_slope() -> None:
    found = one_day(nan, 0.7, nan)
    assert np.isnan(found.pop("slope"))
    expected = {"last": 0.7, "mean": 0.7, "min": 0.7, "max": 0.7, "count": 1, "hours since last": 1, "missing": 0}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("first_hour", [0, 3, 20])
def test_a_straight_line_has_its_own_slope_wherever_it_stands(first_hour: int) -> None:
    day = [nan] * N_HOURS
    for hour in range(first_hour, first_hour + 4):
        day[hour] = 0.25 * hour - 1
    assert one_day(*day)["slope"] == pytest.approx(0.25)


def test_every_number_is_numpys_of_the_observed_hours() -> None:
    cohort = scaled()
    columns = series_of(view(cohort))
    n_checked = 0
    for stay, variable in np.ndindex(*cohort.value.shape[:2]):
        hours = np.flatnonzero(cohort.mask[stay, variable])
        if len(hours) < 2:
            continue
        seen = cohort.value[stay, variable, hours].astype(np.float64)
        oracle = {
            "last": seen[-1],
            "mean": np.mean(seen),
            "min": np.min(seen),
            "max": np.max(seen),
            "count": len(seen),
            "slope": np.polyfit(hours, seen, 1)[0],
            "hours since last": 23 - hours[-1],
            "missing": 0,
        }
        found = {name: float(column[stay, variable]) for name, column in columns.items()}
        assert found == pytest.approx(oracle, abs=1e-5)
        n_checked += 1
    assert n_checked > 200


@pytest.mark.parametrize("junk", [50.0, np.nan, np.inf])
def test_what_stands_in_an_unobserved_hour_never_matters(junk: float) -> None:
    cohort = scaled()
    moved = np.where(cohort.mask > 0, cohort.value, junk).astype(np.float32)
    static = np.where(cohort.static_mask > 0, cohort.static, junk)
    again = tabular_view(moved, cohort.mask, cohort.since, static, cohort.static_mask)
    np.testing.assert_array_equal(again, view(cohort))


def test_an_unobserved_hour_more_makes_the_last_value_older_and_nothing_else() -> None:
    days = np.random.default_rng(0).normal(size=(20, 12))
    days[np.random.default_rng(1).random(days.shape) < 0.7] = nan
    short, long = of_hours(*days.tolist()), of_hours(*np.column_stack([days, np.full(20, nan)]).tolist())
    older = short.pop("hours since last") + 1
    np.testing.assert_allclose(long.pop("hours since last"), older, rtol=1e-6)
    for name, column in short.items():
        np.testing.assert_array_equal(long[name], column)


def test_later_hours_shift_no_slope() -> None:
    day = [0.1, nan, 0.9, -0.4]
    shifted = one_day(*[nan] * 5, *day)
    for name, number in one_day(*day).items():
        assert shifted[name] == pytest.approx(number), name


def test_columns_are_facts_of_each_series_then_statics() -> None:
    cohort = scaled()
    of_series = [f"{name} {column}" for name in cohort.arrays.series_names for column in SERIES_COLUMNS]
    table, names = view(cohort), [*of_series, *cohort.arrays.static_names]
    assert table.shape == (40, len(names)) and table.dtype == np.float32 and len(set(names)) == len(names)
    by_name = dict(zip(names, table.T, strict=True))
    np.testing.assert_array_equal(by_name["series_3 count"], cohort.mask[:, 3].sum(-1))
    np.testing.assert_array_equal(by_name["sex"], cohort.static[:, 1])
    assert np.isnan(by_name["age"][0]) and np.isfinite(by_name["age"][1:]).all()
    assert by_name["series_0 missing"].tolist() == [1.0] + [0.0] * 39


def test_a_stay_is_read_without_its_neighbours() -> None:
    cohort = scaled()
    fields = ("value", "mask", "since", "static", "static_mask")
    alone = tabular_view(*(getattr(cohort, name)[[7]] for name in fields))
    np.testing.assert_array_equal(alone[0], view(cohort)[7])


def test_trees_learn_from_it() -> None:
    cohort = scaled(600)
    table = view(cohort)
    severity = series_of(table)["mean"][:, 0]
    y = (severity > np.nanmedian(severity)).astype(float)
    trees = BoostedTrees.fit(table[:400], y[:400], seed=0)
    assert ((trees.logit(table[400:]) > 0) == (y[400:] == 1)).mean() > 0.95
