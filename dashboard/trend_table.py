"""The flowsheet's rows and values in, the same as a table out: a row a variable, a column an hour, a day at a time."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from dashboard.case_values import FLAGS, MODEL_WINDOW_H, STORED_LATE, flags_in_words, number
from dashboard.charts.trend_row import TrendRow

HOURS_A_PAGE = 24
_LATE = "*"  # beside a value that the model did not see, though its hour's heading says that it read the hour
_MISSING = "·"
_FEW = 3  # values of an hour that stand below each other


def table_pages(values: pd.DataFrame, t0_h: float | None) -> dict[str, range]:
    """Return title -> whole hours (see `case_values.whole_hours`) of each day that has a value.

    Days are counted from t0, so that the model's window is a page of its own; a last day of one hour joins the one
    before, unless that is the model's.
    """
    first, last = int(values["whole_hour"].min()), int(values["whole_hour"].max())
    starts = range(first - first % HOURS_A_PAGE, last + 1, HOURS_A_PAGE)
    days = [range(max(start, first), min(start + HOURS_A_PAGE, last + 1)) for start in starts]
    if len(days) > 1 and len(days[-1]) == 1 and days[-1].start != 0:
        days[-2:] = [range(days[-2].start, days[-1].stop)]
    filled = values["whole_hour"]
    return {_title(day, t0_h): day for day in days if filled.between(day.start, day.stop - 1).any()}


def first_page(pages: dict[str, range]) -> int:
    """Return the place of the page that the model read most of, which is where reading begins."""
    window = set(range(-MODEL_WINDOW_H, 0))
    return int(np.argmax([len(window & set(hours)) for hours in pages.values()]))


def _title(hours: range, t0_h: float | None) -> str:
    return f"{_clock(hours.start, t0_h)} to {_clock(hours.stop, t0_h)} h"


def _clock(whole_hour: int, t0_h: float | None) -> str:
    """Return the hour's beginning as hours from ICU admission."""
    return f"{whole_hour + (t0_h or 0):g}".replace("-", "−")


def trend_table(rows: Sequence[TrendRow], values: pd.DataFrame, hours: range, *, t0_h: float | None) -> str:
    """Return the table of one page as HTML, escaped.

    Args:
        rows: as the figure has them. values: as `case_values.judged` gives them, inside the time shown.
        hours: the page's whole hours. t0_h: hour of the prediction; None where none was made.
    """
    page = values[values["whole_hour"].isin(hours)]
    cells = dict(tuple(page.groupby(["variable", "whole_hour"], sort=False)))
    body = "".join(_row(row, cells, hours, has_window=t0_h is not None) for row in rows)
    return (
        f'<table class="case-table trend-table"><caption>{_title(hours, t0_h)} from ICU admission</caption>'
        f"<thead>{_heads(hours, t0_h)}</thead><tbody>{body}</tbody></table>"
    )


def table_note(values: pd.DataFrame, hours: range, *, t0_h: float | None) -> str:
    """Return how many values of the page are flagged, and how to read the table; arguments as of `trend_table`."""
    page = values[values["whole_hour"].isin(hours)]
    parts = [f"{_title(hours, t0_h)}: {flags_in_words(page['flag'])}. A column is an hour, named by its beginning."]
    if t0_h is not None:
        parts.append(f"{_MISSING} marks an hour that the model read and that has no value.")
    if (page["unseen"] == STORED_LATE).any():
        parts.append(f"{_LATE} {STORED_LATE}: not seen by the model.")
    return " ".join(parts)


def _heads(hours: range, t0_h: float | None) -> str:
    """Return the two rows of headings: what the model saw of the hours, and the hours."""
    groups = "".join(
        f'<th scope="colgroup" colspan="{len(list(own))}" class="group">{html.escape(seen)}</th>'
        for seen, own in groupby(hours, key=lambda hour: _seen(hour, t0_h is not None))
    )
    name = '<th scope="col" rowspan="2" class="words">Variable</th>'
    missing = "" if t0_h is None else '<th scope="col" rowspan="2">Hours without<br>a value</th>'
    single = "".join(f'<th scope="col">{_clock(hour, t0_h)}</th>' for hour in hours)
    return f"<tr>{name}{missing}{groups}</tr><tr>{single}</tr>"


def _seen(whole_hour: int, has_window: bool) -> str:
    if not has_window:
        return "no prediction was made"
    if whole_hour >= 0:
        return "after the prediction: not seen by the model"
    return "read by the model" if whole_hour >= -MODEL_WINDOW_H else "before the model's window: not seen by the model"


def _row(row: TrendRow, cells: dict[Any, pd.DataFrame], hours: range, *, has_window: bool) -> str:
    linked = ' class="linked" data-linked="true"' if row.linked else ""
    name = f"{html.escape(row.label)} <small>{html.escape(row.unit)}</small><br><small>{_limits(row)}</small>"
    inside = "".join(
        _cell(cells.get((row.name, hour)), row.decimals, model_reads=has_window and -MODEL_WINDOW_H <= hour < 0)
        for hour in hours
    )
    missing = f"<td>{len(row.missing)} of {MODEL_WINDOW_H}</td>" if has_window else ""
    return f'<tr{linked}><th scope="row" class="words">{name}</th>{missing}{inside}</tr>'


def _cell(own: pd.DataFrame | None, decimals: int, *, model_reads: bool) -> str:
    """Return an hour's values below each other; more than a few folded under their range."""
    kind = "" if model_reads else ' class="unseen"'
    if own is None:
        return f"<td{kind}>{_MISSING if model_reads else ''}</td>"
    told = zip(own["value"], own["flag"], own["unseen"], strict=True)
    each = "<br>".join(_value(number(value, decimals), flag, unseen) for value, flag, unseen in told)
    if len(own) > _FEW:
        span = f"{number(own['value'].min(), decimals)} to {number(own['value'].max(), decimals)}"
        counts = own["flag"].value_counts()
        flags = "".join(f"<br>{counts[flag]} {flag}" for flag in FLAGS if flag in counts)
        each = f"<details><summary>{span}<br>{len(own)} values{flags}</summary>{each}</details>"
    return f"<td{kind}>{each}</td>"


def _value(text: str, flag: str, unseen: str) -> str:
    """Return 4.1 H, with a star where the model did not see a value of its own hours."""
    star = f'<abbr title="{STORED_LATE}: not seen by the model">{_LATE}</abbr>' if unseen == STORED_LATE else ""
    return (f'<b data-flag="{flag}">{text} {flag}</b>' if flag else text) + star


def _limits(row: TrendRow) -> str:
    """Return 3.3 to 5.1, critical ≤ 2.8 or ≥ 6.2."""
    parts = []
    if not (np.isnan(row.low) or np.isnan(row.high)):
        low, high = _limit(row.low), _limit(row.high)
        parts.append(low if low == high else f"{low} to {high}")
    sides = [(sign, limit) for sign, limit in (("≤", row.crit_low), ("≥", row.crit_high)) if not np.isnan(limit)]
    if sides:
        parts.append("critical " + " or ".join(f"{sign} {_limit(limit)}" for sign, limit in sides))
    return ", ".join(parts) or "no limits"


def _limit(value: float) -> str:
    """Return a limit with the digits that it was given with, two at most."""
    return number(value, next((digits for digits in (0, 1) if round(value, digits) == value), 2))
