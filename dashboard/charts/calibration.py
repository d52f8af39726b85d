"""Observed shares by probability in, the calibration chart out: a smooth curve in its band, groups, a histogram."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.curves import GAIN, square
from dashboard.charts.theme import ACCENT, CONTEXT


def calibration(groups: pd.DataFrame, smooth: pd.DataFrame | None, histogram: pd.DataFrame) -> go.Figure:
    """On the diagonal what is promised is what happens; below, how many stays were promised how much.

    Args:
        groups, smooth, histogram: of `lemof_core.evaluation.calibration`; smooth None where it is not estimable.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.84, 0.16], vertical_spacing=0.03)
    figure.add_trace(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": CONTEXT, "dash": "dot"}, hoverinfo="skip")
    )
    figure.add_trace(_points(groups))
    if smooth is not None:
        for trace in _band(smooth):
            figure.add_trace(trace)
    bars = go.Bar(
        x=histogram["middle"],
        y=histogram["long"] + histogram["other"],
        customdata=histogram["long"],
        marker={"color": CONTEXT, "line": {"width": 0}},
        hovertemplate="p about %{x:.2f}: %{y:,} stays, %{customdata:,} long<extra></extra>",
    )
    figure.add_trace(bars, row=2, col=1)
    figure = square(figure, "", "").update_layout(bargap=0.1)
    figure.update_yaxes(title="Observed", row=1, col=1)
    figure.update_xaxes(showticklabels=False, ticks="", row=1, col=1)
    figure.update_xaxes(title="Predicted", row=2, col=1)
    figure.update_yaxes(range=None, dtick=None, visible=False, row=2, col=1)
    return figure


def _points(groups: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=groups["predicted"],
        y=groups["observed"],
        error_y={
            "type": "data",
            "array": groups["hi"] - groups["observed"],
            "arrayminus": groups["observed"] - groups["lo"],
            "color": CONTEXT,
            "thickness": 1,
            "width": 0,
        },
        customdata=groups[["events", "n"]],
        mode="markers",
        marker={"color": CONTEXT, "size": 6},
        hovertemplate="predicted %{x:.2f}, observed %{y:.2f} (%{customdata[0]} of %{customdata[1]})<extra></extra>",
    )


def _band(smooth: pd.DataFrame) -> list[go.Scatter]:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        go.Scatter(x=smooth["predicted"], y=smooth["lo"], **edge),
        go.Scatter(x=smooth["predicted"], y=smooth["hi"], fill="tonexty", fillcolor=GAIN, **edge),
        go.Scatter(
            x=smooth["predicted"],
            y=smooth["observed"],
            customdata=smooth[["lo", "hi"]],
            mode="lines",
            line={"color": ACCENT, "width": 2},
            hovertemplate="predicted %{x:.2f}, observed %{y:.2f} "
            "[%{customdata[0]:.2f}–%{customdata[1]:.2f}]<extra></extra>",
        ),
    ]
