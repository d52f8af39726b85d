"""Filtering and ordering of the cohort browser: against SQL and against a second way of counting."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort_support import FILTERS, FIVE_DAYS, made_up_stays
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from dashboard.cohort_filters import (
    OUTCOMES,
    SORTS,
    VERDICTS,
    Filters,
    as_query,
    filter_stays,
    in_words,
    outcome_words,
    sort_stays,
    verdicts,
)


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
    for name in ("rule", "split", "sex", "unit", "ecg", "outcome"):
        one_of(name, getattr(filters, name))
    for name, column in (("age", "age_years"), ("p", "p")):
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


@pytest.fixture(scope="module")
def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    frame = made_up_stays()
    plain = frame.astype(dict.fromkeys(frame.columns, object)).where(frame.notna(), None)
    plain["in_cohort"] = frame["in_cohort"].astype(int)
    plain.to_sql("stays", connection, index=False)
    return connection


@settings(max_examples=300, deadline=None)
@given(filters=FILTERS)
def test_filters_leave_exactly_the_stays_that_sql_finds(database: sqlite3.Connection, filters: Filters) -> None:
    condition, values = _sql(filters)
    wanted = {row[0] for row in database.execute(f"SELECT stay_id FROM stays WHERE {condition}", values)}
    assert set(filter_stays(made_up_stays(), filters)["stay_id"]) == wanted


def test_nothing_asked_leaves_every_stay_in_its_order() -> None:
    frame = made_up_stays()
    pd.testing.assert_frame_equal(filter_stays(frame, Filters()), frame)


@given(filters=FILTERS, more=FILTERS)
@settings(max_examples=50, deadline=None)
def test_a_filter_taken_away_never_leaves_fewer_stays(filters: Filters, more: Filters) -> None:
    frame = made_up_stays()
    for name in more.active():
        looser = replace(filters, **{name: getattr(Filters(), name)})
        assert len(filter_stays(frame, looser)) >= len(filter_stays(frame, filters))


@given(thr=st.integers(0, 100).map(lambda number: number / 100), thr_ehr=st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=30, deadline=None)
def test_the_four_verdicts_are_the_confusion_matrix_at_each_paths_own_threshold(thr: float, thr_ehr: float) -> None:
    frame = made_up_stays()
    known = frame[frame["p"].notna() & frame["label"].notna()]
    matrix = np.zeros((2, 2), dtype=int)
    for path, cut in (("both", thr), ("ehr", thr_ehr)):
        of_path = known[known["path"] == path]
        alarm = (of_path["p"] >= cut).astype(int)
        matrix += confusion_matrix(of_path["label"].astype(int), alarm, labels=[0, 1])
    counts = verdicts(frame, {"both": thr, "ehr": thr_ehr}).value_counts()
    assert [
        [counts.get("calm", 0), counts.get("false", 0)],
        [counts.get("miss", 0), counts.get("hit", 0)],
    ] == matrix.tolist()
    assert verdicts(frame, {"both": thr, "ehr": thr_ehr}).isna().sum() == len(frame) - len(known)


@pytest.mark.parametrize("by", list(SORTS))
def test_every_order_keeps_every_stay_and_breaks_ties_by_id(by: str) -> None:
    frame = made_up_stays()
    ordered = sort_stays(frame, by)
    assert sorted(ordered["stay_id"]) == sorted(frame["stay_id"])
    keys = {
        "id": lambda row: 0.0,
        "p_high": lambda row: -row.p,
        "p_low": lambda row: row.p,
        "error": lambda row: np.nan if row.label is pd.NA else -abs(row.p - row.label),
        "old": lambda row: -row.age_years,
        "young": lambda row: row.age_years,
    }
    values = [(keys[by](row), row.stay_id) for row in ordered.itertuples()]
    known = [pair for pair in values if not np.isnan(pair[0])]
    assert known == sorted(known), "by the quantity, then by id"
    assert [stay for value, stay in values if np.isnan(value)] == sorted(
        stay for value, stay in values if np.isnan(value)
    )
    assert np.isnan([value for value, _ in values[len(known) :]]).all(), "what has no such quantity comes last"


def test_active_filters_are_said_in_words() -> None:
    filters = Filters(q="30", sex=("F",), age=(40, 60), verdict=("miss",), thr=0.37, rule=("adult",))
    words = in_words(filters, {"adult": "At least 18 years old"}, FIVE_DAYS)
    assert words == {
        "q": "id starts with 30",
        "sex": "Women",
        "age": "40–60 years",
        "verdict": "Missed at 0.37 with ECG and 0.50 without",
        "rule": "At least 18 years old",
    }
    assert in_words(Filters(), {}, FIVE_DAYS) == {}
    one_threshold = Filters(verdict=("miss",), outcome=("died",), thr=0.37, thr_ehr=0.37)
    assert in_words(one_threshold, {}, FIVE_DAYS) == {
        "outcome": "Died in ICU before 120 h",
        "verdict": "Missed at 0.37",
    }


def test_links_name_options_as_the_buttons_do() -> None:
    assert as_query(FIVE_DAYS, verdict="miss", split="test") == {"verdict": [VERDICTS["miss"]], "split": ["test"]}
    assert as_query(FIVE_DAYS, outcome=("long", "left")) == {
        "outcome": ["Still in ICU after 120 h", "Left alive before 120 h"]
    }
    assert list(outcome_words(FIVE_DAYS)) == list(OUTCOMES)
