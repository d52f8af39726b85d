"""Values of a stay in; the flowsheet's table, its words and its zoom are held to them."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from case_support import VARIABLES, charted, judge
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.case_trends import trend_rows
from dashboard.case_values import MODEL_WINDOW_H, latest_seen
from dashboard.charts.trend_row import TrendRow
from dashboard.trend_table import first_page, table_note, table_pages, trend_table
from dashboard.trend_words import legend, limit_sources, title
from dashboard.trend_zoom import LEAST_H, zoom_within

NAMES = ["heart_rate", "potassium", "lactate"]
WINDOW = range(-MODEL_WINDOW_H, 0)


def rows_of(names: list[str] = NAMES, **more: Any) -> list[TrendRow]:
    return trend_rows(names, VARIABLES, {}, {}, "M", **more)


def parsed(values: pd.DataFrame, hours: range, rows: list[TrendRow] | None = None) -> ElementTree.Element:
    """The table as a tree: HTML that is XML too, for it was written so."""
    markup = trend_table(rows or rows_of(), values, hours, t0_h=24.0)
    return ElementTree.fromstring(markup.replace("<br>", "<br/>"))


def cells(row: ElementTree.Element) -> list[str]:
    """The words of a row's hours, values below each other joined by a blank."""
    return [" ".join(text.strip() for text in cell.itertext()) for cell in row.findall("td")[1:]]


values_of_a_stay = st.lists(
    st.tuples(st.sampled_from(NAMES), st.floats(-20, 60), st.floats(0.5, 150)), min_size=1, max_size=80
)


@settings(max_examples=40, deadline=None)
@given(values_of_a_stay)
def test_the_pages_together_hold_every_value_and_every_flag_once(drawn: list[tuple[str, float, float]]) -> None:
    values = judge(charted(*drawn))
    pages = table_pages(values, 24.0)
    hours = [hour for page in pages.values() for hour in page]
    assert len(hours) == len(set(hours)) and set(values["whole_hour"]) <= set(hours)
    assert all(len(page) <= 25 for page in pages.values())
    flags, n_values = [], 0
    for page in pages.values():
        tree = parsed(values, page)
        flags += [found.get("data-flag") for found in tree.iter("b")]
        for row in tree.find("tbody") or ():
            for cell in row.findall("td")[1:]:
                for summary in cell.iter("summary"):
                    for part in summary.iter():
                        part.text = part.tail = None
                n_values += len(re.findall(r"\d+(?:\.\d+)?", " ".join(cell.itertext())))
    assert sorted(flags) == sorted(flag for flag in values["flag"] if flag)
    assert n_values == len(values)


def test_a_table_by_hand() -> None:
    values = judge(
        charted(("potassium", 0.2, 6.3), ("potassium", 0.9, 5.0), ("potassium", 23, 3.0, 30), ("lactate", 24, 1.0))
    )
    tree = parsed(values, WINDOW)
    heads, hours = tree.findall("thead/tr")
    assert [head.text for head in hours] == [str(hour) for hour in range(24)]
    assert [(head.text, head.get("colspan")) for head in heads if head.get("scope") == "colgroup"] == [
        ("read by the model", "24")
    ]
    heart, potassium, lactate = tree.findall("tbody/tr")
    assert cells(heart) == ["·"] * 24
    assert cells(potassium) == ["6.3 HH 5.0", *["·"] * 22, "3.0 L *"]
    assert cells(lactate) == [*["·"] * 23, "1.0"]  # the very moment of the prediction belongs to the hour before it
    assert "* stored only after the prediction" in table_note(values, WINDOW, t0_h=24.0)
    assert "3.3 to 5.1, critical ≤ 2.8 or ≥ 6.2" in "".join(potassium.find("th").itertext())  # type: ignore[union-attr]


def test_every_cell_has_a_heading_for_its_column_and_its_row() -> None:
    values = judge(charted(("potassium", -3, 4.0), ("lactate", 30, 1.0)))
    for page in table_pages(values, 24.0).values():
        tree = parsed(values, page)
        groups, hours = tree.findall("thead/tr")
        assert sum(int(head.get("colspan", 1)) for head in groups) == 2 + len(hours) == 2 + len(page)
        assert all(head.get("scope") in ("col", "colgroup") for head in (*groups, *hours))
        for row in tree.findall("tbody/tr"):
            assert [cell.tag for cell in row] == ["th", *["td"] * (1 + len(page))]
            assert row[0].get("scope") == "row"
        assert tree.find("caption") is not None


def test_hours_that_the_model_did_not_see_say_so_in_their_heading() -> None:
    values = judge(charted(("potassium", -3, 4.0), ("lactate", 30, 1.0)))
    told = [
        parsed(values, page).findtext("thead/tr/th[@scope='colgroup']") for page in table_pages(values, 24.0).values()
    ]
    assert told == ["before the model's window: not seen by the model", "after the prediction: not seen by the model"]
    unjudged = judge(charted(("potassium", 3, 4.0)), t0_s=None)
    markup = trend_table(rows_of(), unjudged, table_pages(unjudged, None)["3 to 4 h"], t0_h=None)
    assert "no prediction was made" in markup and "Hours without" not in markup


def test_many_values_of_an_hour_are_folded_under_their_range_and_none_is_lost() -> None:
    values = judge(charted(*(("heart_rate", 5 + n / 60, 58 + n) for n in range(5))))
    row = parsed(values, WINDOW).findall("tbody/tr")[0]
    summary = row.find("td/details/summary")
    assert summary is not None and " ".join(summary.itertext()) == "58 to 62 5 values 2 L"
    assert cells(row)[5].endswith("58 L 59 L 60 61 62")


def test_reading_begins_with_the_hours_that_the_model_read() -> None:
    values = judge(
        charted(("potassium", -20, 4.0), ("potassium", 30, 4.0), ("potassium", 3, 4.0), ("potassium", 48.2, 4.0))
    )
    pages = table_pages(values, 24.0)
    assert list(pages) == ["−20 to 0 h", "0 to 24 h", "24 to 49 h"]  # a last hour alone is no page
    assert first_page(pages) == 1
    just_after = judge(charted(("potassium", 3, 4.0), ("potassium", 24.5, 4.0)))
    assert list(table_pages(just_after, 24.0)) == ["3 to 24 h", "24 to 25 h"]  # but not one with what was read


def test_the_linked_row_is_marked_and_names_from_the_store_are_escaped() -> None:
    values = judge(charted(("lactate", 1, 1.0)))
    tree = parsed(values, WINDOW, rows_of(linked="lactate"))
    assert [row.get("data-linked") for row in tree.findall("tbody/tr")] == [None, None, "true"]
    evil = TrendRow("lactate", "<i>label", "<i>unit", "panel", 1, 0.5, 2.0)
    assert "<i>" not in trend_table([evil], values, WINDOW, t0_h=24.0)


# ---- words around the flowsheet ------------------------------------------------------------------------------------


def test_the_title_names_critical_values_first_and_counts_them() -> None:
    values = judge(charted(("potassium", 3, 6.5), ("lactate", 3, 3.0), ("heart_rate", 3, 80)))
    latest = latest_seen(values, VARIABLES, "M")
    told = title(latest, VARIABLES, {"lactate": 0.9}, 24.0)
    assert told == ("At 24 h 2 of 3 measured variables were out of range, 1 of them critical: Potassium HH, Lactate H")


def test_the_legend_says_whose_range_it_is_and_what_became_of_a_linked_variable() -> None:
    assert "adult women" in legend(rows_of(), "F", None) and "adult men" in legend(rows_of(), "M", None)
    assert "Framed: Lactate" in legend(rows_of(linked="lactate"), "F", "Lactate")
    assert "Age, chosen in another panel, has no value over time" in legend(rows_of(), "F", "Age")


def test_every_limit_shown_says_where_it_is_from() -> None:
    told = limit_sources(VARIABLES, ["potassium", "sodium", "spo2", "weight"])
    assert "Kost, JAMA 1990;263:704): Sodium" not in told  # in the order asked for
    assert "Kost, JAMA 1990;263:704): Potassium, Sodium" in told and "NEWS2, score 3 of scale 1" in told
    assert "Weight" not in told and limit_sources(VARIABLES, ["weight"]) == ""


# ---- zoom ----------------------------------------------------------------------------------------------------------

hours = st.floats(-1000, 1000)
FULL = (-6.5, 48.5)


@given(hours, hours)
def test_a_zoom_stays_within_the_hours_there_are_and_is_never_empty(low: float, high: float) -> None:
    window = zoom_within({"of": "a b 0", "span": [low, high]}, "a b 0", FULL)
    assert FULL[0] <= window[0] < window[1] <= FULL[1]
    # At an end of the hours a widened brush has room on one side alone.
    assert window[1] - window[0] >= LEAST_H / 2
    if FULL[0] <= low < high - LEAST_H and high <= FULL[1]:
        assert window == (low, high)


@pytest.mark.parametrize(
    "report",
    [
        None,
        {"of": "a b 0", "span": None},
        {"of": "other b 0", "span": [1, 9]},
        {"of": "a b 1", "span": [1, 9]},
        {"of": "a b 0", "span": [1]},
        {"of": "a b 0", "span": [1, math.nan]},
        {"of": "a b 0", "span": ["1", "9"]},
        {"of": "a b 0", "span": [60, 70]},
        [1, 9],
    ],
)
def test_a_report_of_another_patient_or_of_before_the_reset_or_of_nothing_is_no_zoom(report: Any) -> None:
    assert zoom_within(report, "a b 0", FULL) == FULL
    assert np.isclose(zoom_within({"of": "a b 0", "span": [9, 1]}, "a b 0", FULL), (1, 9)).all()
