"""What the ECG alone and the health record alone say of each stay in, a scatter by outcome out; each point its stay."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import CONTEXT, OKABE_ITO, laid_out

MOST_POINTS = 2_000


def modality_scatter(
    ecg: np.ndarray,
    ehr: np.ndarray,
    y: np.ndarray,
    stay_ids: np.ndarray,
    cuts: tuple[float, float],
    *,
    inside: np.ndarray | None = None,
) -> go.Figure:
    """ECG log-odds across, health record log-odds up; thin lines where each raises an alarm.

    Args:
        ecg, ehr (N,): log-odds; y (N,): outcome; cuts: of both, NaN without alarms; inside (N,) bool: the chosen group,
        the others pale. Of more than MOST_POINTS stays a fixed random part is drawn.
    """
    rows = np.arange(len(y))
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(len(y), MOST_POINTS, replace=False))
    figure = go.Figure()
    for outcome, name, color, symbol in ((0, "not long", OKABE_ITO[0], "circle"), (1, "long", OKABE_ITO[5], "diamond")):
        own = rows[y[rows] == outcome]
        strong = np.ones(len(own)) if inside is None else np.where(inside[own], 1.0, 0.12)
        figure.add_trace(
            go.Scatter(
                x=ecg[own],
                y=ehr[own],
                mode="markers",
                name=name,
                customdata=stay_ids[own],
                marker={"color": color, "size": 6, "symbol": symbol, "opacity": 0.75 * strong},
                hovertemplate=f"stay %{{customdata}}, {name}<br>ECG alone %{{x:.2f}}, health record alone %{{y:.2f}}"
                "<extra></extra>",
            )
        )
    for at, add in zip(cuts, (figure.add_vline, figure.add_hline), strict=True):
        if np.isfinite(at):
            add(**{"x" if add == figure.add_vline else "y": at}, line={"color": CONTEXT, "width": 1, "dash": "dot"})
    figure = laid_out(figure, height=360, showlegend=True, dragmode=False)
    figure.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, margin={"l": 8, "r": 8, "t": 24, "b": 8}
    )
    figure.update_xaxes(title="ECG alone, log-odds (not calibrated)", automargin=True, fixedrange=True)
    figure.update_yaxes(title="Health record alone, log-odds", automargin=True, fixedrange=True)
    return figure
