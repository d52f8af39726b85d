"""A case's judged values and the flowsheet's rows in, what is written around the flowsheet out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.case_values import (
    CRITICAL_HIGH,
    CRITICAL_LOW,
    MODEL_WINDOW_H,
    NO_PREDICTION,
    SEEN,
    Latest,
    flags_in_words,
)
from dashboard.charts.trend_row import TrendRow
from dashboard.wording import SHOWN_AS_ZERO, signed

N_NAMED = 4
_ZOOM = "Drag sideways to zoom all rows; a double click shows everything again."
_TICKS = f"Ticks under a row: hours without a value among the {MODEL_WINDOW_H} h that the model read."


def title(
    latest: Mapping[str, Latest], variables: pd.DataFrame, attribution: Mapping[str, float], t0_h: float | None
) -> str:
    """Return how much was out of range when the prediction was made, critical values first."""
    if t0_h is None:
        return "Course of the stay"
    if not latest:
        return f"Nothing was measured before the prediction at {t0_h:g} h"
    critical = {name for name in latest if latest[name].flag in (CRITICAL_LOW, CRITICAL_HIGH)}
    flagged = sorted(
        (name for name in latest if latest[name].flag),
        key=lambda name: (name not in critical, -abs(attribution.get(name, 0.0))),
    )
    label = variables["label"].to_dict()
    out = [f"{label[name]} {latest[name].flag}" for name in flagged]
    named = ", ".join(out[:N_NAMED]) + (f" and {len(out) - N_NAMED} more" if len(out) > N_NAMED else "")
    beyond = f", {len(critical)} of them critical" if critical else ""
    words = f"At {t0_h:g} h {len(out)} of {len(latest)} measured variables were out of range{beyond}"
    return f"{words}: {named}" if out else words


def told(rows: Sequence[TrendRow], inside: pd.DataFrame) -> str:
    """Return the chart in words; `inside` are the values that it shows."""
    last = "; ".join(f"{row.label} {row.latest}" for row in rows)
    return f"Trends over the stay, {flags_in_words(inside['flag'])}. Last values seen by the model: {last}"


def chart_note(rows: Sequence[TrendRow], inside: pd.DataFrame) -> str:
    """Return how many values are flagged, what the ticks are, and how to zoom."""
    ticks = f" {_TICKS}" if any(row.missing for row in rows) else ""
    return f"{flags_in_words(inside['flag'])}.{ticks} {_ZOOM}"


def legend(rows: Sequence[TrendRow], sex: str, linked: str | None) -> str:
    """Return what the letters mean, and the frame. linked: label of the variable that another panel points at."""
    people = "women" if sex == "F" else "men"
    words = (
        f"H, L: above, below the reference range of adult {people}; HH, LL: at or beyond a critical limit, at which "
        "somebody is called at once."
    )
    if linked is None:
        return words
    if any(row.linked for row in rows):
        return f"{words} Framed: {linked}, chosen in another panel."
    return f"{words} {linked}, chosen in another panel, has no value over time in this stay and so no row."


def unseen_note(
    values: pd.DataFrame,
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    attribution: Mapping[str, float],
    left_out: Sequence[str],
) -> str:
    """Return what the flowsheet cannot show: how many values the model did not see and why, and what it missed."""
    counts = values.loc[~values["unseen"].isin((SEEN, NO_PREDICTION)), "unseen"].value_counts()
    parts = []
    if len(counts):
        reasons = ", ".join(f"{n} {why}" for why, n in counts.items())
        parts.append(f"Grey, not seen by the model: {counts.sum()} of {len(values)} values ({reasons}).")
    absent = [
        name
        for name in sorted(attribution, key=lambda name: -abs(attribution[name]))
        if name in variables.index
        and variables.at[name, "kind"] == "series"
        and name not in latest
        and abs(attribution[name]) >= SHOWN_AS_ZERO
    ]
    if absent:
        label = variables["label"].to_dict()
        named = ", ".join(f"{label[name]} {signed(attribution[name])}" for name in absent[:5])
        parts.append(f"Not measured, and weighed all the same: {named}.")
    parts.append("Drugs, procedures and transfers are shown for context; the model reads none of them.")
    if left_out:
        parts.append(f"Lanes left out for room ({len(left_out)}): {', '.join(left_out)}.")
    return " ".join(parts)


def limit_sources(variables: pd.DataFrame, names: Sequence[str]) -> str:
    """Return as markup, to be opened, where the limits of these variables are from: each source with its variables."""
    shown = variables.loc[list(names)]
    items = []
    for kind, column in (("Reference range", "ref_source"), ("Critical limits", "crit_source")):
        for source, own in shown[shown[column].notna()].groupby(column, sort=False):
            labels: list[Any] = own["label"].tolist()
            items.append(f"<li>{kind}: {html.escape(str(source))}: {html.escape(', '.join(labels))}</li>")
    return f"<details><summary>Where the limits are from</summary><ul>{''.join(items)}</ul></details>" if items else ""
