"""One variable's judged values in, its row of the flowsheet out: line, flags, limits, hours without a value, words."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.case_values import (
    AFTER_T0,
    CRITICAL_HIGH,
    CRITICAL_LOW,
    HIGH,
    LOW,
    MODEL_WINDOW_H,
    NO_PREDICTION,
    SEEN,
)
from dashboard.charts.theme import ACCENT, BAND, CONTEXT, LOWERS, RAISES

LEFT_PX, TICKS_PX, RIGHT_PX = 158, 40, 142
_BAR_PX = 30  # length of the largest attribution's bar
# Triangles up and down, starred where critical: a flag is a shape too.
_SYMBOL = {HIGH: 5, LOW: 6, CRITICAL_HIGH: 19, CRITICAL_LOW: 20}
_SIZE = (5, 7, 9)  # by the letters of the flag


@dataclass(frozen=True)
class TrendRow:
    """One variable: its name and limits, what the model saw last, its attribution (log-odds), the model's hours without
    a value (each by its beginning, from ICU admission), and whether something else on the page points at it."""

    name: str
    label: str
    unit: str
    panel: str
    decimals: int
    low: float
    high: float
    latest: str = ""
    attribution: float | None = None
    crit_low: float = math.nan
    crit_high: float = math.nan
    missing: tuple[float, ...] = ()
    linked: bool = False


@dataclass
class RowParts:
    """What one row adds to the figure."""

    traces: list[dict[str, Any]]
    y_axis: dict[str, Any]
    shapes: list[dict[str, Any]]
    notes: list[dict[str, Any]]


def row_parts(
    row: TrendRow,
    own: pd.DataFrame,
    *,
    axis: str,
    domain: tuple[float, float],
    window: tuple[float, float],
    spacing: float,
    largest: float,
) -> RowParts:
    """Return a row of the flowsheet.

    Args:
        own: the variable's values, as `case_values.judged` gives them. window: the hours shown of them.
        axis: the row's own y axis, "y" or "y7". domain: where it lies, in paper coordinates.
        spacing: hours that a letter needs. largest: |attribution| whose bar is the longest.
    """
    inside = own["hour"].between(*window)
    y_axis = _y_axis(row, own[inside] if inside.any() else own, domain)
    low, high = y_axis["range"]
    own = own.assign(letter="")
    own.loc[inside, "letter"] = _letters(own[inside], spacing)
    traces = _value_traces(row, own, axis)
    if row.missing:
        traces.append(_missing_ticks(row, axis, low + 0.05 * (high - low)))
    shapes = _limits(row, axis, low, high) + _attribution_bar(row, domain, largest)
    if row.linked:
        shapes.append(_frame(domain))
    return RowParts(traces, y_axis, shapes, _row_notes(row, domain))


def _value_traces(row: TrendRow, own: pd.DataFrame, axis: str) -> list[dict[str, Any]]:
    """Return what the model saw as an accented line, the rest in grey; abnormal points have a shape and a letter.

    Where no prediction was made nothing is grey: there is no model that could have missed it.
    """
    label = html.escape(row.label)
    plain = own["unseen"].isin((SEEN, NO_PREDICTION))
    traces = []
    for part, is_seen in ((own[plain], True), (own[~plain], False)):
        if part.empty:
            continue
        part = part.assign(told=_hover_words(part))
        part = part if is_seen else _apart(part)
        unit = html.escape(row.unit) + ("" if is_seen else ", not seen by the model")
        colour = ACCENT if is_seen else CONTEXT
        letters = part["letter"].tolist()
        traces.append(
            {
                "type": "scatter", "yaxis": axis, "cliponaxis": False,
                "x": part["hour"].round(2).tolist(), "y": [float(f"{y:.{row.decimals}f}") for y in part["value"]],
                "customdata": part["told"].tolist(), "textfont": {"size": 10, "color": RAISES if is_seen else CONTEXT},
                **_texts(letters),
                "marker": _markers(part["flag"].tolist(), colour, RAISES if is_seen else CONTEXT)
                | {"opacity": 1.0 if is_seen else 0.6},
                "line": {"width": 1.2, "color": colour} | ({} if is_seen else {"dash": "dot"}),
                "name": label if is_seen else f"{label}, not seen by the model",
                "hovertemplate": f"%{{y:.{row.decimals}f}} {unit}<br>%{{customdata}}<extra>{label}</extra>",
            }
        )  # fmt: skip
    return traces


def _markers(flags: list[str], colour: str, flagged: str) -> dict[str, Any]:
    """Return shape, size and colour of the points by their flags."""
    return {
        "size": [_SIZE[len(flag)] for flag in flags],
        "symbol": [_SYMBOL.get(flag, 0) for flag in flags],
        "color": [flagged if flag else colour for flag in flags] if any(flags) and flagged != colour else colour,
    }


def _hover_words(part: pd.DataFrame) -> pd.Series:
    """Return flag and time of each value, and why the model did not see it unless it plainly came too late."""
    flag = part["flag"].where(part["flag"] == "", part["flag"] + ", ")
    why = ("<br>" + part["unseen"]).mask(part["unseen"].isin((SEEN, NO_PREDICTION, AFTER_T0)), "")
    return flag + part["clock"] + why


def _texts(letters: list[str]) -> dict[str, Any]:
    """Return H above its point and L below; as few words as that takes, for the page's sake."""
    sides = {"bottom center" if letter in (LOW, CRITICAL_LOW) else "top center" for letter in letters if letter}
    if not sides:
        return {"mode": "lines+markers"}
    each = ["bottom center" if letter in (LOW, CRITICAL_LOW) else "top center" for letter in letters]
    return {"mode": "lines+markers+text", "text": letters, "textposition": sides.pop() if len(sides) == 1 else each}


def _apart(part: pd.DataFrame) -> pd.DataFrame:
    """Return the unseen values with an empty row wherever no line may join two of them: only after t0 they follow on
    each other without a seen value between them."""
    after = (part["unseen"] == AFTER_T0).to_numpy()
    breaks = np.r_[False, ~(after[1:] & after[:-1])]
    places = np.arange(len(part)) + np.cumsum(breaks)
    spread = part.set_axis(places).reindex(range(int(places[-1]) + 1))
    return spread.fillna(dict.fromkeys(("told", "letter", "flag"), ""))


def _letters(part: pd.DataFrame, spacing: float) -> list[str]:
    """Return the flags of abnormal values as close as they stay legible, critical ones first; the shape of each point
    says it too."""
    hours, flags = part["hour"].to_numpy(float), part["flag"].tolist()
    out = [""] * len(flags)
    for side in ((LOW, CRITICAL_LOW), (HIGH, CRITICAL_HIGH)):
        taken: list[float] = []
        for place in sorted(
            (n for n, flag in enumerate(flags) if flag in side), key=lambda n: (-len(flags[n]), hours[n])
        ):
            if all(abs(hours[place] - other) >= spacing for other in taken):
                taken.append(hours[place])
                out[place] = flags[place]
    return out


def _missing_ticks(row: TrendRow, axis: str, y: float) -> dict[str, Any]:
    """Return a tick at the bottom of the row in the middle of every hour without a value."""
    return {
        "type": "scatter", "mode": "markers", "yaxis": axis, "x": [hour + 0.5 for hour in row.missing],
        "y": [round(y, row.decimals + 2)] * len(row.missing), "name": f"{html.escape(row.label)}, no value",
        "marker": {"symbol": "line-ns", "size": 6, "line": {"width": 1.2, "color": CONTEXT}},
        "hovertemplate": f"no value in this hour<extra>{html.escape(row.label)}</extra>",
    }  # fmt: skip


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
    below = pad if not row.missing else 1.7 * pad  # room for the ticks
    return {
        "domain": domain, "range": [round(low - below, 4), round(high + pad, 4)], "nticks": 3, "side": "right",
        "fixedrange": True, "tickfont": {"size": 10, "color": CONTEXT}, "tickformat": shown,
    }  # fmt: skip


def _limits(row: TrendRow, axis: str, low: float, high: float) -> list[dict[str, Any]]:
    """Return the reference range as a band, and the critical limits as dotted lines where the row reaches that far."""
    across = {"xref": "paper", "x0": 0, "x1": 1, "yref": axis, "layer": "below"}
    shapes = []
    if not (np.isnan(row.low) or np.isnan(row.high) or row.low == row.high):
        band = {"type": "rect", "name": "reference", "y0": row.low, "y1": row.high, "fillcolor": BAND}
        shapes.append(across | band | {"line": {"width": 0}})
    for limit in (row.crit_low, row.crit_high):
        if low <= limit <= high:
            line = {"type": "line", "name": "critical", "y0": limit, "y1": limit}
            shapes.append(across | line | {"opacity": 0.6, "line": {"width": 1, "color": RAISES, "dash": "dot"}})
    return shapes


def _row_notes(row: TrendRow, domain: tuple[float, float]) -> list[dict[str, Any]]:
    """Return name and last value at the left, and at the right the attribution and how many hours have no value."""
    middle = (domain[0] + domain[1]) / 2
    label = html.escape(row.label if len(row.label) <= 24 else f"{row.label[:23]}…")
    label = f"<b>{label}</b>" if row.linked else label
    notes = [note(0, middle, f"{label}<br><span style='font-size:11px'>{html.escape(row.latest)}</span>")]
    notes[0] |= {"yanchor": "middle", "align": "left"}
    if row.attribution is not None:
        text = f"{row.attribution:+.2f}".replace("-", "−")
        at = {"x": 1, "xanchor": "right", "xshift": RIGHT_PX, "yanchor": "middle"}
        notes.append(note(1, middle, text, size=12) | at)
    if row.missing:
        text = f"no value in {len(row.missing)} of {MODEL_WINDOW_H} h"
        at = {"xanchor": "right", "xshift": RIGHT_PX, "yanchor": "bottom", "yshift": -6}
        notes.append(note(1, domain[0], text, size=10, color=CONTEXT) | at)
    return notes


def _frame(domain: tuple[float, float]) -> dict[str, Any]:
    """Return the frame of the row that something else on the page points at, with room for its letters."""
    room = 0.18 * (domain[1] - domain[0])
    low, high = max(0.0, domain[0] - room / 3), min(1.0, domain[1] + room)
    place = {"xref": "paper", "x0": 0, "x1": 1, "yref": "paper", "y0": low, "y1": high}
    return {"type": "rect", "name": "linked"} | place | {"line": {"width": 2, "color": ACCENT}}


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


def note(x: float, y: float, text: str, *, size: int = 13, **more: Any) -> dict[str, Any]:
    """Return text at the left edge of the left margin unless told otherwise."""
    font = {"size": size} | ({"color": more.pop("color")} if "color" in more else {})
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "xanchor": "left", "xshift": -LEFT_PX, "font": font}
    return place | {"text": text, "showarrow": False} | more
