"""Judged predictions and two factors chosen by the reader in; the error where they cross, as a heat map, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from dashboard.charts.error_grid import error_grid
from dashboard.error_group import choose_group, chosen_definition
from dashboard.error_settings import URL
from dashboard.queries_errors import Judged
from dashboard.wording import estimate
from lemof_core.evaluation.facts import Fact, Facts
from lemof_core.evaluation.losses import Loss, Mean, mean_error

FEWEST = 10  # stays; a cell with fewer is hidden
_DEFAULT = ("Care unit", "Age")


def draw_grid(judged: Judged, errors: Loss) -> None:
    """The two factors can be chosen; their cells stand below, each a click on its cases."""
    factors = offered(judged.facts)
    if len(factors) < 2:
        st.info("Fewer than two factors tell these stays apart, so nothing can be crossed.")
        return
    names = list(factors)
    starts = [names.index(name) if name in names else place for place, name in enumerate(_DEFAULT)]
    with st.container(horizontal=True, gap="medium"):
        down = st.selectbox("Down", names, starts[0], key="down", width=240, **URL)
        across = st.selectbox("Across", names, starts[1], key="across", width=240, **URL)
    if down == across:
        st.info("The same factor twice crosses nothing. Choose another one down or across.")
        return
    rows, columns = factors[down], factors[across]
    means = cells(judged, errors, rows, columns)
    words = [[judged.facts.facts[index].words for index in some] for some in (rows, columns)]
    pairs = [[_pair(judged.facts.facts, row, column) for column in columns] for row in rows]
    st.subheader(title(means, words[0], words[1], errors))
    values = np.array([[np.nan if one.value is None else one.value for one in line] for line in means])
    n = np.array([[one.n for one in line] for line in means])
    texts = [[f"{errors.words} {_said(one)}" for one in line] for line in means]
    flat: dict[tuple[str, ...], tuple[int, int]] = {
        pair: (row, column) for row, line in enumerate(pairs) for column, pair in enumerate(line)
    }
    figure = error_grid(values, n, texts, words[0], words[1], chosen=flat.get(chosen_definition()))
    key = f"grid-{down}-{across}"
    st.plotly_chart(
        figure,
        key=key,
        theme="streamlit",
        config={"displayModeBar": False},
        on_select=lambda: _remember(key, pairs),
        selection_mode="points",
        alt=f"{errors.words} by {down} and {across}, n = {len(errors.error):,}",
    )
    st.caption(
        f"Mean {errors.words.lower()} and n of each cell, of {errors.of}; the interval is on hover, a click lists the "
        f"cases. Cells below {FEWEST} stays are hidden. {n.size} cells are shown and none is tested: the worst of them "
        "is partly chance. Diseases overlap, so their cells do."
    )


def offered(facts: Facts) -> dict[str, list[int]]:
    """Factor -> columns of its facts that are true of somebody, for factors with two such facts at least."""
    found = {name: [i for i in some if facts.holds[:, i].any()] for name, some in facts.factors().items()}
    return {name: some for name, some in found.items() if len(some) >= 2 and facts.facts[some[0]].kind != "verdict"}


def cells(judged: Judged, errors: Loss, rows: Sequence[int], columns: Sequence[int]) -> list[list[Mean]]:
    """The mean error where the fact of a row and that of a column hold; without a value below FEWEST stays."""
    holds = judged.facts.holds[errors.counted]
    subjects = judged.frame["subject_id"].to_numpy()[errors.counted]

    def cell(row: int, column: int) -> Mean:
        inside = np.flatnonzero(holds[:, row] & holds[:, column])
        if len(inside) < FEWEST:
            return Mean(None, None, None, len(inside))
        return mean_error(errors.error[inside], subjects[inside])

    return [[cell(row, column) for column in columns] for row in rows]


def title(means: list[list[Mean]], rows: Sequence[str], columns: Sequence[str], errors: Loss) -> str:
    """The worst cell in a line."""
    known = [
        (one.value, row, column, one)
        for row, line in enumerate(means)
        for column, one in enumerate(line)
        if one.value is not None
    ]
    if not known:
        return f"Every cell has fewer than {FEWEST} stays"
    _, row, column, worst = max(known, key=lambda one: one[0])
    return f"{errors.words} is highest, {_said(worst)}, for {rows[row]}, {columns[column]}"


def _said(one: Mean) -> str:
    if one.value is None:
        return f"hidden, n {'= 0' if one.n == 0 else f'< {FEWEST}'}"
    return f"{estimate(one.value, one.lo, one.hi)}, n = {one.n:,}"


def _pair(facts: Sequence[Fact], row: int, column: int) -> tuple[str, str]:
    return facts[row].code, facts[column].code


def _remember(key: str, pairs: list[list[tuple[str, str]]]) -> None:
    """The clicked cell is the chosen group."""
    points: list[dict[str, Any]] = st.session_state[key]["selection"]["points"]
    found = [point["customdata"] for point in points if "customdata" in point]
    if found:
        row, column = (int(number) for number in found[0])
        choose_group(pairs[row][column])
