"""Outcomes and probabilities in, the ROC, precision-recall and decision curves out, the alarms marked on each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go
from sklearn.metrics import precision_recall_curve, roc_curve

from dashboard.charts.theme import ACCENT, CONTEXT, RAISES, laid_out
from dashboard.threshold import Confusion, net_benefit

HEIGHT = 270
_MOST_POINTS = 400  # of one line: more are not seen and only weigh
_CUTS = np.arange(1, 100) / 100


def roc(y: np.ndarray, p: np.ndarray, at: Confusion) -> go.Figure:
    """Sensitivity against 1 - specificity, the alarms as a mark; the diagonal is a coin."""
    false_rate, true_rate, _ = roc_curve(y, p)
    figure = go.Figure()
    figure.add_trace(_line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), CONTEXT, dash="dot"))
    figure.add_trace(_line(*_thinned(false_rate, true_rate), ACCENT))
    mark = (at.false / max(at.false + at.calm, 1), at.hit / max(at.hit + at.miss, 1))
    figure.add_trace(_mark(*mark, "the alarms"))
    return _square(figure, "1 − specificity", "Sensitivity")


def precision_recall(y: np.ndarray, p: np.ndarray, at: Confusion) -> go.Figure:
    """PPV against sensitivity; the dotted line is the share of long stays, what chance would give."""
    precision, recall, _ = precision_recall_curve(y, p)
    share = float((y == 1).mean())
    figure = go.Figure()
    figure.add_trace(_line(np.array([0.0, 1.0]), np.array([share, share]), CONTEXT, dash="dot"))
    figure.add_trace(_line(*_thinned(recall, precision), ACCENT))
    if at.hit + at.false:
        mark = (at.hit / max(at.hit + at.miss, 1), at.hit / (at.hit + at.false))
        figure.add_trace(_mark(*mark, "the alarms"))
    return _square(figure, "Sensitivity", "PPV")


def decision(y: np.ndarray, p: np.ndarray, thresholds: Iterable[float]) -> go.Figure:
    """Net benefit against one threshold for all, beside acting on all and on nobody; lines where the thresholds are."""
    everybody = net_benefit(y, np.ones(len(y)), _CUTS)
    model = net_benefit(y, p, _CUTS)
    figure = go.Figure()
    figure.add_trace(_line(_CUTS, everybody, CONTEXT, dash="dot", name="act on all"))
    figure.add_trace(_line(_CUTS, np.zeros(len(_CUTS)), CONTEXT, name="act on none"))
    figure.add_trace(_line(_CUTS, model, ACCENT, name="act on alarms"))
    for threshold in thresholds:
        figure.add_vline(x=threshold, line={"color": RAISES, "width": 1})
    top = max(float(everybody[0]), float(model.max()), 0.05)
    figure = laid_out(figure, height=HEIGHT)
    figure.update_xaxes(title="Threshold", range=[0, 1], dtick=0.25)
    figure.update_yaxes(title="Net benefit", range=[-0.25 * top, 1.1 * top])
    where = int(np.argmin(np.abs(everybody + 0.16 * top)))
    figure.add_annotation(x=_CUTS[where], y=everybody[where], text="all", showarrow=False, xanchor="left", xshift=6)
    figure.add_annotation(x=0.98, y=0, text="none", showarrow=False, xanchor="right", yshift=-9)
    return figure


def _line(x: np.ndarray, y: np.ndarray, color: str, *, dash: str | None = None, name: str = "") -> go.Scatter:
    hover = (
        {"hoverinfo": "skip"}
        if dash and not name
        else {"hovertemplate": "%{x:.2f}, %{y:.2f}<extra>" + name + "</extra>"}
    )
    return go.Scatter(x=x, y=y, mode="lines", line={"color": color, "width": 1.5 if dash else 2, "dash": dash}, **hover)


def _mark(x: float, y: float, name: str) -> go.Scatter:
    marker = {"color": RAISES, "size": 9, "line": {"color": "white", "width": 1}}
    return go.Scatter(
        x=[x], y=[y], mode="markers", marker=marker, hovertemplate=name + ": %{x:.2f}, %{y:.2f}<extra></extra>"
    )


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most _MOST_POINTS of a curve's points, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    return x[kept], y[kept]


def _square(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    figure = laid_out(figure, height=HEIGHT)
    figure.update_xaxes(title=x_title, range=[-0.02, 1.02], dtick=0.25)
    figure.update_yaxes(title=y_title, range=[-0.02, 1.02], dtick=0.25)
    return figure
