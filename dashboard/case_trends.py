"""A case's judged values, attributions and intervals in, the flowsheet panel out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.case_values import NO_PREDICTION, SEEN, Latest, references
from dashboard.charts.lanes import Lane, choose_lanes
from dashboard.charts.trends import TrendRow, trends_figure
from dashboard.queries_case import Case
from dashboard.wording import hours, signed

N_STRONGEST = 12
STRONGEST, ALL = "Top 12", "All"
TO_DAY_AFTER, WHOLE = "To 24 h after", "Whole stay"


def trend_rows(
    names: list[str],
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    attribution: Mapping[str, float],
    sex: str,
) -> list[TrendRow]:
    """Return the rows grouped by panel in the catalogue's order, the largest |attribution| first within a panel."""
    low, high = references(variables, sex)
    chosen: dict[Any, dict[Any, Any]] = variables.loc[names].to_dict("index")
    panels = {panel: place for place, panel in enumerate(variables["panel"].drop_duplicates())}
    order = sorted(names, key=lambda name: (panels[chosen[name]["panel"]], -abs(attribution.get(name, 0.0))))
    return [
        TrendRow(
            name=name,
            label=str(chosen[name]["label"]),
            unit=str(chosen[name]["unit"]),
            panel=str(chosen[name]["panel"]),
            decimals=int(chosen[name]["decimals"]),
            low=float(low[name]),
            high=float(high[name]),
            latest=_latest(latest.get(name), chosen[name]),
            attribution=attribution.get(name),
        )
        for name in order
    ]


def _latest(last: Latest | None, variable: Mapping[Any, Any]) -> str:
    if last is None:
        return str(variable["unit"])
    return f"{last.number(variable)} {variable['unit']} {last.flag}".strip()


def choose_names(shown: str, variables: pd.DataFrame, valued: set[str], attribution: Mapping[str, float]) -> list[str]:
    """Return the variables with a value that belong to the choice: a panel, all, or the strongest twelve.

    Without attributions the first twelve of the catalogue stand for the strongest.
    """
    series = [name for name in variables.index[variables["kind"] == "series"] if name in valued]
    if shown == STRONGEST:
        return sorted(series, key=lambda name: -abs(attribution.get(name, 0.0)))[:N_STRONGEST]
    return series if shown == ALL else [name for name in series if variables.at[name, "panel"] == shown]


def shown_window(
    values: pd.DataFrame, ecg_hours: Sequence[float], t0_h: float | None, *, whole: bool
) -> tuple[float, float]:
    """Return the hours shown: from the first value or ECG (at most 24 h before admission) to a day after the
    prediction, or to the last value of the stay."""
    first = min([0.0, *values["hour"], *(hour for hour in ecg_hours if hour >= -24)])
    last = float(values["hour"].max()) if len(values) else 24.0
    end = last if whole or t0_h is None else min(last, t0_h + 24)
    return max(-24.0, float(first)) - 0.5, max(end, (t0_h or 0.0) + 1, 1.0) + 0.5


def trends_panel(
    case: Case,
    values: pd.DataFrame,
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    attribution: Mapping[str, float],
    intervals: pd.DataFrame,
    ecg_hours: list[float],
) -> None:
    """Draw the flowsheet of the chosen panel."""
    t0_h = None if case.t0_s is None else case.t0_s / 3600
    panel_title(case, "trends", _title(latest, variables, attribution, t0_h))
    valued = set(values["variable"])
    if not valued:
        st.info("No vital sign or laboratory value of this stay is in the store.")
        return
    panels = [panel for panel in variables["panel"].drop_duplicates() if _has_values(variables, panel, valued)]
    with st.container(horizontal=True, key="case-trend-controls"):
        shown = st.segmented_control(
            "Variables", [STRONGEST, *panels, ALL], default=STRONGEST, key="trends", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        span = st.segmented_control(
            "Time", [TO_DAY_AFTER, WHOLE], default=TO_DAY_AFTER, key="span", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    window = shown_window(values, ecg_hours, t0_h, whole=span == WHOLE)
    rows = trend_rows(
        choose_names(shown or STRONGEST, variables, valued, attribution), variables, latest, attribution,
        str(case.facts["sex"]),
    )  # fmt: skip
    lanes, left_out = choose_lanes(intervals, window, n_drugs=40 if shown == ALL else 10)
    marks = tuple((hour, hour, f"ECG {hours(3600 * hour)}") for hour in ecg_hours if window[0] <= hour <= window[1])
    lanes = [Lane("ecg", "ECG", marks), *lanes] if marks else lanes
    with st.container(key="case-trends"):
        st.plotly_chart(
            trends_figure(
                rows, values, lanes, t0_h=t0_h, window=window, revision=f"{case.stay_id} {case.run_id} {shown} {span}"
            ),
            width="stretch",
            theme="streamlit",
            key="case-trends-chart",
            config={"displayModeBar": False, "scrollZoom": False},
            alt=_told(rows),
        )
    _footnote(values, variables, latest, attribution, left_out)


def _has_values(variables: pd.DataFrame, panel: str, valued: set[str]) -> bool:
    return bool(valued & set(variables.index[variables["panel"] == panel]))


def _title(
    latest: Mapping[str, Latest], variables: pd.DataFrame, attribution: Mapping[str, float], t0_h: float | None
) -> str:
    """Return how much was out of range when the prediction was made."""
    if t0_h is None:
        return "Course of the stay"
    flagged = sorted((name for name in latest if latest[name].flag), key=lambda name: -abs(attribution.get(name, 0.0)))
    label = variables["label"].to_dict()
    out = [f"{label[name]} {latest[name].flag}" for name in flagged]
    if not latest:
        return f"Nothing was measured before the prediction at {t0_h:g} h"
    named = ", ".join(out[:4]) + (f" and {len(out) - 4} more" if len(out) > 4 else "")
    return f"At {t0_h:g} h {len(out)} of {len(latest)} measured variables were out of range" + (
        f": {named}" if out else ""
    )


def _told(rows: list[TrendRow]) -> str:
    """Return the figure in words."""
    return "Trends over the stay. Last values seen by the model: " + "; ".join(f"{r.label} {r.latest}" for r in rows)


def _footnote(
    values: pd.DataFrame,
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    attribution: Mapping[str, float],
    left_out: list[str],
) -> None:
    """Write what the figure cannot show: how many values the model did not see and why, and what it missed."""
    counts = values.loc[~values["unseen"].isin((SEEN, NO_PREDICTION)), "unseen"].value_counts()
    parts = []
    if len(counts):
        reasons = ", ".join(f"{n} {why}" for why, n in counts.items())
        parts.append(f"Grey, not seen by the model: {counts.sum()} of {len(values)} values ({reasons}).")
    absent = [
        name
        for name in sorted(attribution, key=lambda name: -abs(attribution[name]))
        if name in variables.index and variables.at[name, "kind"] == "series" and name not in latest
    ]
    if absent:
        label = variables["label"].to_dict()
        named = ", ".join(f"{label[name]} {signed(attribution[name])}" for name in absent[:5])
        parts.append(f"Not measured, and weighed all the same: {named}.")
    parts.append("Drugs, procedures and transfers are shown for context; the model reads none of them.")
    if left_out:
        parts.append(f"Lanes left out for room ({len(left_out)}): {', '.join(left_out)}.")
    st.html(f'<div class="case-footnote">{html.escape(" ".join(parts))}</div>')
