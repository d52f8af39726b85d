"""Counts over a scale and the range that is chosen in; a histogram to brush drawn, what was brushed into the slider."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from cohort_db.browse import BINS

MOST_BARS = 40
_ASSETS = Path(__file__).resolve().parents[1] / "assets"
# The leading newline: Streamlit takes a one-line js string for the path of a file.
_mount = st.components.v2.component(
    "lemof_facet_brush",
    html='<div class="title"><span></span><output></output></div>'
    '<svg viewBox="0 0 240 40" preserveAspectRatio="none" role="img"></svg>',
    css="\n" + (_ASSETS / "facet_brush.css").read_text(encoding="utf-8"),
    js="\n" + (_ASSETS / "facet_brush.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Scale:
    """What a range is chosen on: its ends, the step that choices snap to, and whether it is of whole numbers."""

    low: float
    high: float
    step: float
    whole: bool = False

    @property
    def bar(self) -> float:
        """How much of the scale each bar of its histogram covers: some whole numbers, or a part of `browse.BINS`."""
        return math.ceil((self.high - self.low + 1) / MOST_BARS) if self.whole else (self.high - self.low) / BINS

    @property
    def n_bars(self) -> int:
        """How many bars its histogram has; the last one may reach beyond the scale."""
        return math.ceil((self.high - self.low + 1) / self.bar) if self.whole else BINS

    @property
    def digits(self) -> int:
        """Digits after the point."""
        return 0 if self.whole else 2

    def within(self, span: Any) -> tuple[float, float] | None:
        """The range that the browser reports, inside the scale; None for a report that is none."""
        if not isinstance(span, list) or len(span) != 2:
            return None
        if not all(isinstance(end, int | float) and math.isfinite(end) for end in span):
            return None
        low, high = max(min(span), self.low), min(max(span), self.high)
        if low > high:
            return None
        return (round(low), round(high)) if self.whole else (round(low, 2), round(high, 2))


def draw_brush(
    what: str, key: str, bins: Sequence[int] | np.ndarray, scale: Scale, chosen: tuple[float, float]
) -> None:
    """The histogram stands on the page; a brush over it moves the slider of that key.

    Args:
        what: the quantity in words; key: of the slider, a range on the same scale.
    """
    name = f"brush-{key}"

    def move() -> None:
        span = scale.within(st.session_state[name].get("span"))
        if span is not None:
            st.session_state[key] = span

    data = {"bins": [int(n) for n in bins], "low": scale.low, "high": scale.high, "step": scale.step}
    data |= {"bar": scale.bar, "whole": scale.whole}
    data |= {"chosen": list(chosen), "digits": scale.digits, "what": what}
    _mount(key=name, data=data, on_span_change=move, width="stretch", height="content")
