"""Predictions of a split and thresholds in; the confusion matrix to click, its rates and the curves drawn."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.charts.calibration import calibration
from dashboard.charts.curves import decision, precision_recall, roc
from dashboard.cohort_filters import VERDICTS, as_query
from dashboard.queries_results import one_metric
from dashboard.threshold import Confusion, Rate, confusion, net_benefit_of
from dashboard.threshold_paths import alarms, in_words_of, thresholds_of
from dashboard.wording import Definition, estimate, signed

COHORT = "dashboard/pages/cohort.py"


def draw_threshold(
    known: pd.DataFrame, thresholds: dict[str, float], link: dict[str, Any], defined: Definition
) -> None:
    """The confusion matrix, each cell a link to its stays, stands beside the rates.

    Args:
        known: label, p and path of the stays; thresholds: path -> its threshold.
        link: the URL parameters of /cohort that give these very stays; defined: what the cohort predicts.
    """
    at = confusion(known["label"].to_numpy(), alarms(known, thresholds))
    left, right = st.columns([5, 6], gap="medium")
    with left:
        st.subheader(f"At {in_words_of(thresholds)}, {at.hit + at.false} of {at.n} stays raise an alarm")
        _matrix(at, link, defined)
    with right:
        missed = f"{at.miss} of {at.hit + at.miss} long stays are missed" if at.hit + at.miss else "No stay was long"
        st.subheader(missed)
        st.html(rates_table(at.rates()))


def rates_table(rates: list[Rate]) -> str:
    """The rates as an HTML table: name, meaning, value, interval, counts."""
    body = "".join(
        f'<tr><th scope="row">{html.escape(one.name)}<small>{html.escape(one.meaning)}</small></th>'
        f"<td>{estimate(one.value, one.lo, one.hi)}</td><td class='quiet'>{one.k:,} of {one.n:,}</td></tr>"
        for one in rates
    )
    return f'<table class="lemof-rates" data-testid="rates"><tbody>{body}</tbody></table>'


def _matrix(at: Confusion, link: dict[str, Any], defined: Definition) -> None:
    with st.container(key="confusion", gap="small"):
        for columns in ((None, "Was long", "Was not long"), ("Alarm", "hit", "false"), ("No alarm", "miss", "calm")):
            cells = st.columns([2, 3, 3], gap="small", vertical_alignment="center")
            for cell, name in zip(cells, columns, strict=True):
                if name in VERDICTS:
                    count = getattr(at, name)
                    to = {**link, **as_query(defined, verdict=name)}
                    right = "right" if name in ("hit", "calm") else "wrong"
                    with cell.container(key=f"cell-{right}-{name}"):
                        st.page_link(COHORT, label=f"**{count:,}** {VERDICTS[name].lower()}", query_params=to)
                elif name:
                    cell.caption(name)


def draw_curves(known: pd.DataFrame, thresholds: dict[str, float], found: pd.DataFrame, deaths: str) -> None:
    """ROC, precision-recall, calibration and decision curve stand side by side, each titled with its finding."""
    y, p = known["label"].to_numpy(), known["p"].to_numpy()
    if len(np.unique(y)) < 2:
        st.info(f"The curves are not estimable: n = {len(y)}, {int(y.sum())} long, and they need both outcomes.")
        return
    alarm, cuts = alarms(known, thresholds), thresholds_of(known["path"], thresholds)
    at = confusion(y, alarm)
    better, benefit = _benefit(y, alarm, cuts)
    panels = (
        (f"AUROC {_said(found, 'auroc', deaths)}", "ROC curve", roc(y, p, at)),
        (f"AUPRC {_said(found, 'auprc', deaths)}", "Precision-recall curve", precision_recall(y, p, at)),
        (f"Calibration slope {_said(found, 'cal_slope', deaths)}", "Calibration", calibration(y, p)),
        (better, "Decision curve", decision(y, p, sorted(set(cuts)))),
    )
    for column, (title, name, figure) in zip(st.columns(4), panels, strict=True):
        with column:
            st.markdown(f"**{title}**")
            _chart(figure, name, len(y))
    intercept = _said(found, "cal_intercept", deaths)
    st.caption(
        f"n = {len(y):,}, {int(y.sum()):,} long. The orange marks are the alarms and their thresholds. Calibration "
        f"intercept {intercept}; each point of the calibration chart is a group of equal size with its 95 % Wilson "
        f"interval. {benefit}"
    )


def _benefit(y: np.ndarray, alarm: np.ndarray, cuts: np.ndarray) -> tuple[str, str]:
    """Whether these alarms beat acting on all or on none, as a title, and by how much, as a sentence."""
    if cuts.max() >= 1:
        return "Net benefit has no value at threshold 1", "At threshold 1 a false alarm would cost without bound."
    gain, everybody = (net_benefit_of(y, acted, cuts) for acted in (alarm, np.ones(len(y), dtype=bool)))
    said = f"{signed(gain)} for alarms, {signed(everybody)} for acting on all, 0 for acting on none"
    better = "beat" if gain > max(everybody, 0) else "do not beat"
    return f"These alarms {better} all or none", f"Net benefit at each stay's own threshold: {said}."


def _said(found: pd.DataFrame, name: str, deaths: str) -> str:
    one = one_metric(found, name, deaths=deaths)
    return "(not evaluated)" if one is None else estimate(one["value"], one["lo"], one["hi"])


def _chart(figure: go.Figure, name: str, n: int) -> None:
    st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        key=f"chart-{name}",
        config={"displayModeBar": False},
        alt=f"{name}, n = {n}",
    )
