"""Judged values and intervals of a stay in, one flowsheet out: a row per variable, lanes below, one time axis."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.lanes import LANE_PX, Lane, lane_traces
from dashboard.charts.theme import CONTEXT, laid_out
from dashboard.charts.trend_row import LEFT_PX, RIGHT_PX, TICKS_PX, TrendRow, note, row_parts

ROW_PX, GAP_PX, GROUP_PX, TOP_PX, BOTTOM_PX = 44, 10, 18, 22, 44
_STEPS = ((3, 0.5), (14, 1), (96, 6))  # up to so many hours, a mark every
_LETTERS = 64  # letters that fit side by side over the width


@dataclass
class _Sheet:
    """Where things lie: the figure's height, and for each row its domain in paper coordinates."""

    height: int
    domains: list[tuple[float, float]] = field(default_factory=list)
    groups: list[tuple[float, str]] = field(default_factory=list)
    lanes: tuple[float, float] | None = None


def trends_figure(
    rows: Sequence[TrendRow],
    values: pd.DataFrame,
    lanes: Sequence[Lane],
    *,
    t0_h: float | None,
    window: tuple[float, float],
    full: tuple[float, float] | None = None,
    revision: str = "",
) -> go.Figure:
    """Return the flowsheet over `window` (hours from ICU admission).

    Dragging sideways anywhere zooms all rows and lanes together, never out of `full`.

    Args:
        rows: grouped by panel, in the order shown.
        values: as `case_values.judged` gives them.
        t0_h: hour of the prediction; None where none was made.
        full: the hours that `window` is a part of; lines run on into them.
        revision: whose figure this is; what the reader brushes in it is reported under this name.
    """
    sheet = _measured(rows, len(lanes))
    full = full or window
    values = values[values["hour"].between(*full)]
    by_name = dict(tuple(values.groupby("variable", sort=False)))
    spacing = (window[1] - window[0]) / _LETTERS
    traces: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    notes = _group_names(sheet)
    layout: dict[str, Any] = {}
    largest = max((abs(row.attribution) for row in rows if row.attribution is not None), default=0.0)
    for number, (row, domain) in enumerate(zip(rows, sheet.domains, strict=True), start=1):
        own = by_name.get(row.name, values.iloc[:0])
        axis = "" if number == 1 else str(number)
        parts = row_parts(row, own, axis=f"y{axis}", domain=domain, window=window, spacing=spacing, largest=largest)
        traces += parts.traces
        layout[f"yaxis{axis}"] = parts.y_axis
        shapes += parts.shapes
        notes += parts.notes
    if sheet.lanes is not None:
        axis = str(len(rows) + 1)
        traces += lane_traces(lanes, f"y{axis}", window, t0_h)
        layout[f"yaxis{axis}"] = _lane_axis(sheet.lanes, len(lanes))
        notes += _lane_names(sheet.lanes, lanes)
    if t0_h is not None:
        shapes += _t0(t0_h, window)
        notes.append(_t0_note(t0_h, window))
    if largest:
        notes.append(_attribution_heading())
    n_axes = len(rows) + (sheet.lanes is not None)
    lowest = "y" if n_axes == 1 else f"y{n_axes}"
    figure = go.Figure({"data": traces, "layout": {"shapes": shapes, "annotations": notes, **layout}})
    margin = {"l": LEFT_PX, "r": RIGHT_PX, "t": TOP_PX, "b": BOTTOM_PX}
    laid_out(figure, height=sheet.height, hovermode="closest", dragmode="zoom", margin=margin, barmode="overlay")
    figure.update_layout(uirevision=revision)
    figure.update_xaxes(_hours_axis(window, full), anchor=lowest)
    return figure


def _hours_axis(window: tuple[float, float], full: tuple[float, float]) -> dict[str, Any]:
    step = next((step for most, step in _STEPS if window[1] - window[0] <= most), 24)
    ends = {"range": list(window), "minallowed": full[0], "maxallowed": full[1]}
    return ends | {"dtick": step, "title": "Hours from ICU admission"}


def _group_names(sheet: _Sheet) -> list[dict[str, Any]]:
    return [note(0, y, f"<b>{html.escape(text)}</b>", color=CONTEXT, yanchor="middle") for y, text in sheet.groups]


def _measured(rows: Sequence[TrendRow], n_lanes: int) -> _Sheet:
    """Return the places of rows, group names and lanes, from the top."""
    panels = [row.panel for row in rows]
    n_groups = sum(place == 0 or panel != panels[place - 1] for place, panel in enumerate(panels))
    lanes_px = n_lanes * LANE_PX + GAP_PX if n_lanes else 0
    inner = max(n_groups * GROUP_PX + len(rows) * (ROW_PX + GAP_PX) + lanes_px, ROW_PX)
    sheet = _Sheet(inner + TOP_PX + BOTTOM_PX)
    y = 0
    for place, panel in enumerate(panels):
        if place == 0 or panel != panels[place - 1]:
            sheet.groups.append((1 - (y + GROUP_PX / 2) / inner, panel))
            y += GROUP_PX
        sheet.domains.append((max(0.0, 1 - (y + ROW_PX) / inner), 1 - y / inner))
        y += ROW_PX + GAP_PX
    if n_lanes:
        sheet.lanes = (max(0.0, 1 - (y + n_lanes * LANE_PX) / inner), 1 - y / inner)
    return sheet


def _lane_axis(domain: tuple[float, float], n_lanes: int) -> dict[str, Any]:
    quiet = {"showgrid": False, "showticklabels": False, "fixedrange": True, "side": "right"}
    return {"domain": domain, "range": [n_lanes - 0.5, -0.5], **quiet}


def _lane_names(domain: tuple[float, float], lanes: Sequence[Lane]) -> list[dict[str, Any]]:
    step = (domain[1] - domain[0]) / len(lanes)
    named = [lane.label if len(lane.label) <= 24 else f"{lane.label[:23]}…" for lane in lanes]
    return [
        note(0, domain[1] - (place + 0.5) * step, html.escape(name), yanchor="middle", size=11)
        for place, name in enumerate(named)
    ]


def _attribution_heading() -> dict[str, Any]:
    at = {"xref": "paper", "x": 1, "y": 1, "yanchor": "bottom", "xanchor": "left", "xshift": TICKS_PX + 4}
    return note(1, 1, "attribution", color=CONTEXT, size=11) | at


def _t0(t0_h: float, window: tuple[float, float]) -> list[dict[str, Any]]:
    line = {"type": "line", "x0": t0_h, "x1": t0_h, "yref": "paper", "y0": 0, "y1": 1}
    rest = {"type": "rect", "x0": t0_h, "x1": max(window[1], t0_h), "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    return [
        line | {"line": {"width": 1, "color": CONTEXT}},
        rest | {"fillcolor": "rgba(138,143,148,0.08)", "line": {"width": 0}},
    ]


def _t0_note(t0_h: float, window: tuple[float, float]) -> dict[str, Any]:
    """Return the line's name, on the side of it where there is room."""
    text = f"prediction at {t0_h:g} h; the model saw nothing grey or right of it"
    late = t0_h - window[0] > 0.6 * (window[1] - window[0])
    side = {"xanchor": "right", "xshift": 2} if late else {"xanchor": "left", "xshift": -2}
    at = {"xref": "x", "x": t0_h, "y": 1, "yanchor": "bottom"} | side
    return note(0, 1, text, color=CONTEXT, size=11) | at
