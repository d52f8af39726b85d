"""The list that is leafed through: what the URL says of it is the whole of it, in order, and holds no free text."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from cohort_support import FILTERS, FIVE_DAYS, RUN, UNITS, hold, made_up_stays
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort_db.browse import Browser
from cohort_db.store import open_store
from dashboard.cohort_filters import SORTS, Filters
from dashboard.stay_list import StayList, neighbours, read_list

LISTS = st.builds(StayList, FILTERS, st.sampled_from(list(SORTS)))


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> list[Browser]:
    """The same stays as one run sees them, and as no run does."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('list') / 'cohort.db'}", create=True)
    hold(store, made_up_stays())
    return [Browser(store, RUN), Browser(store, None)]


@settings(max_examples=150, deadline=None)
@given(listed=LISTS)
def test_a_link_leads_through_the_very_list_it_was_made_of(browsers: list[Browser], listed: StayList) -> None:
    again = read_list(listed.written())
    assert again.ids(browsers[0]).tolist() == listed.ids(browsers[0]).tolist()
    assert again.written() == listed.written()
    if listed.filters.verdict:
        assert again == listed
    else:  # thresholds that decide nothing do not travel
        assert again == replace(listed, filters=replace(listed.filters, thr=0.5, thr_ehr=0.5))


def test_the_whole_cohort_by_number_needs_no_words() -> None:
    assert StayList().written() == ""
    assert read_list("") == StayList()
    everybody = StayList(Filters())
    assert everybody.written() == "where=" and read_list("where=") == everybody


def test_a_list_is_short_and_names_codes() -> None:
    listed = StayList(Filters(where=("in",), sex=("F",), age=(40, 90), p=(0.2, 0.85)), "error")
    assert listed.written() == "sex=F&age=40_90&p=0.2_0.85&sort=error"


@pytest.mark.parametrize("unit", ["Neuro & Spine=1", "ünïcode", "a_b.c-d", "100%", "+"])
def test_names_that_a_store_gives_survive_the_link(unit: str) -> None:
    listed = StayList(Filters(unit=(unit, UNITS[0])))
    assert read_list(listed.written()) == listed


@given(listed=LISTS)
def test_a_link_holds_nothing_that_a_reader_could_have_typed_but_digits(listed: StayList) -> None:
    for name, value in parse_qsl(listed.written(), keep_blank_values=True):
        if name not in ("unit", "disease", "rule"):  # names of the store
            assert value in {"", "in", "out", *SORTS} or re.fullmatch(r"[a-z]+|[FM]|[\d._]+", value), (name, value)


@pytest.mark.parametrize(
    "text",
    ["q=John", "name=John", "sex=X", "sort=age", "age=40", "age=old_young", "p=0.1_0.2_0.3", "where=all", "thr=high",
     "unit=", "sex", "where=in&where=", "cohort=a b", "cohort=", "race=tall", "error=0.1"],
)  # fmt: skip
def test_what_is_no_list_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(ValueError):
        read_list(text)


@given(listed=LISTS)
@settings(deadline=None)
def test_another_run_changes_a_list_only_where_it_says_so(browsers: list[Browser], listed: StayList) -> None:
    if not listed.reads_run:
        assert listed.ids(browsers[0]).tolist() == listed.ids(browsers[1]).tolist()


@given(listed=LISTS)
def test_the_way_back_to_the_cohort_names_every_filter_as_its_widget_does(listed: StayList) -> None:
    query = listed.cohort_query(FIVE_DAYS)
    ordered = {"sort"} if listed.order != "id" else set()
    assert set(query) - {"thr", "thr_ehr"} == {*listed.filters.active(), "where", *ordered}
    for name in ("age", "p", "error"):
        if name in query:
            assert tuple(float(end) for end in query[name]) == getattr(listed.filters, name)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30, unique=True))
def test_next_visits_every_listed_stay_once_in_the_order_shown(stays: list[int]) -> None:
    order, visited = np.array(stays), [stays[0]]
    while (after := neighbours(visited[-1], order)[2]) is not None:
        visited.append(after)
    assert visited == stays
    assert [neighbours(stay, order)[0] for stay in stays] == list(range(1, len(stays) + 1))
    assert [neighbours(stay, order)[1] for stay in stays] == [None, *stays[:-1]]


def test_a_stay_that_is_not_listed_stands_between_its_numbers() -> None:
    assert neighbours(25, np.array([30, 10, 20])) == (None, 20, 30)
    assert neighbours(5, np.array([30, 10, 20])) == (None, None, 10)
    assert neighbours(5, np.empty(0, np.int64)) == (None, None, None)
