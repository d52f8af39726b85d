"""Drugs, procedures and transfers of a stay in, lanes of bars on the flowsheet's time axis out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.charts.theme import ACCENT, CONTEXT, OKABE_ITO

LANE_PX = 18
_SHORTEST_SHARE = 1 / 400  # of the window: a bolus of a minute is still a visible mark
_COLOUR = {"transfer": CONTEXT, "procedure": OKABE_ITO[2], "drug": OKABE_ITO[3], "ecg": ACCENT}


@dataclass(frozen=True)
class Lane:
    """One lane: intervals (start hour, end hour or None while open, words for the hover)."""

    kind: str
    label: str
    spans: tuple[tuple[float, float | None, str], ...]


def choose_lanes(
    intervals: pd.DataFrame, window: tuple[float, float], *, n_drugs: int = 10, n_procedures: int = 4
) -> tuple[list[Lane], list[str]]:
    """Return the lanes shown, and the labels of those left out for room.

    Whatever overlaps the window counts, also what began before it. One lane holds all transfers. Drugs given by the
    minute (pressors, sedation) come first, then what ran longest inside the window.
    """
    start = intervals["start_s"].to_numpy(float) / 3600
    end = intervals["end_s"].to_numpy(float, na_value=float("nan")) / 3600
    frame = intervals.assign(start_h=start, end_h=end, until=pd.Series(end, intervals.index).fillna(window[1]))
    frame = frame[(frame["start_h"] <= window[1]) & (frame["until"] >= window[0])]
    inside = frame["until"].clip(*window) - frame["start_h"].clip(*window)
    lanes, left_out = [], []
    transfers = frame[frame["kind"] == "transfer"]
    if len(transfers):
        lanes.append(Lane("transfer", "Care unit", _spans(transfers)))
    for kind, most in (("procedure", n_procedures), ("drug", n_drugs)):
        own = frame[frame["kind"] == kind]
        titrated = own["rate_unit"].fillna("").str.endswith("/min")
        weight = pd.DataFrame({"label": own["label"], "titrated": titrated, "hours": inside[own.index]})
        ranked = weight.groupby("label").agg({"titrated": "max", "hours": "sum"})
        labels = ranked.sort_values(["titrated", "hours"], ascending=False, kind="stable").index.tolist()
        lanes += [Lane(kind, str(label), _spans(own[own["label"] == label])) for label in labels[:most]]
        left_out += [str(label) for label in labels[most:]]
    return lanes, left_out


def _spans(frame: pd.DataFrame) -> tuple[tuple[float, float | None, str], ...]:
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    return tuple((row["start_h"], None if pd.isna(row["end_h"]) else row["end_h"], _words(row)) for row in rows)


def _words(row: dict[Any, Any]) -> str:
    rate = "" if pd.isna(row["rate"]) else f", {row['rate']:.3g} {row['rate_unit'] or ''}"
    end = "open" if pd.isna(row["end_h"]) else f"{row['end_h']:.1f} h"
    return f"{row['label']}{rate}: {row['start_h']:.1f} h to {end}".replace(": -", ": −")


def lane_traces(
    lanes: Sequence[Lane], axis: str, window: tuple[float, float], t0_h: float | None
) -> list[dict[str, Any]]:
    """Return two bar traces: the part of every interval up to the prediction, and in grey the part after it."""
    cut = window[1] if t0_h is None else t0_h
    least = (window[1] - window[0]) * _SHORTEST_SHARE
    before: dict[str, list[Any]] = {"base": [], "x": [], "y": [], "hovertext": [], "color": []}
    after: dict[str, list[Any]] = {"base": [], "x": [], "y": [], "hovertext": [], "color": []}
    for place, lane in enumerate(lanes):
        for begin, end, words in lane.spans:
            start, stop = max(begin, window[0]), min(window[1] if end is None else end, window[1])
            for part, low, high in ((before, start, min(stop, cut)), (after, max(start, cut), stop)):
                if low > high or (low == high and part is after and begin < cut):
                    continue
                part["base"].append(round(low, 2))
                part["x"].append(round(max(high - low, least), 2))
                part["y"].append(place)
                part["hovertext"].append(html.escape(words))
                part["color"].append(_COLOUR.get(lane.kind, CONTEXT) if part is before else CONTEXT)
    return [_bars(before, axis, 0.75, "up to the prediction"), _bars(after, axis, 0.3, "after the prediction")]


def _bars(part: dict[str, list[Any]], axis: str, opacity: float, name: str) -> dict[str, Any]:
    return {
        "type": "bar", "orientation": "h", "yaxis": axis, "width": 0.6, "opacity": opacity, "name": name,
        "base": part["base"], "x": part["x"], "y": part["y"], "hovertext": part["hovertext"], "hoverinfo": "text",
        "marker": {"color": part["color"], "line": {"width": 0}},
    }  # fmt: skip
