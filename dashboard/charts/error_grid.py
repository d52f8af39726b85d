"""Mean errors of two crossed factors in, a heat map whose cells say error and n and can be clicked, out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import CONTEXT, laid_out

ROW_PX = 44
# One hue from paper to ink; its light end must not shout on either background.
_DARKEST = "rgba(213, 94, 0, 0.72)"  # text of either ground is read on it
_SCALE = [[0.0, "rgba(138, 143, 148, 0.10)"], [1.0, _DARKEST]]


def error_grid(
    error: np.ndarray,
    n: np.ndarray,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    chosen: tuple[int, int] | None = None,
) -> go.Figure:
    """A cell per pair of facts, the first row on top; a hidden cell says why.

    Args:
        error (R, C): mean error, NaN where hidden; n (R, C): stays; texts: what each cell says
        on hover; chosen: (row, column) with a frame.
    """
    names = [html.escape(name) for name in rows]
    figure = go.Figure(
        go.Heatmap(
            z=error, x=list(range(len(columns))), y=list(range(len(rows))), colorscale=_SCALE, hoverinfo="skip",
            xgap=2, ygap=2, showscale=False,
        )
    )  # fmt: skip
    cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    # A heat map's own cells tell no click: unseen markers do, and they have the hover too.
    figure.add_trace(
        go.Scatter(
            x=[column for _, column in cells], y=[row for row, _ in cells], mode="markers", opacity=0,
            marker={"size": 30, "symbol": "square"}, customdata=[[row, column] for row, column in cells],
            text=[
                f"{html.escape(rows[row])}, {html.escape(columns[column])}<br>{texts[row][column]}"
                for row, column in cells
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    for row, column in cells:
        value = error[row, column]
        written = f"{value:.2f}<br>n = {n[row, column]:,}" if np.isfinite(value) else f"n {_few(int(n[row, column]))}"
        figure.add_annotation(
            x=column, y=row, text=written, showarrow=False, captureevents=False, font={"size": 11},
            **({} if np.isfinite(value) else {"opacity": 0.6}),
        )  # fmt: skip
    if chosen is not None:
        row, column = chosen
        figure.add_shape(
            type="rect", x0=column - 0.5, x1=column + 0.5, y0=row - 0.5, y1=row + 0.5,
            line={"color": CONTEXT, "width": 3},
        )  # fmt: skip
    figure = laid_out(figure, height=ROW_PX * len(rows) + 110, dragmode=False)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[_wrapped(name) for name in columns], showgrid=False,
        automargin=True, fixedrange=True, ticks="",
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.5, -0.5], showgrid=False,
        automargin=True, fixedrange=True, ticks="",
    )  # fmt: skip
    return figure


def _wrapped(name: str) -> str:
    """The name in short lines, so that neighbours on a phone do not hide each other."""
    return "<br>".join(html.escape(line) for line in wrap(name, 12, break_long_words=False))


def _few(n: int) -> str:
    return "= 0" if n == 0 else "< 10"
