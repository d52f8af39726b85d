"""Predictions of a population and thresholds in; the confusion matrix to click and its rates drawn."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.cohort_filters import VERDICTS, as_query
from dashboard.threshold_paths import alarms, in_words_of
from dashboard.wording import Definition, estimate, percent
from lemof_core.evaluation.confusion import Confusion, Interval, confusion
from lemof_core.evaluation.prevalence import prior_shift, reweighted, reweighted_oe

COHORT = "dashboard/pages/cohort.py"
_UNCHANGED = ("Sensitivity", "Specificity")


def draw_threshold(
    known: pd.DataFrame,
    thresholds: dict[str, float],
    long_of_100: float | None,
    link: dict[str, Any],
    defined: Definition,
) -> None:
    """The confusion matrix, each cell a link to its stays, stands beside the rates.

    Args:
        known: label, p and path of the stays; thresholds: path -> its threshold.
        long_of_100: how many of 100 stays are long in the ward that the rates are re-weighted for, None for as here.
        link: the URL parameters of /cohort that give these very stays; defined: what the cohort predicts.
    """
    at = confusion(known["label"].to_numpy(), alarms(known, thresholds))
    left, right = st.columns([5, 6], gap="medium")
    with left:
        st.subheader(f"At {in_words_of(thresholds)}, {at.alarms:,} of {at.n:,} stays raise an alarm")
        _matrix(at, link, defined)
    with right:
        st.subheader(f"{at.miss:,} of {at.long:,} long stays are missed" if at.long else "No stay was long")
        share = None if long_of_100 is None else long_of_100 / 100
        st.html(rates_table(at, share))
        if share is not None:
            st.caption(_reweighted_in_words(known, at, share))


def rates_table(at: Confusion, share: float | None = None) -> str:
    """The rates as an HTML table: name, meaning, value, interval, counts; beside them as if `share` were long."""
    elsewhere = {} if share is None else reweighted(at, share)
    head = ""
    if share is not None:
        head = (
            f'<thead><tr><td></td><td class="quiet">here, {percent(at.long / max(at.n, 1))} long</td><td></td>'
            f'<td class="quiet">re-weighted, {percent(share)} long</td></tr></thead>'
        )
    rows = []
    for one in at.rates():
        scale = 100 if one.name == "Alarms" else 1
        here = None if one.value is None else (one.value, float(one.lo or 0), float(one.hi or 0))
        name = "Alarms per 100 stays" if one.name == "Alarms" else one.name
        meaning = "" if one.name == "Alarms" else one.meaning
        there = "as here" if one.name in _UNCHANGED else _said(elsewhere.get(one.name), scale)
        rows.append(
            f'<tr><th scope="row">{html.escape(name)}<small>{html.escape(meaning)}</small></th>'
            f"<td>{_said(here, scale)}</td><td class='quiet'>{one.k:,} of {one.n:,}</td>"
            + ("" if share is None else f"<td>{there}</td>")
            + "</tr>"
        )
    return f'<table class="lemof-rates" data-testid="rates">{head}<tbody>{"".join(rows)}</tbody></table>'


def _said(one: Interval | None, scale: int) -> str:
    if one is None:
        return "not estimable"
    value, low, high = (scale * number for number in one)
    return estimate(value, low, high) if scale == 1 else f"{value:.1f} [{low:.1f}–{high:.1f}]"


def _reweighted_in_words(known: pd.DataFrame, at: Confusion, share: float) -> str:
    """What the re-weighting assumes, and how far the probabilities are off in such a ward."""
    assumed = (
        f"Re-weighted: {percent(share)} long, with the same patients within the long stays and within the others, so "
        "sensitivity and specificity stay. Whether another ward's patients are the same, nothing here can tell."
    )
    oe = reweighted_oe(known["label"].to_numpy(), known["p"].to_numpy(float), share)
    if oe is None or not 0 < at.long < at.n:
        return assumed
    shift = f"{prior_shift(at.long / at.n, share):+.2f}".replace("-", "−")
    return (
        f"{assumed} Uncorrected, observed over expected would be {estimate(*oe)}; adding {shift} to each logit "
        "corrects for the mix."
    )


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
