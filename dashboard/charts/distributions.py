"""Counts over equal parts of a scale for two groups in, their shares as two stepped lines out, named at the line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, RAISES, laid_out

HEIGHT = 220
_LINES = ((ACCENT, "solid"), (RAISES, "dash"))


def distributions(
    groups: Sequence[Sequence[int] | np.ndarray], scale: tuple[float, float], *, x_title: str
) -> go.Figure:
    """The share of each group in each part of the scale; a group without anybody has no line.

    Args:
        groups: two of them: how many stays lie in each part, as many parts for both; scale: its two ends.
    """
    figure = go.Figure()
    edges = np.linspace(*scale, len(groups[0]) + 1)
    for counts, (color, dash) in zip(groups, _LINES, strict=True):
        given = np.asarray(counts, dtype=float)
        if given.sum() == 0:
            continue
        share = 100 * given / given.sum()
        figure.add_trace(
            go.Scatter(
                x=edges,
                y=np.r_[share, share[-1]],
                mode="lines",
                line={"color": color, "width": 2, "shape": "hv", "dash": dash},
                customdata=np.r_[given, given[-1]],
                hovertemplate="from %{x:.2~f}: %{customdata:,} stays, %{y:.1f} %<extra></extra>",
            )
        )
    figure = laid_out(figure, height=HEIGHT, margin={"l": 48, "r": 8, "t": 8, "b": 44})
    figure.update_xaxes(title={"text": x_title, "standoff": 6}, range=list(scale))
    figure.update_yaxes(title="% of the cohort", rangemode="tozero")
    return figure
