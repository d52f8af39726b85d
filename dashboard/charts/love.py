"""Standardised differences in, one dot per characteristic on a common axis out, the usual limits shaded."""

from __future__ import annotations

import html
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, BAND, CONTEXT, laid_out

LIMIT = 0.1  # beyond it a characteristic is called unbalanced (Austin 2009)
ROW_PX = 22


def love(rows: pd.DataFrame, names: tuple[str, str]) -> go.Figure:
    """The largest difference on top; right of zero the first group has more.

    Args:
        rows: characteristic, standardised (no NaN), first and second (as they are said); names: of the two groups.
    """
    shown = rows.reset_index(drop=True)
    size = shown["standardised"].astype(float)
    finite = size[np.isfinite(size)].abs()
    limit = max(float(finite.max()) * 1.1 if len(finite) else 0.0, 3 * LIMIT)
    beyond = size.abs() > LIMIT
    figure = go.Figure(
        go.Scatter(
            x=size.clip(-limit, limit),  # what has no spread stands at the edge
            y=shown.index,
            mode="markers",
            marker={"size": 8, "color": [ACCENT if one else CONTEXT for one in beyond]},
            customdata=shown[["characteristic", "first", "second"]],
            hovertemplate="%{customdata[0]}: %{customdata[1]} and %{customdata[2]}, %{x:+.2f}<extra></extra>",
        )
    )
    figure.add_vrect(x0=-LIMIT, x1=LIMIT, fillcolor=BAND, line_width=0, layer="below")
    figure.add_vline(x=0, line={"color": CONTEXT, "width": 1}, layer="below")
    figure = laid_out(figure, height=ROW_PX * len(shown) + 86, margin={"l": 8, "r": 16, "t": 8, "b": 68})
    figure.update_yaxes(
        tickvals=list(shown.index),
        ticktext=shown["characteristic"],
        range=[len(shown) - 0.4, -0.6],
        showgrid=False,
        automargin=True,
    )
    # A phone has room for two short lines, and a name may be long; Plotly reads tags.
    first = html.escape(textwrap.shorten(names[0], 24, placeholder="…") if " " in names[0] else names[0][:24])
    title = f"Standardised difference<br>(right: more in {first})"
    figure.update_xaxes(title={"text": title, "standoff": 8}, range=[-1.04 * limit, 1.04 * limit])
    return figure
