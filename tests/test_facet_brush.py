"""Facets: counts in words and bars, and what a brush reports kept within its scale."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.cohort_facets import UNIT_SCALE, binned, without
from dashboard.facet_brush import Scale
from dashboard.facet_counts import MOST, facet_counts

YEARS = Scale(18, 91, 1, whole=True)


def test_counts_stand_with_the_most_frequent_first_and_bars_in_proportion() -> None:
    text = facet_counts({"a": 10, "b": 40, "<c>": 20}, str.upper)
    assert re.findall(r"<span>(.*?) · <b>(\d+)</b>", text) == [("B", "40"), ("&lt;C&gt;", "20"), ("A", "10")]
    assert re.findall(r"width:([\d.]+)%", text) == ["100.0", "50.0", "25.0"]


def test_an_order_is_kept_and_what_nobody_has_is_left_out() -> None:
    text = facet_counts({"F": 1, "M": 3}, str, order=["F", "X", "M"])
    assert re.findall(r"<span>(\w)", text) == ["F", "M"]
    assert facet_counts({}, str) == '<div class="lemof-counts"></div>'


def test_of_many_values_the_rest_is_counted() -> None:
    text = facet_counts({str(number): number + 1 for number in range(MOST + 4)}, str)
    assert text.count("<i ") == MOST and "and 4 more" in text


@pytest.mark.parametrize(
    "report", [None, "0.1", [0.2], [0.1, 0.2, 0.3], [None, 1], [math.nan, 1], [0.1, math.inf], ["a", 1]]
)
def test_a_report_that_is_none_moves_nothing(report: object) -> None:
    assert UNIT_SCALE.within(report) is None


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_range_lies_within_the_scale_in_order_and_on_its_digits(one: float, two: float) -> None:
    found = UNIT_SCALE.within([one, two])
    if found is None:
        assert max(one, two) < 0 or min(one, two) > 1
        return
    assert 0 <= found[0] <= found[1] <= 1
    assert all(round(end, 2) == end for end in found)


def test_ages_are_whole_years() -> None:
    assert YEARS.within([40.2, 19.6]) == (20, 40)
    assert YEARS.within([1, 200]) == (18, 91)
    assert all(isinstance(end, int) for end in YEARS.within([40.2, 60.7]) or ())


@given(st.dictionaries(st.integers(18, 91), st.integers(1, 9), max_size=30))
def test_no_stay_is_lost_in_the_bars(ages: dict[int, int]) -> None:
    assert binned(ages, YEARS).sum() == sum(ages.values())
    assert len(binned(ages, YEARS)) == 37, "two whole years a bar"
    for number, n in enumerate(binned(ages, YEARS)):
        assert n == sum(ages.get(18 + 2 * number + more, 0) for more in (0, 1))
    assert binned({50: 3, 51: 4}, Scale(50, 51, 1, whole=True)).tolist() == [3, 4]


def test_a_filter_is_removed_by_what_asks_for_nothing() -> None:
    assert without("q", None) == "" and without("sex", None) == [] and without("age", None) is None
    assert without("age", YEARS) == (18, 91) and without("p", YEARS) == without("error", YEARS) == (0.0, 1.0)
