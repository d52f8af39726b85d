"""Judged values and intervals of a stay in, one flowsheet out: a row per variable, lanes below, one time axis."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.case_values import AFTER_T0, NO_PREDICTION, SEEN
from dashboard.charts.lanes import LANE_PX, Lane, lane_traces
from dashboard.charts.theme import ACCENT, BAND, CONTEXT, LOWERS, RAISES, laid_out

ROW_PX, GAP_PX, GROUP_PX, TOP_PX, BOTTOM_PX = 44, 10, 18, 22, 44
LEFT_PX, TICKS_PX, RIGHT_PX = 158, 40, 142
_BAR_PX = 30  # length of the largest attribution's bar
_LETTERS = 90  # letters that fit side by side over the width
_SYMBOL = {"H": 5, "L": 6}  # triangles up and down


@dataclass(frozen=True)
class TrendRow:
    """One variable: how it is called, its reference range, what the model saw last, and its attribution (log-odds)."""

    name: str
    label: str
    unit: str
    panel: str
    decimals: int
    low: float
    high: float
    latest: str = ""
    attribution: float | None = None


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
    revision: str = "",
) -> go.Figure:
    """Return the flowsheet over `window` (hours from ICU admission).

    Args:
        rows: grouped by panel, in the order shown.
        values: as `case_values.judged` gives them.
        t0_h: hour of the prediction; None where none was made.
        revision: while it stays the same, the reader's zoom does; a new patient begins unzoomed.
    """
    sheet = _measured(rows, len(lanes))
    inside = values[values["hour"].between(*window)]
    by_name = dict(tuple(inside.groupby("variable", sort=False)))
    spacing = (window[1] - window[0]) / _LETTERS
    traces: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    notes = [_note(0, y, f"<b>{html.escape(text)}</b>", color=CONTEXT, yanchor="middle") for y, text in sheet.groups]
    layout: dict[str, Any] = {}
    largest = max((abs(row.attribution) for row in rows if row.attribution is not None), default=0.0)
    for number, (row, domain) in enumerate(zip(rows, sheet.domains, strict=True), start=1):
        own = by_name.get(row.name, inside.iloc[:0])
        axis = "" if number == 1 else str(number)
        traces += _row_traces(row, own, f"y{axis}", spacing)
        layout[f"yaxis{axis}"] = _y_axis(row, own, domain)
        shapes += _band(row, f"y{axis}")
        notes += _row_notes(row, domain)
        shapes += _attribution_bar(row, domain, largest)
    if sheet.lanes is not None:
        axis = str(len(rows) + 1)
        traces += lane_traces(lanes, f"y{axis}", window, t0_h)
        layout[f"yaxis{axis}"] = {
            "domain": sheet.lanes, "range": [len(lanes) - 0.5, -0.5], "showgrid": False, "side": "right",
            "showticklabels": False, "fixedrange": True,
        }  # fmt: skip
        step = (sheet.lanes[1] - sheet.lanes[0]) / len(lanes)
        for place, lane in enumerate(lanes):
            text = html.escape(lane.label if len(lane.label) <= 24 else f"{lane.label[:23]}…")
            notes.append(_note(0, sheet.lanes[1] - (place + 0.5) * step, text, yanchor="middle", size=11))
    if t0_h is not None:
        shapes += _t0(t0_h, window)
        notes.append(_t0_note(t0_h, window))
    if largest:
        title = {"xref": "paper", "x": 1, "y": 1, "yanchor": "bottom", "xanchor": "left", "xshift": TICKS_PX + 4}
        notes.append(_note(1, 1, "attribution", color=CONTEXT, size=11) | title)
    lowest = f"y{'' if len(rows) + (sheet.lanes is not None) == 1 else len(rows) + (sheet.lanes is not None)}"
    figure = go.Figure({"data": traces, "layout": {"shapes": shapes, "annotations": notes, **layout}})
    margin = {"l": LEFT_PX, "r": RIGHT_PX, "t": TOP_PX, "b": BOTTOM_PX}
    laid_out(figure, height=sheet.height, hovermode="closest", dragmode="pan", margin=margin, barmode="overlay")
    figure.update_layout(uirevision=revision)
    step = 6 if window[1] - window[0] <= 96 else 24
    figure.update_xaxes(range=list(window), anchor=lowest, dtick=step, title="Hours from ICU admission")
    return figure


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


def _row_traces(row: TrendRow, own: pd.DataFrame, axis: str, spacing: float) -> list[dict[str, Any]]:
    """Return what the model saw as an accented line, the rest in grey; abnormal points have a shape and a letter.

    Where no prediction was made nothing is grey: there is no model that could have missed it.
    """
    label = html.escape(row.label)
    hover = f"%{{y:.{row.decimals}f}} {html.escape(row.unit)}<br>%{{customdata}}<extra>{label}</extra>"
    own = own.assign(letter=_letters(own, spacing))
    plain = own["unseen"].isin((SEEN, NO_PREDICTION))
    traces = []
    for part, is_seen in ((own[plain], True), (own[~plain], False)):
        if part.empty:
            continue
        if not is_seen:
            part = _apart(part.assign(clock=part["clock"] + ", not seen by the model: " + part["unseen"]))
        colour = ACCENT if is_seen else CONTEXT
        flags, letters = part["flag"].tolist(), part["letter"].tolist()
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers+text", "yaxis": axis, "cliponaxis": False,
                "x": part["hour"].round(2).tolist(), "y": part["value"].round(row.decimals + 1).tolist(),
                "customdata": part["clock"].tolist(), "text": letters, "textposition": _letter_places(letters),
                "textfont": {"size": 10, "color": RAISES if is_seen else CONTEXT},
                "marker": {
                    "size": [7 if flag else 5 for flag in flags],
                    "symbol": [_SYMBOL.get(flag, 0) for flag in flags],
                    "color": [RAISES if flag else colour for flag in flags] if is_seen else colour,
                    "opacity": 1.0 if is_seen else 0.6,
                },
                "line": {"width": 1.2, "color": colour} | ({} if is_seen else {"dash": "dot"}),
                "name": label if is_seen else f"{label}, not seen by the model", "hovertemplate": hover,
            }
        )  # fmt: skip
    return traces


def _letter_places(letters: list[str]) -> str | list[str]:
    """Return H above its point and L below; one word where there is no L, for the page's sake."""
    return (
        ["bottom center" if letter == "L" else "top center" for letter in letters] if "L" in letters else "top center"
    )


def _apart(part: pd.DataFrame) -> pd.DataFrame:
    """Return the unseen values with an empty row wherever no line may join two of them: only after t0 they follow on
    each other without a seen value between them."""
    after = (part["unseen"] == AFTER_T0).to_numpy()
    breaks = np.r_[False, ~(after[1:] & after[:-1])]
    places = np.arange(len(part)) + np.cumsum(breaks)
    spread = part.set_axis(places).reindex(range(int(places[-1]) + 1))
    return spread.fillna(dict.fromkeys(("clock", "letter", "flag", "unseen"), ""))


def _letters(part: pd.DataFrame, spacing: float) -> list[str]:
    """Return H or L for abnormal values, as close as they stay legible; the shape of each point says it too."""
    out, last = [], {"H": -np.inf, "L": -np.inf}
    for hour, flag in zip(part["hour"], part["flag"], strict=True):
        shown = bool(flag) and hour - last[flag] >= spacing
        if shown:
            last[flag] = hour
        out.append(flag if shown else "")
    return out


def _y_axis(row: TrendRow, own: pd.DataFrame, domain: tuple[float, float]) -> dict[str, Any]:
    """Return an axis that holds the values, and the reference range as far as it does not flatten them."""
    numbers = own["value"].to_numpy(float)
    limits = [limit for limit in (row.low, row.high) if not np.isnan(limit)]
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (min(limits, default=0), max(limits, default=1))
    span = max(high - low, 0.05 * abs(high), 10.0**-row.decimals)
    for limit in limits:
        if low - span <= limit <= high + span:
            low, high = min(low, limit), max(high, limit)
    shown = f".{row.decimals}f" if span >= 2 * 10.0**-row.decimals else "~g"
    pad = 0.18 * max(high - low, 10.0**-row.decimals)
    return {
        "domain": domain, "range": [round(low - pad, 4), round(high + pad, 4)], "nticks": 3, "side": "right",
        "fixedrange": True, "tickfont": {"size": 10, "color": CONTEXT}, "tickformat": shown,
    }  # fmt: skip


def _band(row: TrendRow, axis: str) -> list[dict[str, Any]]:
    if np.isnan(row.low) or np.isnan(row.high) or row.low == row.high:
        return []
    shape = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": row.low, "y1": row.high}
    return [shape | {"fillcolor": BAND, "line": {"width": 0}, "layer": "below"}]


def _row_notes(row: TrendRow, domain: tuple[float, float]) -> list[dict[str, Any]]:
    middle = (domain[0] + domain[1]) / 2
    label = html.escape(row.label if len(row.label) <= 24 else f"{row.label[:23]}…")
    notes = [_note(0, middle, f"{label}<br><span style='font-size:11px'>{html.escape(row.latest)}</span>")]
    notes[0] |= {"yanchor": "middle", "align": "left"}
    if row.attribution is not None:
        text = f"{row.attribution:+.2f}".replace("-", "−")
        at = {"x": 1, "xanchor": "right", "xshift": RIGHT_PX, "yanchor": "middle"}
        notes.append(_note(1, middle, text, size=12) | at)
    return notes


def _attribution_bar(row: TrendRow, domain: tuple[float, float], largest: float) -> list[dict[str, Any]]:
    """Return a bar from the middle of its column: left and blue lowers, right and vermilion raises."""
    if row.attribution is None or not largest:
        return []
    middle, zero = (domain[0] + domain[1]) / 2, TICKS_PX + _BAR_PX
    length = row.attribution / largest * _BAR_PX
    common = {"xref": "paper", "xsizemode": "pixel", "xanchor": 1, "yref": "paper", "ysizemode": "pixel"}
    bar = {"type": "rect", "x0": zero, "x1": round(zero + length, 1), "yanchor": middle, "y0": -5, "y1": 5}
    base = {"type": "line", "x0": zero, "x1": zero, "yanchor": middle, "y0": -9, "y1": 9}
    colour = RAISES if length > 0 else LOWERS
    return [
        common | bar | {"fillcolor": colour, "line": {"width": 0}},
        common | base | {"line": {"width": 1, "color": CONTEXT}},
    ]


def _t0(t0_h: float, window: tuple[float, float]) -> list[dict[str, Any]]:
    line = {"type": "line", "x0": t0_h, "x1": t0_h, "yref": "paper", "y0": 0, "y1": 1}
    rest = {"type": "rect", "x0": t0_h, "x1": max(window[1], t0_h), "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    return [
        line | {"line": {"width": 1, "color": CONTEXT}},
        rest | {"fillcolor": "rgba(138,143,148,0.08)", "line": {"width": 0}},
    ]


def _t0_note(t0_h: float, window: tuple[float, float]) -> dict[str, Any]:
    """Return the line's name, on the side of it where there is room."""
    text = f"prediction at {t0_h:g} h; what lies right of it, and all grey points, the model did not see"
    late = t0_h - window[0] > 0.6 * (window[1] - window[0])
    side = {"xanchor": "right", "xshift": 2} if late else {"xanchor": "left", "xshift": -2}
    at = {"xref": "x", "x": t0_h, "y": 1, "yanchor": "bottom"} | side
    return _note(0, 1, text, color=CONTEXT, size=11) | at


def _note(x: float, y: float, text: str, *, size: int = 13, **more: Any) -> dict[str, Any]:
    """Return text at the left edge of the left margin unless told otherwise."""
    font = {"size": size} | ({"color": more.pop("color")} if "color" in more else {})
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": "left", "xshift": -LEFT_PX, "font": font}
    return place | {"text": text, "showarrow": False} | more
