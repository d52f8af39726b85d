"""Intervals and lead quality of one ECG in, the row of numbers beneath its paper out; the choice of QTc's formula."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from cohort_db.ecg_leads import LEADS
from dashboard.ecg_intervals import AUTOMATED, FORMULAS, Interval, Quality


def formula_choice() -> str:
    """Draw the choice of the formula for QTc, which lives in the URL, and return it."""
    st.html('<span class="case-label">QTc by</span>', width="content")
    chosen = st.selectbox(
        "Formula for QTc", FORMULAS, key="qtc", bind="query-params", label_visibility="collapsed", width=125,
    )  # fmt: skip
    return str(chosen or FORMULAS[0])


def interval_row(intervals: Sequence[Interval], quality: Quality, stamp: str = "") -> str:
    """Return the markup: each value with who says so or why there is none, what to mind, and which leads are flagged.

    Args:
        stamp: attributes that say whose ECG this is, escaped already.
    """
    cells = "".join(_cell(interval) for interval in intervals)
    signal = _markup("Signal", f"{len(quality.good)} of {len(LEADS)}", quality.words() or "leads good")
    notes = [f"{interval.label}: {interval.remark}." for interval in intervals if interval.remark]
    told = "".join(f'<p data-testid="ecg-remark">{html.escape(note)}</p>' for note in notes)
    return (
        f'<div class="case-intervals" data-testid="ecg-intervals" {stamp}>'
        f'<dl>{cells}<div data-testid="ecg-signal">{signal}</div></dl>{told}</div>'
    )


def in_words(intervals: Sequence[Interval]) -> str:
    """Return the intervals in one line, for print: what nobody has confirmed first, under its own name."""
    plain = [interval for interval in intervals if interval.source == AUTOMATED]
    told = [f"{interval.label} {interval.shown} ({interval.source})" for interval in intervals if interval not in plain]
    unconfirmed = ", ".join(f"{interval.label} {interval.shown}" for interval in plain)
    return " · ".join([f"{AUTOMATED}: {unconfirmed}", *told] if plain else told)


def _cell(interval: Interval) -> str:
    kind = "none" if interval.value is None else "read" if interval.reading else "automated"
    inner = _markup(interval.label, interval.shown, interval.source)
    return f'<div data-interval="{interval.name}" data-kind="{kind}">{inner}</div>'


def _markup(label: str, shown: str, source: str) -> str:
    return f"<dt>{html.escape(label)}</dt><dd>{html.escape(shown)}</dd><dd>{html.escape(source)}</dd>"
