"""A case's judged values, attributions and intervals in, the flowsheet panel out: as a chart, or as a table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import trend_words, trend_zoom
from dashboard.case_panel import panel_title
from dashboard.case_values import Latest, missing_hours, references
from dashboard.charts.lanes import Lane, choose_lanes
from dashboard.charts.trend_row import TrendRow
from dashboard.charts.trends import trends_figure
from dashboard.queries_case import Case
from dashboard.trend_table import first_page, table_note, table_pages, trend_table
from dashboard.wording import hours

N_STRONGEST = 12
STRONGEST, ALL = "Top 12", "All"
TO_DAY_AFTER, WHOLE = "To 24 h after", "Whole stay"
CHART, TABLE = "Chart", "Table"


def trend_rows(
    names: list[str],
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    attribution: Mapping[str, float],
    sex: str,
    *,
    missing: Mapping[str, Sequence[float]] | None = None,
    linked: str | None = None,
) -> list[TrendRow]:
    """Return the rows grouped by panel in the catalogue's order, the largest |attribution| first within a panel.

    Args:
        missing: variable -> beginnings (hours from ICU admission) of the model's hours without a value.
        linked: the variable that something else on the page points at.
    """
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
            crit_low=float(chosen[name]["crit_low"]),
            crit_high=float(chosen[name]["crit_high"]),
            missing=tuple((missing or {}).get(name, ())),
            linked=name == linked,
        )
        for name in order
    ]


def _latest(last: Latest | None, variable: Mapping[Any, Any]) -> str:
    if last is None:
        return str(variable["unit"])
    return f"{last.number(variable)} {variable['unit']} {last.flag}".strip()


def choose_names(
    shown: str,
    variables: pd.DataFrame,
    valued: set[str],
    attribution: Mapping[str, float],
    linked: str | None = None,
) -> list[str]:
    """Return the variables with a value that belong to the choice: a panel, all, or the strongest twelve; and with
    them the linked one.

    Without attributions the first twelve of the catalogue stand for the strongest.
    """
    series = [name for name in variables.index[variables["kind"] == "series"] if name in valued]
    if shown == ALL:
        return series
    if shown == STRONGEST:
        chosen = sorted(series, key=lambda name: -abs(attribution.get(name, 0.0)))[:N_STRONGEST]
    else:
        chosen = [name for name in series if variables.at[name, "panel"] == shown]
    return chosen if linked is None or linked not in series or linked in chosen else [*chosen, linked]


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
    *,
    linked: str | None = None,
) -> None:
    """Draw the flowsheet of the chosen panel; `linked` is the variable that another panel of the page points at."""
    t0_h = None if case.t0_s is None else case.t0_s / 3600
    panel_title(case, "trends", trend_words.title(latest, variables, attribution, t0_h))
    valued = set(values["variable"])
    if not valued:
        st.info("No vital sign or laboratory value of this stay is in the store.")
        return
    panels = [panel for panel in variables["panel"].drop_duplicates() if _has_values(variables, panel, valued)]
    controls = st.container(horizontal=True, key="case-trend-controls")
    with controls:
        shown, whole, as_table = _choices(panels)
    full = shown_window(values, ecg_hours, t0_h, whole=whole)
    revision = trend_zoom.revision(case.stay_id, case.run_id)
    with controls:
        window = trend_zoom.brushed_hours(revision, full)
    names = choose_names(shown, variables, valued, attribution, linked)
    missing = {
        name: [hour + (t0_h or 0.0) for hour in hours]
        for name, hours in missing_hours(values, names, case.t0_s).items()
    }
    sex = str(case.facts["sex"])
    rows = trend_rows(names, variables, latest, attribution, sex, missing=missing, linked=linked)
    inside = values[values["hour"].between(*window) & values["variable"].isin(names)]
    left_out: list[str] = []
    if as_table:
        note = _table(case, rows, inside, t0_h, controls)
    else:
        lanes, left_out = choose_lanes(intervals, window, n_drugs=40 if shown == ALL else 10)
        marks = tuple((hour, hour, f"ECG {hours(3600 * hour)}") for hour in ecg_hours if window[0] <= hour <= window[1])
        lanes = [Lane("ecg", "ECG", marks), *lanes] if marks else lanes
        figure = trends_figure(rows, values, lanes, t0_h=t0_h, window=window, full=full, revision=revision)
        _chart(figure, trend_words.told(rows, inside))
        note = trend_words.chart_note(rows, inside)
    if window != full:
        shown_h = f"{window[0]:.1f} to {window[1]:.1f} h".replace("-", "−")
        controls.button(f"Reset zoom ({shown_h})", key="case-trends-reset", on_click=trend_zoom.reset, type="tertiary")
    label = str(variables.at[linked, "label"]) if linked in variables.index else None
    told = [note, trend_words.legend(rows, sex, label)]
    told.append(trend_words.unseen_note(values, variables, latest, attribution, left_out))
    paragraphs = "".join(f"<p>{html.escape(words)}</p>" for words in told)
    sources = trend_words.limit_sources(variables, names)
    st.html(f'<div class="case-footnote" data-testid="trends-note">{paragraphs}{sources}</div>')


def _choices(panels: list[str]) -> tuple[str, bool, bool]:
    """Draw the choices; return which variables, whether the whole stay, and whether as a table."""
    shown = st.segmented_control(
        "Variables", [STRONGEST, *panels, ALL], default=STRONGEST, key="trends", bind="query-params", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    span = st.segmented_control(
        "Time", [TO_DAY_AFTER, WHOLE], default=TO_DAY_AFTER, key="span", bind="query-params", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    shape = st.segmented_control(
        "Shown as", [CHART, TABLE], default=CHART, key="trends_as", bind="query-params", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return shown or STRONGEST, span == WHOLE, shape == TABLE


def _chart(figure: go.Figure, alt: str) -> None:
    with st.container(key=trend_zoom.CHART):
        st.plotly_chart(
            figure,
            width="stretch",
            theme="streamlit",
            key="case-trends-chart",
            config={"displayModeBar": False, "scrollZoom": False, "doubleClick": False},
            alt=alt,
        )


def _table(case: Case, rows: list[TrendRow], inside: pd.DataFrame, t0_h: float | None, controls: DeltaGenerator) -> str:
    """Draw the table of the chosen hours; return how to read it."""
    if inside.empty:
        st.info("None of these variables has a value in the time shown: choose the whole stay.")
        return ""
    pages = table_pages(inside, t0_h)
    page = controls.selectbox(
        "Hours", list(pages), index=first_page(pages), key="trend_hours", bind="query-params", width=140,
        label_visibility="collapsed",
    )  # fmt: skip
    st.html(
        f'<div class="case-scroll" tabindex="0" role="region" aria-label="Values by hour" data-panel="trends-table" '
        f'data-stay="{case.stay_id}" data-run="{html.escape(case.run_id)}">'
        f"{trend_table(rows, inside, pages[page], t0_h=t0_h)}</div>"
    )
    return table_note(inside, pages[page], t0_h=t0_h)


def _has_values(variables: pd.DataFrame, panel: str, valued: set[str]) -> bool:
    return bool(valued & set(variables.index[variables["panel"] == panel]))
