"""Outcomes and probabilities in, the calibration chart out: observed share against predicted, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.curves import HEIGHT
from dashboard.charts.theme import ACCENT, CONTEXT, laid_out
from dashboard.threshold import rate

MIN_PER_GROUP = 8
_MOST_GROUPS = 10


def calibration_groups(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Groups of equal size by p: predicted (mean p), observed, lo, hi (95 % Wilson), n, events; empty for no sample."""
    groups = np.array_split(np.argsort(p, kind="stable"), max(1, min(_MOST_GROUPS, len(p) // MIN_PER_GROUP)))
    rows = []
    for members in groups:
        if len(members):
            one = rate("observed", "", int(y[members].sum()), len(members))
            rows.append((float(p[members].mean()), one.value, one.lo, one.hi, one.n, one.k))
    return pd.DataFrame(rows, columns=["predicted", "observed", "lo", "hi", "n", "events"])


def calibration(y: np.ndarray, p: np.ndarray) -> go.Figure:
    """Each point is a group of stays with similar p; on the diagonal what is promised is what happens."""
    groups = calibration_groups(y, p)
    figure = go.Figure()
    diagonal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": CONTEXT, "dash": "dot"}, hoverinfo="skip")
    figure.add_trace(diagonal)
    figure.add_trace(
        go.Scatter(
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
            marker={"color": ACCENT, "size": 7},
            hovertemplate="predicted %{x:.2f}, observed %{y:.2f} (%{customdata[0]} of %{customdata[1]})<extra></extra>",
        )
    )
    figure = laid_out(figure, height=HEIGHT)
    figure.update_xaxes(title="Predicted", range=[-0.02, 1.02], dtick=0.25)
    figure.update_yaxes(title="Observed", range=[-0.02, 1.02], dtick=0.25)
    return figure
