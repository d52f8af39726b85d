"""The list that is leafed through: what the URL says of it is the whole of it, in order, and holds no free text."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from cohort_support import FILTERS, FIVE_DAYS, UNITS, made_up_stays
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.cohort_filters import SORTS, Filters, filter_stays, sort_stays
from dashboard.stay_list import StayList, neighbours, read_list

LISTS = st.builds(StayList, FILTERS, st.sampled_from(list(SORTS)))


@settings(max_examples=150, deadline=None)
@given(listed=LISTS)
def test_a_link_leads_through_the_very_list_it_was_made_of(listed: StayList) -> None:
    frame = made_up_stays()
    again = read_list(listed.written())
    wanted = sort_stays(filter_stays(frame, listed.filters), listed.order)["stay_id"].tolist()
    assert again.ids(frame).tolist() == wanted == listed.ids(frame).tolist()
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
     "unit=", "sex", "where=in&where="],
)  # fmt: skip
def test_what_is_no_list_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(ValueError):
        read_list(text)


@given(listed=LISTS)
@settings(deadline=None)
def test_another_run_changes_a_list_only_where_it_says_so(listed: StayList) -> None:
    frame = made_up_stays()
    other = frame.assign(p=frame["p"].iloc[::-1].to_numpy(), split=frame["split"].iloc[::-1].to_numpy())
    if not listed.reads_run:
        assert listed.ids(other).tolist() == listed.ids(frame).tolist()


@given(listed=LISTS)
def test_the_way_back_to_the_cohort_names_every_filter_as_its_widget_does(listed: StayList) -> None:
    query = listed.cohort_query(FIVE_DAYS)
    ordered = {"sort"} if listed.order != "id" else set()
    assert set(query) - {"thr", "thr_ehr"} == {*listed.filters.active(), "where", *ordered}
    for name in ("age", "p"):
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
