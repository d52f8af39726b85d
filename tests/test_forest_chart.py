"""Rows with intervals: a line for each, a dot for every number, words that a phone has room for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dashboard.charts.forest import forest
from dashboard.charts.theme import ACCENT, CONTEXT


def _rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["All", "Rare"],
            "value": [0.7, np.nan],
            "lo": [0.6, np.nan],
            "hi": [0.9, np.nan],
            "text": ["0.70 [0.60–0.90]   n = 90", "not estimable, n = 3"],
        }
    )


def test_the_forest_has_a_line_for_every_row_and_a_dot_for_every_number() -> None:
    figure = forest(_rows(), x_title="AUROC", reference=0.5, at_most=(0, 1))
    dots = figure.data[0]
    assert list(dots.x) == [0.7]
    assert list(dots.error_x.array) == pytest.approx([0.2])
    assert list(dots.error_x.arrayminus) == pytest.approx([0.1])
    assert [note.text for note in figure.layout.annotations] == ["0.70 [0.60–0.90]<br>n = 90", "not estimable, n = 3"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1], "the first row stands on top"
    assert tuple(figure.layout.xaxis.range) == pytest.approx((0.49, 0.91)), "tenths around intervals and reference"


def test_a_row_of_the_forest_is_as_high_as_its_words_and_all_that_belongs_to_it_at_one_height() -> None:
    long = "LeMoF with a name that no phone has room for"
    rows = pd.concat([_rows().assign(label=["All", long]), _rows()])
    figure = forest(rows, x_title="Difference<br>(right: better)")
    heights = list(figure.layout.yaxis.tickvals)
    assert heights == [note.y for note in figure.layout.annotations]
    assert list(figure.data[0].y) == [heights[0], heights[2]], "the rows with a number"
    assert heights == pytest.approx([20.5, 69, 117.5, 151]), "two, three, two lines and one: 41, 56, 41, 26 px"
    assert max(len(line) for line in figure.layout.yaxis.ticktext[1].split("<br>")) <= 20
    assert figure.layout.yaxis.ticktext[1].replace("<br>", " ") == long
    assert figure.layout.height > 41 + 56 + 41 + 26


def test_weak_rows_are_grey() -> None:
    figure = forest(_rows().assign(value=[0.7, 0.6], strong=[True, False]), x_title="AUROC")
    assert [(trace.marker.color, list(trace.y)) for trace in figure.data] == [(ACCENT, [20.5]), (CONTEXT, [54])]
