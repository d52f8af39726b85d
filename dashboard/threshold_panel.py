"""Predictions of a split and a threshold in; the confusion matrix to click, its rates and the curves drawn."""

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
from dashboard.threshold import Confusion, Rate, confusion, net_benefit
from dashboard.wording import estimate, signed

COHORT = "dashboard/pages/cohort.py"


def draw_threshold(known: pd.DataFrame, threshold: float, link: dict[str, Any]) -> None:
    """The confusion matrix, each cell a link to its stays, stands beside the rates.

    Args:
        known: label and p of the stays; link: the URL parameters of /cohort that give these very stays.
    """
    at = confusion(known["label"].to_numpy(), known["p"].to_numpy(), threshold)
    left, right = st.columns([5, 6], gap="medium")
    with left:
        st.subheader(f"At {threshold:.2f}, {at.hit + at.false} of {at.n} stays raise an alarm")
        _matrix(at, link)
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


def _matrix(at: Confusion, link: dict[str, Any]) -> None:
    with st.container(key="confusion", gap="small"):
        for columns in ((None, "Was long", "Was not long"), ("Alarm", "hit", "false"), ("No alarm", "miss", "calm")):
            cells = st.columns([2, 3, 3], gap="small", vertical_alignment="center")
            for cell, name in zip(cells, columns, strict=True):
                if name in VERDICTS:
                    count = getattr(at, name)
                    to = {**link, **as_query(verdict=name)}
                    right = "right" if name in ("hit", "calm") else "wrong"
                    with cell.container(key=f"cell-{right}-{name}"):
                        st.page_link(COHORT, label=f"**{count:,}** {VERDICTS[name].lower()}", query_params=to)
                elif name:
                    cell.caption(name)


def draw_curves(known: pd.DataFrame, threshold: float, found: pd.DataFrame, deaths: str) -> None:
    """ROC, precision-recall, calibration and decision curve stand side by side, each titled with its finding."""
    y, p = known["label"].to_numpy(), known["p"].to_numpy()
    if len(np.unique(y)) < 2:
        st.info(f"The curves are not estimable: n = {len(y)}, {int(y.sum())} long, and they need both outcomes.")
        return
    gain = float(net_benefit(y, p, np.array([threshold]))[0]) if threshold < 1 else 0.0
    everybody = float(net_benefit(y, np.ones(len(y)), np.array([threshold]))[0]) if threshold < 1 else 0.0
    better = "beat" if gain > max(everybody, 0) else "do not beat"
    panels = (
        (f"AUROC {_said(found, 'auroc', deaths)}", "ROC curve", roc(y, p, threshold)),
        (f"AUPRC {_said(found, 'auprc', deaths)}", "Precision-recall curve", precision_recall(y, p, threshold)),
        (f"Calibration slope {_said(found, 'cal_slope', deaths)}", "Calibration", calibration(y, p)),
        (f"At {threshold:.2f}, alarms {better} all or none", "Decision curve", decision(y, p, threshold)),
    )
    for column, (title, name, figure) in zip(st.columns(4), panels, strict=True):
        with column:
            st.markdown(f"**{title}**")
            _chart(figure, name, len(y))
    intercept = _said(found, "cal_intercept", deaths)
    st.caption(
        f"n = {len(y):,}, {int(y.sum()):,} long. The orange mark is the threshold. Calibration intercept {intercept}; "
        "each point of the calibration chart is a group of equal size with its 95 % Wilson interval. Net benefit at "
        f"the threshold: {signed(gain)} for alarms, {signed(everybody)} for acting on all, 0 for acting on none."
    )


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
