"""Numbers with their intervals in, the row of figures that opens a page of results out, as HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number as it is read: what it is, its value, what stands beside it in grey, and a line below."""

    label: str
    value: str
    beside: str = ""
    below: str = ""


def figure_row(figures: list[Figure]) -> str:
    """The figures side by side where there is room, below each other where not; every text is escaped."""
    return f'<div class="lemof-figures">{"".join(_figure(one) for one in figures)}</div>'


def _figure(one: Figure) -> str:
    label, value, beside, below = (html.escape(text) for text in (one.label, one.value, one.beside, one.below))
    return (
        f'<div class="lemof-figure"><div class="lemof-figure-label">{label}</div>'
        f'<div class="lemof-figure-value">{value} <span>{beside}</span></div>'
        f'<div class="lemof-figure-below">{below}</div></div>'
    )
