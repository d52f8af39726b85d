"""Attention maps of one prediction in, both directions side by side as one heatmap figure out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, SEQUENTIAL, laid_out

ROW_PX = 17


def token_order(ehr_from_ecg: np.ndarray, ecg_from_ehr: np.ndarray, most: int) -> list[int]:
    """Return the EHR tokens that the ECG looked at most (mean over its windows), most first."""
    received = ecg_from_ehr.mean(axis=0)
    return [int(index) for index in np.argsort(-received, kind="stable")[:most]]


def attention_figure(
    ecg_from_ehr: np.ndarray,
    ehr_from_ecg: np.ndarray,
    edges_s: Sequence[float],
    labels: Sequence[str],
    order: Sequence[int],
    *,
    token: int | None = None,
    window: int | None = None,
) -> go.Figure:
    """Return two maps over ECG seconds (x) and EHR tokens (y, `order` from the top).

    Args:
        ecg_from_ehr: (n_ecg, n_ehr), each ECG window's weights over the tokens. ehr_from_ecg: (n_ehr, n_ecg).
        labels: of all tokens. token, window: the row and the column that are chosen.
    """
    names = [html.escape(labels[index]) for index in order]
    centres = [round((low + high) / 2, 3) for low, high in pairwise(edges_s)]
    maps = (("ECG window looks at the health record", ecg_from_ehr.T), ("Health record looks at the ECG", ehr_from_ecg))
    data, notes, shapes = [], [], []
    for number, (title, weights) in enumerate(maps, start=1):
        axis = "" if number == 1 else "2"
        chosen = np.round(weights[list(order)], 4)
        data.append(
            {
                "type": "heatmap", "x": centres, "y": list(range(len(order))), "xaxis": f"x{axis}", "yaxis": "y",
                "z": chosen.tolist(), "colorscale": SEQUENTIAL, "zmin": 0, "zmax": float(weights.max()),
                "hoverinfo": "skip",
                "colorbar": {"x": (0.465, 1.0)[number - 1], "thickness": 8, "len": 0.9, "outlinewidth": 0, "nticks": 4},
            }
        )  # fmt: skip
        data.append(_cells(axis, centres, order, chosen))
        left = 0.0 if number == 1 else 0.54
        notes.append(
            {"xref": "paper", "yref": "paper", "x": left, "y": 1, "yanchor": "bottom", "xanchor": "left", "text": title,
             "showarrow": False}
        )  # fmt: skip
        shapes += _chosen(f"x{axis}", order, edges_s, token, window)
    seconds = {"title": "Seconds of the ECG", "fixedrange": True, "range": [edges_s[0], edges_s[-1]]}
    layout = {
        "xaxis": seconds | {"domain": [0, 0.455]},
        "xaxis2": seconds | {"domain": [0.54, 0.99]},
        "yaxis": {
            "tickvals": list(range(len(order))), "ticktext": names, "range": [len(order) - 0.5, -0.5],
            "fixedrange": True, "showgrid": False,
        },
        "annotations": notes,
        "shapes": shapes,
    }  # fmt: skip
    figure = laid_out(go.Figure({"data": data, "layout": layout}), height=len(order) * ROW_PX + 76, dragmode=False)
    figure.update_layout(margin={"l": 150, "r": 40, "t": 24, "b": 44})
    return figure.update_xaxes(showgrid=False)


def _cells(axis: str, centres: Sequence[float], order: Sequence[int], weights: np.ndarray) -> dict[str, Any]:
    """Return an unseen marker on every cell, customdata [window, token, weight]: a heatmap's own cells tell no click.

    It has the hover too: a point without one, or under another's, cannot be clicked.
    """
    cells = [(window, row) for row in range(len(order)) for window in range(len(centres))]
    return {
        "type": "scatter", "mode": "markers", "xaxis": f"x{axis}", "yaxis": "y", "opacity": 0,
        "hovertemplate": "%{y}<br>ECG around %{x:.2f} s<br>weight %{customdata[2]:.3f}<extra></extra>",
        "x": [centres[window] for window, _ in cells], "y": [row for _, row in cells],
        "customdata": [[window, order[row], float(weights[row, window])] for window, row in cells],
        "marker": {"size": 9}, "showlegend": False,
    }  # fmt: skip


def _chosen(
    axis: str, order: Sequence[int], edges_s: Sequence[float], token: int | None, window: int | None
) -> list[dict[str, Any]]:
    """Return frames round the chosen row and column."""
    frame: dict[str, Any] = {"type": "rect", "xref": axis, "yref": "y", "fillcolor": "rgba(0,0,0,0)"}
    frame |= {"line": {"width": 2, "color": ACCENT}}
    out = []
    if token is not None and token in order:
        row = list(order).index(token)
        out.append(frame | {"x0": edges_s[0], "x1": edges_s[-1], "y0": row - 0.5, "y1": row + 0.5})
    if window is not None:
        out.append(frame | {"x0": edges_s[window], "x1": edges_s[window + 1], "y0": -0.5, "y1": len(order) - 0.5})
    return out
