"""What the reader brushed in the flowsheet comes in from the browser; the hours shown of it go out, and a reset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

CHART = "case-trends"  # key of the container around the chart
LEAST_H = 0.5  # a narrower brush is widened: nobody charts by the minute, and a chart of nothing has no way to read
_RESETS = "trends_resets"
_SCRIPT = Path(__file__).resolve().parents[1] / "assets" / "trend_zoom.js"
# The leading newline: Streamlit takes a one-line js string for the path of a file.
_mount = st.components.v2.component(
    "lemof_trend_zoom", html="<span></span>", js="\n" + _SCRIPT.read_text(encoding="utf-8")
)


def revision(stay_id: int, run_id: str) -> str:
    """Return what a figure carries and a brush in it reports: whose it is, and how often the zoom was reset."""
    return f"{stay_id} {run_id} {st.session_state.get(_RESETS, 0)}"


def brushed_hours(of: str, full: tuple[float, float]) -> tuple[float, float]:
    """Return the hours that the reader brushed in figures of this revision, else all of `full`.

    Drawn once per run of the page, wherever it takes no room, so that what was brushed outlives a look at the table.
    """
    state = _mount(key="case-trends-zoom", data={"chart": CHART}, on_zoom_change=lambda: None, width="content")
    return zoom_within(state.get("zoom"), of, full)


def reset() -> None:
    """Forget what was brushed."""
    st.session_state[_RESETS] = st.session_state.get(_RESETS, 0) + 1


def zoom_within(zoom: Any, of: str, full: tuple[float, float]) -> tuple[float, float]:
    """Return the part of `full` that the browser's report names, at least half an hour of it; all of `full` where the
    report is none, is of another figure, or names hours outside."""
    span = zoom.get("span") if isinstance(zoom, Mapping) and zoom.get("of") == of else None
    if not isinstance(span, list) or len(span) != 2:
        return full
    if not all(isinstance(hour, int | float) and math.isfinite(hour) for hour in span):
        return full
    low, high = max(min(span), full[0]), min(max(span), full[1])
    if low >= high:
        return full
    wanting = max(0.0, LEAST_H - (high - low)) / 2
    return max(low - wanting, full[0]), min(high + wanting, full[1])
