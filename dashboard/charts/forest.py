"""Estimates with intervals in, one row each on a common axis out: a dot, its interval, and the number in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, laid_out

ROW_PX = 26


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
        rows: label, value, lo, hi (NaN where absent), text (written at the right), strong (bool, optional: in accent),
            id (optional: what a click on the row's dot tells, as the second of its custom data).
        reference: a value that means "nothing", as a thin line; overall: the estimate for everybody, dotted.
        at_most: the ends of the scale, such as 0 and 1; less of it is shown where the intervals need less.
    """
    rows = rows.reset_index(drop=True)
    strong = rows["strong"] if "strong" in rows else pd.Series(True, index=rows.index)
    known = rows["value"].notna()
    told = rows[["text"]].assign(id=rows.get("id", ""))
    figure = go.Figure()
    for chosen, color in ((known & strong.astype(bool), ACCENT), (known & ~strong.astype(bool), CONTEXT)):
        some = rows[chosen]
        figure.add_trace(_marks(some, told[chosen], color))
    for value, dash in ((reference, "solid"), (overall, "dot")):
        if value is not None:
            figure.add_vline(x=value, line={"color": CONTEXT, "width": 1, "dash": dash}, layer="below")
    for index, row in rows.iterrows():
        # The right margin holds the numbers, so that they line up whatever the interval.
        figure.add_annotation(
            x=1, xref="paper", y=index, text=row["text"], showarrow=False, xanchor="left", xshift=8, align="left"
        )
    figure = laid_out(
        figure, height=ROW_PX * len(rows) + 68, margin={"l": 8, "r": _text_px(rows["text"]), "t": 8, "b": 52}
    )
    figure.update_yaxes(
        tickvals=list(rows.index),
        ticktext=rows["label"],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        automargin=True,
    )
    figure.update_xaxes(title={"text": x_title, "standoff": 8}, range=_range(rows, reference, at_most))
    return figure


def _marks(some: pd.DataFrame, told: pd.DataFrame, color: str) -> go.Scatter:
    """The dots of some rows with their intervals; told: what a dot says and what a click on it tells."""
    return go.Scatter(
        x=some["value"],
        y=some.index,
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


def _text_px(texts: pd.Series) -> int:
    """Room for the longest text at the right; 6.6 px is the mean width of a character at 13 px."""
    return round(6.6 * texts.str.len().max()) + 16 if len(texts) else 16
