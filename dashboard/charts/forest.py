"""Estimates with intervals in, one row each on a common axis out: a dot, its interval, and the number in words."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, laid_out

LINE_PX, BETWEEN_PX = 15, 11  # of a row: each of its lines, and what lies between it and the next
LABEL_CHARACTERS = 20  # a longer label breaks: names and numbers must leave a phone some room for the intervals


def forest(
    rows: pd.DataFrame,
    *,
    x_title: str,
    reference: float | None = None,
    overall: float | None = None,
    at_most: tuple[float, float] | None = None,
) -> go.Figure:
    """One line per row, first row on top; a row without a value shows its text alone.

    Args:
        x_title: breaks at "<br>".
        rows: label, value, lo, hi (NaN where absent), text (written at the right; what follows three spaces stands on
            a second line), strong (bool, optional: in accent), id (optional: what a click on the row's dot tells, as
            the second of its custom data).
        reference: a value that means "nothing", as a thin line; overall: the estimate for everybody, dotted.
        at_most: the ends of the scale, such as 0 and 1; less of it is shown where the intervals need less.
    """
    rows = rows.reset_index(drop=True)
    labels = ["<br>".join(textwrap.wrap(label, LABEL_CHARACTERS)) for label in rows["label"]]
    texts = [text.replace("   ", "<br>", 1) for text in rows["text"]]
    lines = [1 + max(words.count("<br>") for words in row) for row in zip(labels, texts, strict=True)]
    heights = LINE_PX * np.array(lines, dtype=int) + BETWEEN_PX
    centres = np.cumsum(heights) - heights / 2
    strong = rows["strong"] if "strong" in rows else pd.Series(True, index=rows.index)
    known = rows["value"].notna()
    told = rows[["text"]].assign(id=rows.get("id", ""))
    figure = go.Figure()
    for chosen, color in ((known & strong.astype(bool), ACCENT), (known & ~strong.astype(bool), CONTEXT)):
        some = rows[chosen]
        figure.add_trace(_marks(some, centres[chosen], told[chosen], color))
    for value, dash in ((reference, "solid"), (overall, "dot")):
        if value is not None:
            figure.add_vline(x=value, line={"color": CONTEXT, "width": 1, "dash": dash}, layer="below")
    for centre, text in zip(centres, texts, strict=True):
        # The right margin holds the numbers, so that they line up whatever the interval.
        figure.add_annotation(
            x=1, xref="paper", y=centre, text=text, showarrow=False, xanchor="left", xshift=8, align="left"
        )
    below_px = 52 + 16 * x_title.count("<br>")
    figure = laid_out(
        figure,
        height=int(heights.sum()) + below_px + 8,
        margin={"l": 8, "r": _text_px(texts), "t": 8, "b": below_px},
    )
    figure.update_yaxes(
        tickvals=centres, ticktext=labels, range=[int(heights.sum()), 0], showgrid=False, automargin=True
    )
    # Few words below a narrow axis: a phone would turn or overlay them.
    figure.update_xaxes(
        title={"text": x_title, "standoff": 8}, range=_range(rows, reference, at_most), nticks=6, tickangle=0
    )
    return figure


def _marks(some: pd.DataFrame, centres: np.ndarray, told: pd.DataFrame, color: str) -> go.Scatter:
    """The dots of some rows with their intervals; told: what a dot says and what a click on it tells."""
    return go.Scatter(
        x=some["value"],
        y=centres,
        error_x={
            "type": "data",
            "array": (some["hi"] - some["value"]).fillna(0),
            "arrayminus": (some["value"] - some["lo"]).fillna(0),
            "color": color,
            "thickness": 1.5,
            "width": 0,
        },
        text=some["label"],
        customdata=told,
        mode="markers",
        marker={"color": color, "size": 8, "symbol": "square"},
        hovertemplate="%{text}: %{customdata[0]}<extra></extra>",
    )


def _range(rows: pd.DataFrame, reference: float | None, at_most: tuple[float, float] | None) -> list[float] | None:
    """Tenths around all intervals and the reference, within the scale; None leaves it to the data."""
    if at_most is None:
        return None
    ends = pd.concat([rows["lo"], rows["hi"], rows["value"], pd.Series([reference])]).dropna().astype(float)
    if ends.empty:
        return list(at_most)
    low, high = np.floor(ends.min() * 10) / 10, np.ceil(ends.max() * 10) / 10
    return [max(at_most[0], low) - 0.01, min(at_most[1], high) + 0.01]


def _text_px(texts: list[str]) -> int:
    """Room for the longest line at the right; 5.9 px is the mean width of a character at 13 px."""
    return round(5.9 * max((len(line) for text in texts for line in text.split("<br>")), default=0)) + 16
