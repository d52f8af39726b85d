"""Numbers in, the words and digits that every page uses for them out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RESEARCH_USE = "Research use only. Not a medical device."


@dataclass(frozen=True)
class Definition:
    """What is predicted: at t0 hours after ICU admission, whether the stay lasts longer than the cut (hours)."""

    t0_hours: float
    cut_hours: float

    @property
    def t0(self) -> str:
        """When the prediction is made, counted from ICU admission: 24 h."""
        return f"{self.t0_hours:g} h"

    @property
    def cut(self) -> str:
        """How long a stay must last for label 1: 72 h."""
        return f"{self.cut_hours:g} h"

    @property
    def label(self) -> str:
        """Label 1 as a sentence: Still in ICU after 72 h."""
        return f"Still in ICU after {self.cut}"


def definition_of(known: Mapping[str, Any]) -> Definition:
    """Return the definition that a run was fitted for, or that a cohort was made by (see `read.task_definition`)."""
    return Definition(float(known["t0_hours"]), float(known["cut_hours"]))


def recipe(run: Mapping[str, Any]) -> str:
    """Return fusion and preset of a run, and whether anything was set on top of it: lemof robust, changed by hand."""
    changed = ", changed by hand" if run["config"].get("settings") else ""
    return f"{run['fusion']} {run['preset'] or '–'}{changed}"


def probability(p: float | None) -> str:
    """Return two digits after the point; an en dash where there is none."""
    return "–" if p is None or math.isnan(p) else f"{p:.2f}"


def percent(share: float) -> str:
    """Return a share of 0.335 as 34 %, and 0.005 as 0.5 %: whole percents from one on."""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else f"{100 * share:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """Return [0.54–0.70], or [−0.08 to 1.16] where a dash would read as a minus; nothing without an interval."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    if low < 0:
        return f"[{low:.2f} to {high:.2f}]".replace("-", "−")
    return f"[{low:.2f}–{high:.2f}]"


def estimate(value: float | None, low: float | None, high: float | None, note: str | None = None) -> str:
    """Return 0.71 [0.68–0.74], or why there is no number."""
    if value is None or math.isnan(value):
        return note or "not estimable"
    return f"{value:.2f} {interval(low, high)}".strip().replace("-", "−")


def hours(offset_s: float) -> str:
    """Return seconds from ICU admission as hours in words: 6.5 h after admission."""
    value = offset_s / 3600
    if abs(value) < 0.05:
        return "at admission"
    return f"{abs(value):.1f} h {'after' if value > 0 else 'before'} admission"


SHOWN_AS_ZERO = 0.005  # what is smaller prints as 0.00


def signed(value: float) -> str:
    """Return +0.31 or −0.31 with a true minus sign."""
    return f"{value:+.2f}".replace("-", "−")


def care_unit(name: str) -> str:
    """Return the short name in MIMIC's own parentheses: MICU of Medical Intensive Care Unit (MICU)."""
    inside = name.rpartition("(")[2].rstrip(")")
    return inside if name.endswith(")") and inside else name


def literal(text: object) -> str:
    """Return the text with the signs that Markdown would read taken literally: no link, no picture from elsewhere."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>()#+!|~$:" else sign for sign in str(text))
