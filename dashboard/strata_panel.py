"""Stored metrics and the stays behind them in; the forest plot and table by stratum drawn, each row a way to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import queries_cohort
from dashboard.charts.forest import forest
from dashboard.stored_metrics import one_metric
from dashboard.strata import (
    AT_THRESHOLD,
    AUDITED,
    EVERYBODY,
    KINDS,
    MEASURES,
    NOTHING,
    SCALES,
    counted_rows,
    finding,
    floors_in_words,
    kinds_found,
    lower,
    measures_found,
    several_in_words,
    strata_rows,
    strata_table,
)
from dashboard.strata_links import can_link, group_query
from dashboard.wording import Definition
from lemof_core.evaluation.strata import MIN_OF_CLASS, groups

COHORT = "dashboard/pages/cohort.py"
PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
CHOICE: dict[str, Any] = {"bind": "query-params", "required": True}
_CHOSEN = "stratum_chosen_in_chart"
_CHOSEN_ROW = "stratum_chosen_in_table"


@dataclass(frozen=True)
class Counted:
    """The stays behind stored metrics, where they are at hand.

    frame: the columns of `read_analysis.analysed`; alarm: (N,) bool; link: the URL parameters of /cohort that give
    these very stays; defined: what the cohort predicts; run_id: the run that predicted.
    """

    frame: pd.DataFrame
    alarm: np.ndarray
    link: dict[str, Any]
    defined: Definition
    run_id: str


def draw_strata(
    found: pd.DataFrame, counted: Counted | None, deaths: str, n_by_split: dict[str, dict[str, int]]
) -> None:
    """The strata of the kind and in the measure that are chosen stand as a forest plot with a table below.

    Args:
        found: the columns of `read_results.metrics`; counted: None where the stays are not at hand; n_by_split: of the
            run.
    """
    kind, measure = _asked(found, counted, deaths)
    if kind is None:
        return
    if measure in AT_THRESHOLD and counted is not None:
        rows = counted_rows(counted.frame, counted.alarm, kind, measure)
    else:
        rows = strata_rows(found, kind, deaths=deaths, name=measure)
    st.markdown(f"**{finding(rows, measure, kind)}**")
    everybody = rows.loc[rows["label"] == EVERYBODY, "value"].dropna()
    at = float(everybody.iloc[0]) if len(everybody) else None
    nothing = NOTHING.get(measure)
    figure = forest(rows, x_title=MEASURES[measure], reference=nothing, overall=at, at_most=SCALES[measure])
    chosen = _clickable(
        figure, rows, f"{MEASURES[measure]} by {kind}, {len(rows)} rows, in the table below", kind, counted
    )
    st.caption(_notes(rows, kind, measure, counted))
    table = strata_table(found, kind, deaths=deaths)
    chosen = _clickable_table(table, kind, counted) or chosen
    tuned = one_metric(found, "acc_tuned", deaths=deaths)
    why = f" Of all stays: {tuned['note']}." if tuned and tuned["note"] else ""
    st.caption(f"Tuned: each stay at the threshold of its own path.{why} {floors_in_words(n_by_split)}")
    if chosen is not None and counted is not None:
        _open(kind if chosen != "all" else "all", chosen, counted)


def _asked(found: pd.DataFrame, counted: Counted | None, deaths: str) -> tuple[str | None, str]:
    """Draw what to look at by which groups; the kind is None, with a sentence, where none was evaluated."""
    kinds = kinds_found(found, deaths)
    if not kinds:
        st.info("No group was evaluated for these stays: run `lemof evaluate` on a store of several groups.")
        return None, "auroc"
    measures = [name for name in measures_found(found) if counted is not None or name not in AT_THRESHOLD]
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="strata-choice"):
        kind = st.segmented_control("By", kinds, format_func=KINDS.__getitem__, default=kinds[0], key="by", **CHOICE)
        measure = st.selectbox(
            "Measure", measures, format_func=MEASURES.__getitem__, key="measure", bind="query-params", width=220
        )
    if deaths == "without":
        st.caption("Without deaths only disease groups are evaluated; switch deaths on for the others.")
    elif counted is not None and (missing := _not_evaluated(counted.frame, kinds)):
        st.caption(f"Groups by {missing} were not evaluated yet: run `lemof evaluate` again for this split.")
    return kind or kinds[0], measure or "auroc"


def _not_evaluated(frame: pd.DataFrame, kinds: list[str]) -> str:
    """The kinds of which there are groups here and no stored metrics, in words; an older store has some."""
    missing = [lower(name) for kind, name in KINDS.items() if kind not in kinds and groups(frame, kind)]
    return " and ".join(filter(None, (", ".join(missing[:-1]), *missing[-1:])))


def _notes(rows: pd.DataFrame, kind: str, measure: str, counted: Counted | None) -> str:
    """How to read the plot: lines, intervals, groups, and what a click does."""
    lines = "Dotted: all stays. "
    if measure in NOTHING:
        lines = f"Solid line: {'chance' if measure == 'auroc' else 'as calibrated'}. {lines}"
    retrospective = "Groups are coded at discharge and overlap. " if kind == "disease" else ""
    audited = f"{KINDS[kind]} is known for audits alone and never enters the model. " if kind in AUDITED else ""
    how = "Wilson" if measure in AT_THRESHOLD else "patient bootstrap"
    n_shown = int(rows.loc[rows["label"] != EVERYBODY, "value"].notna().sum())
    click = ""
    if counted is not None and can_link(kind):
        click = " Click a dot, or tick a row of the table, to see its stays."
    return (
        f"{retrospective}{audited}{lines}95 % intervals by {how}. {several_in_words(n_shown)} Suppressed: fewer than "
        f"{MIN_OF_CLASS} long or {MIN_OF_CLASS} other stays.{click}"
    )


def _clickable(figure: go.Figure, rows: pd.DataFrame, alt: str, kind: str, counted: Counted | None) -> str | None:
    """Draw the figure; return the stratum whose dot was just clicked."""
    if counted is None or not can_link(kind):
        st.plotly_chart(figure, key="chart-strata", alt=alt, **PLAIN)
        return None
    # A keyed chart keeps what was selected when its rows change, so the key knows them.
    key = (
        "chart-strata-"
        + hashlib.sha256(f"{kind}|{alt}|{list(rows['id'])}|{list(rows['text'])}".encode()).hexdigest()[:16]
    )
    st.plotly_chart(figure, key=key, alt=alt, on_select=lambda: _remember(key), selection_mode="points", **PLAIN)
    chosen = st.session_state.pop(_CHOSEN, None)
    return None if chosen is None else str(chosen)


def _clickable_table(table: pd.DataFrame, kind: str, counted: Counted | None) -> str | None:
    """Draw the table; return the stratum whose row was just ticked."""
    size: dict[str, Any] = {"hide_index": True, "height": 35 * (len(table) + 1) + 3}
    if counted is None or not can_link(kind) or table.empty:
        st.dataframe(table, key="table-strata", **size)
        return None
    strata = ["all" if name == EVERYBODY else str(name) for name in table["Group"]]
    key = "table-strata-" + hashlib.sha256(f"{kind}|{strata}".encode()).hexdigest()[:16]
    st.dataframe(
        table,
        key=key,
        selection_mode="single-row",
        on_select=lambda: _remember_row(key, strata),
        alt=f"Metrics by {KINDS[kind].lower()}, one row a group; tick a row to see its stays",
        **size,
    )
    chosen = st.session_state.pop(_CHOSEN_ROW, None)
    return None if chosen is None else str(chosen)


def _remember(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        st.session_state[_CHOSEN] = points[0]["customdata"][1]


def _remember_row(key: str, strata: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state[_CHOSEN_ROW] = strata[rows[0]]


def _open(kind: str, stratum: str, counted: Counted) -> None:
    """The cohort is open at the stays of a group, if it can be filtered so."""
    ages = queries_cohort.age_ends(queries_cohort.browser(counted.run_id)) if kind == "age" else None
    query = group_query(counted.defined, kind, stratum, ages)
    if query is not None:
        st.switch_page(COHORT, query_params=counted.link | query)
