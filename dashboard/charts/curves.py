"""Points of the ROC, precision-recall and decision curves in, their figures out, the alarms marked on each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, RAISES, laid_out
from lemof_core.evaluation.confusion import Confusion

HEIGHT = 270
GAIN = "rgba(0, 114, 178, 0.16)"
THEORY = "#009E73"


def roc(points: pd.DataFrame, at: Confusion) -> go.Figure:
    """Sensitivity against 1 - specificity, the alarms as a mark; the diagonal is a coin.

    Args:
        points: of `ranking_curves.roc_points`.
    """
    figure = go.Figure()
    figure.add_trace(_line([0, 1], [0, 1], CONTEXT, dash="dot"))
    figure.add_trace(_line(points["false"], points["true"], ACCENT))
    mark = (at.false / max(at.false + at.calm, 1), at.hit / max(at.long, 1))
    figure.add_trace(_mark(*mark, "the alarms"))
    return square(figure, "1 − specificity", "Sensitivity")


def precision_recall(points: pd.DataFrame, at: Confusion) -> go.Figure:
    """PPV against sensitivity; the dotted line is the share of long stays, what chance would give.

    Args:
        points: of `ranking_curves.precision_recall_points`.
    """
    share = at.long / max(at.n, 1)
    figure = go.Figure()
    figure.add_trace(_line([0, 1], [share, share], CONTEXT, dash="dot"))
    figure.add_trace(_line(points["recall"], points["precision"], ACCENT))
    if at.alarms:
        figure.add_trace(_mark(at.hit / max(at.long, 1), at.hit / at.alarms, "the alarms"))
    return square(figure, "Sensitivity", "PPV")


def decision(curve: pd.DataFrame, thresholds: Iterable[float], theory: float) -> go.Figure:
    """Net benefit against one threshold for all, beside acting on all and on nobody.

    The band is the interval of the gain over the better of these two, laid on it: where it is clear of both grey
    lines, the alarms are worth more. Orange: the thresholds in use; green, dashed: the one that the costs ask for.
    Args:
        curve: of `net_benefit.decision_curve`.
    """
    cuts, model, everybody = curve["cut"], curve["model"], curve["everybody"]
    better = np.maximum(everybody, 0)
    figure = go.Figure()
    figure.add_trace(_line(cuts, better + curve["lo"], "rgba(0,0,0,0)", dash="solid"))
    band = _line(cuts, better + curve["hi"], "rgba(0,0,0,0)", dash="solid")
    figure.add_trace(band.update(fill="tonexty", fillcolor=GAIN))
    figure.add_trace(_line(cuts, everybody, CONTEXT, dash="dot", name="act on all"))
    figure.add_trace(_line(cuts, np.zeros(len(cuts)), CONTEXT, name="act on none"))
    figure.add_trace(_line(cuts, model, ACCENT, name="act on alarms"))
    for threshold in thresholds:
        figure.add_vline(x=threshold, line={"color": RAISES, "width": 1})
    figure.add_vline(x=theory, line={"color": THEORY, "width": 1.5, "dash": "dash"})
    top = max(float(everybody.iloc[0]), float(model.max()), 0.05)
    figure = laid_out(figure, height=HEIGHT)
    figure.update_xaxes(title="Threshold", range=[0, 1], dtick=0.25)
    figure.update_yaxes(title="Net benefit", range=[-0.25 * top, 1.1 * top])
    where = int(np.argmin(np.abs(everybody + 0.16 * top)))
    beside = {"x": cuts[where], "y": everybody[where], "xanchor": "left", "xshift": 6}
    figure.add_annotation(text="all", showarrow=False, **beside)
    figure.add_annotation(x=0.98, y=0, text="none", showarrow=False, xanchor="right", yshift=-9)
    return figure


def square(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    """The figure with the house layout and both axes from 0 to 1."""
    figure = laid_out(figure, height=HEIGHT)
    figure.update_xaxes(title=x_title, range=[-0.02, 1.02], dtick=0.25)
    figure.update_yaxes(title=y_title, range=[-0.02, 1.02], dtick=0.25)
    return figure


def _line(x: Iterable[float], y: Iterable[float], color: str, *, dash: str | None = None, name: str = "") -> go.Scatter:
    hover = (
        {"hoverinfo": "skip"}
        if dash and not name
        else {"hovertemplate": "%{x:.2f}, %{y:.2f}<extra>" + name + "</extra>"}
    )
    line = {"color": color, "width": 1.5 if dash else 2, "dash": dash}
    return go.Scatter(x=np.asarray(x), y=np.asarray(y), mode="lines", line=line, **hover)


def _mark(x: float, y: float, name: str) -> go.Scatter:
    marker = {"color": RAISES, "size": 9, "line": {"color": "white", "width": 1}}
    return go.Scatter(
        x=[x], y=[y], mode="markers", marker=marker, hovertemplate=name + ": %{x:.2f}, %{y:.2f}<extra></extra>"
    )
