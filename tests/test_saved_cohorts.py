"""Saved cohorts keep their stays, tell when their definition gives others by now, and refuse what cannot be kept."""

from __future__ import annotations

import numpy as np
import pytest
from cohort_support import FEW, FIVE_DAYS, RUN, hold, made_up_stays
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_support import MakeStore, make_store

from cohort_db import saved_cohorts as saved
from cohort_db.browse import Browser
from cohort_db.errors import InputMistake
from cohort_db.stay_filters import Filters
from cohort_db.store import Store, open_store
from dashboard.cohort_words import chosen_by

__all__ = ["make_store"]
WOMEN = Filters(where=("in",), sex=("F",))
OLD = Filters(where=("in",), age=(60, 95))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('saved') / 'cohort.db'}", create=True)
    hold(store, made_up_stays())
    return store


def test_what_is_saved_comes_back_as_it_was(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    wanted = np.sort(Browser(store, RUN).stay_ids(WOMEN))
    cohort_id = saved.save(store, "  Women \n of the cohort ", "A. Reader", saved.of_filters(WOMEN, RUN), note="why")
    found = saved.get(store, cohort_id)
    assert (found.name, found.author, found.note, found.n) == ("Women of the cohort", "A. Reader", "why", len(wanted))
    assert found.definition == {"kind": "filters", "filters": {"where": ["in"], "sex": ["F"]}, "run_id": None}
    assert saved.members(store, cohort_id).tolist() == wanted.tolist()
    assert saved.listed(store)["cohort_id"].tolist() == [cohort_id]
    assert Browser(store, RUN).stay_ids(Filters(cohort=cohort_id)).tolist() == wanted.tolist()
    assert saved.still_there(store, cohort_id) == len(wanted)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=FEW)
def test_a_definition_gives_the_filters_it_was_made_of(held: Store, filters: Filters) -> None:
    definition = saved.of_filters(filters, RUN)
    again = saved.filters_of(definition)
    browser = Browser(held, RUN)
    assert again.active() == filters.active()
    assert browser.stay_ids(again).tolist() == browser.stay_ids(filters).tolist()
    assert saved.now(held, definition).tolist() == sorted(browser.stay_ids(filters).tolist())  # type: ignore[union-attr]


@given(first=st.sets(st.integers(1, 50)), second=st.sets(st.integers(1, 50)))
def test_set_operations_are_those_of_sets(first: set[int], second: set[int]) -> None:
    lists = [np.array(sorted(one), dtype=np.int64) for one in (first, second)]
    assert set(saved.combined("and", *lists)) == first & second
    assert set(saved.combined("or", *lists)) == first | second
    assert set(saved.combined("minus", *lists)) == first - second


def test_a_set_operation_is_defined_by_what_its_two_cohorts_are_today(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    women, old = (
        saved.save(store, name, "a", saved.of_filters(one, RUN)) for name, one in (("women", WOMEN), ("old", OLD))
    )
    both = saved.save(store, "both", "a", saved.of_operation("and", women, old))
    frame = made_up_stays()
    chosen = frame["in_cohort"] & (frame["sex"] == "F") & (frame["age_years"] >= 60)
    assert saved.members(store, both).tolist() == sorted(frame.loc[chosen, "stay_id"])
    with store.writing() as conn:  # everybody is a woman by now
        conn.exec_driver_sql("UPDATE stay_facet SET sex = 0")
    assert saved.get(store, both).n == int(chosen.sum()), "what was saved stays"
    today = saved.now(store, saved.get(store, both).definition)
    assert today is not None and len(today) == int((frame["in_cohort"] & (frame["age_years"] >= 60)).sum())


def test_a_stay_that_a_re_ingest_took_away_is_missed_and_not_forgotten(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    gone = int(made_up_stays().loc[~made_up_stays()["in_cohort"], "stay_id"].iloc[0])
    kept = int(made_up_stays().loc[made_up_stays()["in_cohort"], "stay_id"].iloc[0])
    cohort_id = saved.save(store, "two", "a", saved.of_list("by hand"), stay_ids=[gone, kept, gone])
    with store.writing() as conn:
        for table in ("stay_facet", "exclusion", "stay"):
            conn.exec_driver_sql(f"DELETE FROM {table} WHERE stay_id = {gone}")
    assert saved.get(store, cohort_id).n == 2 and saved.still_there(store, cohort_id) == 1
    assert saved.members(store, cohort_id).tolist() == sorted([gone, kept])
    assert saved.now(store, saved.get(store, cohort_id).definition) is None, "nothing defines a list"
    assert Browser(store, RUN).stay_ids(Filters(cohort=cohort_id)).tolist() == [kept]


def test_an_archived_cohort_is_not_listed_and_its_links_hold(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays(60))
    cohort_id = saved.save(store, "x", "a", saved.of_filters(WOMEN, None))
    saved.archive(store, cohort_id)
    assert saved.listed(store).empty and len(saved.listed(store, archived=True)) == 1
    assert len(saved.members(store, cohort_id)) == saved.get(store, cohort_id).n
    saved.archive(store, cohort_id, back=True)
    assert len(saved.listed(store)) == 1


@pytest.mark.parametrize(
    ("name", "author", "definition", "stay_ids", "told"),
    [
        ("", "a", saved.of_filters(WOMEN, None), None, "name"),
        ("x" * 121, "a", saved.of_filters(WOMEN, None), None, "name"),
        ("x", "  ", saved.of_filters(WOMEN, None), None, "author"),
        ("x", "a", saved.of_filters(Filters(q="999"), None), None, "no stay to save"),
        ("x", "a", saved.of_list("none"), [], "no stay to save"),
        ("x", "a", saved.of_list("none"), None, "no stay to save"),
        ("x", "a", saved.of_list("strange"), [7], "no ICU stay 7"),
        ("x", "a", {"kind": "operation", "operation": "and", "of": ["no", "no"]}, None, "no saved cohort no"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_stored(
    held: Store, name: str, author: str, definition: dict[str, object], stay_ids: list[int] | None, told: str
) -> None:
    before = len(saved.listed(held, archived=True))
    with pytest.raises(InputMistake, match=told):
        saved.save(held, name, author, definition, stay_ids=stay_ids)
    assert len(saved.listed(held, archived=True)) == before


def test_two_listed_cohorts_never_share_a_name(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays(60))
    first = saved.save(store, "Women", "a", saved.of_filters(WOMEN, None))
    with pytest.raises(InputMistake, match="there is a saved cohort named 'Women'"):
        saved.save(store, " Women ", "b", saved.of_filters(OLD, None))
    saved.archive(store, first)
    assert saved.save(store, "Women", "b", saved.of_filters(OLD, None)) != first


def test_how_its_stays_were_chosen_is_said_in_words(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    filters = Filters(where=("in",), sex=("F",), split=("train",), error=(0.6, 1.0))
    women = saved.save(store, "Women", "a", saved.of_filters(filters, RUN))
    hand = saved.save(store, "By hand", "a", saved.of_list("three odd ones"), stay_ids=saved.members(store, women)[:3])
    both = saved.save(store, "Both", "a", saved.of_operation("minus", women, hand))
    names = {women: "Women", hand: "By hand"}
    told = [chosen_by(saved.get(store, one), FIVE_DAYS, names=names) for one in (women, hand, both)]
    assert told == [
        f"Filtered by: In the cohort, train, Women, error 0.60–1.00, as run {RUN} sees them.",
        "Chosen: three odd ones.",
        "Of “Women” and “By hand”: in the first, not in the second.",
    ]
    assert len(saved.sample_ids(store, hand)) == 3


def test_unknown_ids_and_operations_are_mistakes(held: Store) -> None:
    for ask in (saved.get, saved.members, saved.archive):
        with pytest.raises(saved.UnknownCohort, match="no saved cohort nobody"):
            ask(held, "nobody")
    with pytest.raises(InputMistake, match="one of and, or, minus"):
        saved.of_operation("xor", "a", "b")
