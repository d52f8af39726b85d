"""The cohort browser counts what another way of counting counts: plain SQL over a table made apart from the store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort_support import DISEASES, FEW, RUN, UNITS, hold, made_up_stays
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix
from store_support import MakeStore, make_sqlite, make_store

from cohort_db import browse, facets
from cohort_db.browse import BINS, CODED, Browser
from cohort_db.stay_filters import ECG, SPLITS, Filters
from cohort_db.store import Store, open_store
from dashboard.cohort_filters import SORTS

__all__ = ["make_sqlite", "make_store"]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('browse') / 'cohort.db'}", create=True)
    hold(store, made_up_stays())
    return store


@pytest.fixture(scope="module")
def browser(held: Store) -> Browser:
    return Browser(held, RUN)


@pytest.fixture(scope="module")
def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    frame = made_up_stays()
    plain = frame.astype(dict.fromkeys(frame.columns, object)).where(frame.notna(), None)
    plain["in_cohort"] = frame["in_cohort"].astype(int)
    plain.to_sql("stays", connection, index=False, dtype={"p": "REAL", "label": "INTEGER"})
    return connection


def _sql(filters: Filters) -> tuple[str, list[Any]]:
    """The same question in SQL, written apart from the code under test."""
    parts: list[str] = []
    values: list[Any] = []

    def one_of(expression: str, options: tuple[str, ...]) -> None:
        if options:
            parts.append(f"{expression} IN ({', '.join('?' * len(options))})")
            values.extend(options)

    if filters.q:
        parts.append("(CAST(stay_id AS TEXT) LIKE ? OR CAST(subject_id AS TEXT) LIKE ?)")
        values.extend([f"{filters.q}%"] * 2)
    one_of("CASE in_cohort WHEN 1 THEN 'in' ELSE 'out' END", filters.where)
    for name in ("rule", "split", "sex", "race", "unit", "quality", "outcome"):
        one_of(name, getattr(filters, name))
    one_of("quality", tuple(quality for name in filters.ecg for quality in ECG[name]))
    for name, column in (("age", "age_years"), ("p", "p"), ("error", "abs(p - label)")):
        ends = getattr(filters, name)
        if ends is not None:
            parts.append(f"{column} >= ? AND {column} <= ?")
            values.extend(ends)
    if filters.disease:
        parts.append("(" + " OR ".join("instr(disease_groups, ?) > 0" for _ in filters.disease) + ")")
        values.extend(filters.disease)
    if filters.verdict:
        of_verdict = {"hit": (">=", 1), "false": (">=", 0), "miss": ("<", 1), "calm": ("<", 0)}
        ways: list[str] = []
        for path, _ in (paths := (("both", filters.thr), ("ehr", filters.thr_ehr))):
            ways += [
                f"(path = '{path}' AND p {of_verdict[v][0]} ? AND label = {of_verdict[v][1]})" for v in filters.verdict
            ]
        parts.append("(" + " OR ".join(ways) + ")")
        values.extend(cut for _, cut in paths for _ in filters.verdict)
    return " AND ".join(parts) or "1", values


def _asked(database: sqlite3.Connection, what: str, filters: Filters, more: str = "") -> list[tuple[Any, ...]]:
    condition, values = _sql(filters)
    return database.execute(f"SELECT {what} FROM stays WHERE {condition} {more}", values).fetchall()


@settings(max_examples=150, deadline=None)
@given(filters=FEW)
def test_filters_leave_exactly_the_stays_that_sql_finds(
    browser: Browser, database: sqlite3.Connection, filters: Filters
) -> None:
    wanted = [stay for (stay,) in _asked(database, "stay_id", filters, "ORDER BY 1")]
    assert browser.stay_ids(filters).tolist() == wanted
    assert browser.count(filters) == len(wanted)


@settings(max_examples=100, deadline=None)
@given(filters=FEW, facet=st.sampled_from([*CODED, "where", "disease"]))
def test_a_facet_counts_what_its_own_filter_does_not_decide(
    browser: Browser, database: sqlite3.Connection, filters: Filters, facet: str
) -> None:
    others = filters.without(facet)
    if facet == "disease":
        rows = Counter(name for (text,) in _asked(database, "disease_groups", others) for name in text.split(", "))
        wanted = {name: n for name, n in rows.items() if name}
    elif facet == "where":
        rows = _asked(database, "in_cohort, count(*)", others, "GROUP BY 1")
        wanted = {"in" if inside else "out": n for inside, n in rows}
    else:
        rows = _asked(database, f"{facet}, count(*)", others, "GROUP BY 1")
        wanted = {value: n for value, n in rows if value not in (None, "none" if facet == "outcome" else None)}
    assert browser.counts(filters, facet) == wanted


@settings(max_examples=80, deadline=None)
@given(filters=FEW)
def test_ages_and_histograms_are_numpys(browser: Browser, database: sqlite3.Connection, filters: Filters) -> None:
    ages = Counter(age for (age,) in _asked(database, "age_years", filters.without("age")))
    assert browser.ages(filters) == ages
    for of, column in (("p", "p"), ("error", "abs(p - label)")):
        found = [value for (value,) in _asked(database, column, filters.without(of)) if value is not None]
        parts = np.minimum((np.array(found, dtype=float) * BINS).astype(int), BINS - 1)
        assert browser.histogram(filters, of).tolist() == np.bincount(parts, minlength=BINS).tolist()


@given(filters=FEW, more=FEW)
@settings(max_examples=50, deadline=None)
def test_a_filter_taken_away_never_leaves_fewer_stays(browser: Browser, filters: Filters, more: Filters) -> None:
    for name in more.active():
        assert browser.count(filters.without(name)) >= browser.count(filters)


@given(thr=st.integers(0, 100).map(lambda number: number / 100), thr_ehr=st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=30, deadline=None)
def test_the_four_verdicts_are_the_confusion_matrix_at_each_paths_own_threshold(
    browser: Browser, thr: float, thr_ehr: float
) -> None:
    frame = made_up_stays()
    known = frame[frame["p"].notna() & frame["label"].notna()]
    matrix = np.zeros((2, 2), dtype=int)
    for path, cut in (("both", thr), ("ehr", thr_ehr)):
        of_path = known[known["path"] == path]
        alarm = (of_path["p"] >= cut).astype(int)
        matrix += confusion_matrix(of_path["label"].astype(int), alarm, labels=[0, 1])
    counts = [
        browser.count(Filters(verdict=(name,), thr=thr, thr_ehr=thr_ehr)) for name in ("calm", "false", "miss", "hit")
    ]
    assert counts == matrix.ravel().tolist()


@pytest.mark.parametrize("order", SORTS)
def test_every_order_keeps_every_stay_and_breaks_ties_by_id(browser: Browser, order: str) -> None:
    frame = made_up_stays().set_index("stay_id")
    ordered = frame.loc[browser.stay_ids(Filters(), order)].reset_index()
    assert sorted(ordered["stay_id"]) == sorted(frame.index)
    keys = {
        "id": lambda row: 0.0,
        "p_high": lambda row: -row.p,
        "p_low": lambda row: row.p,
        "error": lambda row: np.nan if row.label is pd.NA else -abs(row.p - row.label),
        "old": lambda row: -row.age_years,
        "young": lambda row: row.age_years,
    }
    values = [(keys[order](row), row.stay_id) for row in ordered.itertuples()]
    known = [pair for pair in values if not np.isnan(pair[0])]
    without = [stay for value, stay in values if np.isnan(value)]
    assert known == sorted(known), "by the quantity, then by id"
    assert without == sorted(without)
    assert np.isnan([value for value, _ in values[len(known) :]]).all(), "what has no such quantity comes last"


@pytest.mark.parametrize("order", SORTS)
@pytest.mark.parametrize("filters", [Filters(), Filters(sex=("F",), p=(0.2, 0.9)), Filters(split=("test",))])
def test_pages_put_together_are_the_whole_list(browser: Browser, filters: Filters, order: str) -> None:
    pages = [browser.page(filters, order, offset=start, limit=37) for start in range(0, 200, 37)]
    assert np.concatenate([page["stay_id"] for page in pages]).tolist() == browser.stay_ids(filters, order).tolist()


def test_a_page_says_of_each_stay_what_is_known(browser: Browser) -> None:
    page = browser.page(Filters(), limit=500).set_index("stay_id")
    frame = made_up_stays().set_index("stay_id").loc[page.index]
    for name in ("subject_id", "in_cohort", "age_years", "sex", "race", "unit", "split"):
        assert page[name].tolist() == frame[name].tolist(), name
    for name in ("rule", "quality", "path"):
        assert page[name].where(page[name].notna(), None).tolist() == frame[name].tolist(), name
    assert page["outcome"].fillna("none").tolist() == frame["outcome"].tolist()
    np.testing.assert_array_equal(page["p"].to_numpy(float), frame["p"].to_numpy(float))


def test_an_id_is_found_as_a_stay_or_as_a_patient(browser: Browser) -> None:
    frame = made_up_stays()
    stay, subject = int(frame["stay_id"].iloc[0]), int(frame["subject_id"].iloc[0])
    assert browser.of_id(stay) == [stay]
    assert browser.of_id(subject) == sorted(frame.loc[frame["subject_id"] == subject, "stay_id"])
    assert browser.of_id(1) == []


def test_without_a_run_the_split_is_the_stores_and_nobody_has_a_prediction(held: Store) -> None:
    plain = Browser(held, None)
    counted = Counter(made_up_stays()["own_split"])
    assert plain.counts(Filters(), "split") == counted
    assert all(plain.count(Filters(split=(name,))) == counted[name] for name in SPLITS)
    assert plain.count(Filters(p=(0.0, 1.0))) == plain.count(Filters(verdict=("hit", "calm"))) == 0
    assert plain.page(Filters(), limit=5)["p"].isna().all()


@pytest.mark.parametrize(
    "filters",
    [Filters(unit=("no such unit",)), Filters(disease=("measles",)), Filters(q="007"), Filters(q="9" * 30),
     Filters(cohort="nosuchcohort"), Filters(sex=("X",))],
)  # fmt: skip
def test_what_the_store_does_not_know_matches_nobody(browser: Browser, filters: Filters) -> None:
    assert browser.count(filters) == 0 and browser.page(filters).empty and len(browser.stay_ids(filters)) == 0


def test_an_empty_store_is_browsed_without_a_row(make_store: MakeStore) -> None:
    store = make_store()
    assert facets.make_current(store) and not facets.make_current(store)
    empty = Browser(store, None)
    assert empty.count(Filters()) == empty.count(Filters(sex=("F",))) == 0
    assert empty.counts(Filters(), "sex") == empty.counts(Filters(q="1"), "disease") == {} == empty.ages(Filters())
    assert empty.page(Filters()).empty and browse.totals(store) == (0, 0)


def test_both_databases_answer_alike(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    here = Browser(store, RUN)
    frame = made_up_stays()
    inside = frame[frame["in_cohort"]]
    assert browse.totals(store) == (len(inside), len(frame) - len(inside))
    assert here.counts(Filters(where=("in",)), "quality") == Counter(inside["quality"])
    assert here.counts(Filters(where=("in",)), "race") == Counter(inside["race"])
    assert here.counts(Filters(q="3"), "unit") == Counter(frame["unit"])
    p = frame["p"].dropna().to_numpy()
    wanted = np.bincount(np.minimum((p * BINS).astype(int), BINS - 1), minlength=BINS)
    assert here.histogram(Filters(), "p").tolist() == wanted.tolist()
    best = frame.sort_values(["p", "stay_id"], ascending=[False, True])["stay_id"].iloc[0]
    assert here.most_probable(Filters()) == best
    assert here.values("unit") == sorted(UNITS) and set(here.values("disease")) == set(DISEASES)
    assert here.stay_ids(Filters(error=(0.301, 1.0)), "error").size == int(
        ((frame["p"] - frame["label"].astype("float64")).abs() >= 0.301).sum()
    )


def test_the_counts_follow_the_cohort(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    assert not facets.make_current(store)
    with store.writing() as conn:
        conn.exec_driver_sql(
            "INSERT INTO ingest_step VALUES (1, 'samples', 'another', 1, '2150-01-01 00:00:00.000000')"
        )
        conn.exec_driver_sql("UPDATE subject SET sex = 'F'")
    assert Browser(store, RUN).counts(Filters(), "sex").keys() == {"F", "M"}, "not counted anew yet"
    assert facets.make_current(store)
    assert Browser(store, RUN).counts(Filters(), "sex") == {"F": 200}
