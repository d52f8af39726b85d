"""Differences between two groups: statsmodels and scipy as oracles, hand-computed ones, the edges."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from cohort_support import FIVE_DAYS, RUN, hold, made_up_stays
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from store_support import MakeStore, make_sqlite

from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from dashboard.cohort_comparison import COLUMNS, compared
from lemof_core.evaluation.balance import NOT_ESTIMABLE, mean_and_sd, of_means, of_shares

__all__ = ["make_sqlite"]
AGES = st.lists(st.integers(18, 95), min_size=2, max_size=40)


def test_the_standardised_difference_of_shares_by_hand() -> None:
    found = of_shares(30, 100, 50, 100)
    assert found.value == pytest.approx(-0.2)
    assert found.standardised == pytest.approx(-0.2 / np.sqrt((0.3 * 0.7 + 0.5 * 0.5) / 2))


def test_newcombes_interval_is_made_of_two_wilson_intervals() -> None:
    k_1, n_1, k_2, n_2 = 56, 70, 48, 80  # the first example of Newcombe 1998: 0.0524 to 0.3339
    found = of_shares(k_1, n_1, k_2, n_2)
    assert (found.lo, found.hi) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    one, two = (stats.binomtest(k, n).proportion_ci(method="wilson") for k, n in ((k_1, n_1), (k_2, n_2)))
    low = 0.2 - np.hypot(0.8 - one.low, two.high - 0.6)
    assert found.lo == pytest.approx(low)


@given(first=AGES, second=AGES)
def test_means_are_welchs(first: list[int], second: list[int]) -> None:
    found = of_means(Counter(first), Counter(second))
    if np.var(first) + np.var(second) == 0:
        assert found.value == found.lo == found.hi == np.mean(first) - np.mean(second)
        return
    oracle = CompareMeans(DescrStatsW(first), DescrStatsW(second)).tconfint_diff(usevar="unequal")
    assert (found.lo, found.hi) == pytest.approx(oracle)
    pooled = np.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / 2)
    assert found.standardised == pytest.approx((np.mean(first) - np.mean(second)) / pooled)
    assert mean_and_sd(Counter(first)) == pytest.approx((np.mean(first), np.std(first, ddof=1)))


def test_what_is_too_small_is_not_estimable() -> None:
    assert of_shares(0, 0, 3, 5) == of_means({50: 1}, {50: 3}) == of_means({}, {}) == NOT_ESTIMABLE
    assert mean_and_sd({50: 1}) is None
    assert of_shares(5, 5, 0, 5).standardised == np.inf, "all against none is the largest difference there is"
    assert of_shares(0, 5, 5, 5).standardised == -np.inf
    assert of_shares(0, 5, 0, 9).standardised == 0.0


def test_swapping_the_cohorts_flips_every_sign(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    browser = Browser(store, RUN)
    women, old = Filters(where=("in",), sex=("F",)), Filters(where=("in",), age=(60, 95))
    one, two = compared(browser, (women, old), FIVE_DAYS), compared(browser, (old, women), FIVE_DAYS)
    assert list(one.columns) == COLUMNS
    merged = one.merge(two, on=["kind", "characteristic"], suffixes=("", "_swapped"))
    assert len(merged) == len(one) == len(two)
    np.testing.assert_allclose(merged["difference"].astype(float), -merged["difference_swapped"].astype(float))
    np.testing.assert_allclose(merged["lo"].astype(float), -merged["hi_swapped"].astype(float), atol=1e-9)
    assert (merged["first"] == merged["second_swapped"]).all()


def test_the_rows_count_what_pandas_counts(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    frame = made_up_stays()
    groups = [frame[frame["in_cohort"] & (frame["sex"] == "F")], frame[frame["in_cohort"]]]
    rows = compared(Browser(store, RUN), (Filters(where=("in",), sex=("F",)), Filters(where=("in",))), FIVE_DAYS)
    rows = rows.set_index("characteristic")
    for words, chosen in (
        ("MICU", lambda some: some["unit"] == "MICU"),
        ("Sepsis", lambda some: some["disease_groups"].str.contains("sepsis")),
        ("ECG: a lead flagged", lambda some: some["quality"] == "flagged"),
    ):
        wanted = [f"{int(chosen(some).sum()):,} ({100 * chosen(some).mean():.0f} %)" for some in groups]
        assert rows.loc[words, ["first", "second"]].tolist() == wanted
    assert (
        rows.loc["Age in years, mean ± SD", "first"]
        == f"{groups[0]['age_years'].mean():.1f} ± {groups[0]['age_years'].std():.1f}"
    )
    sizes = rows["standardised"].astype(float).abs().dropna()
    assert sizes.is_monotonic_decreasing and pd.isna(rows["standardised"]).sum() < len(rows)
