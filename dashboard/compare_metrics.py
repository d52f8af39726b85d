"""Predictions of two runs for the same samples in; every metric of both, and whether they differ, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.forest import forest
from dashboard.compare_pairs import Pair, cuts_in_words
from dashboard.compare_words import METRIC_WORDS, UNCLEAR, equals, gap, signed_3, who_is_better
from dashboard.plain_table import plain_table
from dashboard.wording import estimate
from lemof_core.evaluation.comparison import Paired, Scored, compare
from lemof_core.evaluation.delong import AurocDifference, delong
from lemof_core.evaluation.metrics import draws_while_waiting
from lemof_core.evaluation.verdict_changes import Changes, verdict_changes

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
OF_VERDICTS = {"long": "sensitivity", "other": "specificity", "all": "acc"}  # group of `verdict_changes` -> metric
SHARES = ("auroc", "auprc", "acc", "sensitivity", "specificity", "ppv", "npv")  # from 0 to 1, higher is better


@st.cache_data(max_entries=16, show_spinner="Drawing patients")
def _reckoned(key: str, revision: str, _pair: Pair) -> tuple[list[Paired], AurocDifference | None, list[Changes]]:
    """Every metric, DeLong's test, and the verdicts that changed; `key` and `revision` stand for the pair."""
    y, subjects = _pair.column("label"), _pair.column("subject_id")
    first, second = (Scored(_pair.column(f"p_{side}"), _pair.column(f"alarm_{side}")) for side in "ab")
    found = compare(y, first, second, subjects, threshold=_pair.cuts.common)
    return found, delong(y, first.p, second.p, subjects), verdict_changes(y, first.alarm, second.alarm, subjects)


def numbers(pair: Pair, revision: str) -> list[Paired]:
    """Every metric of both runs with its difference, reckoned once."""
    return _reckoned(pair.key, revision, pair)[0]


def verdicts(pair: Pair, revision: str) -> list[Changes]:
    """The verdicts that changed among long stays, others and all, with McNemar's p, reckoned once."""
    return _reckoned(pair.key, revision, pair)[2]


def draw_metrics(pair: Pair, revision: str) -> None:
    """The finding stands as a title, the metrics of both runs in a table beside the differences on one axis."""
    found, test, _ = _reckoned(pair.key, revision, pair)
    st.subheader(headline(found, test))
    exact = {OF_VERDICTS[one.group]: one.p for one in verdicts(pair, revision)}
    left, right = st.columns([12, 9], gap="medium")
    with left:
        table = plain_table(metrics_table(found, exact), words=["Verdict"])
        st.html(f'<div data-testid="compare-metrics">{table}</div>')
    with right:
        rows = difference_rows(found, exact)
        figure = forest(rows, x_title="A − B<br>(right of the line: A better)", reference=0.0, at_most=(-1.0, 1.0))
        alt = f"Differences of {len(rows)} metrics between the runs, as in the table"
        st.plotly_chart(figure, key="chart-compare-metrics", alt=alt, **PLAIN)
        st.caption(_test_words(test, pair))
    at = " and ".join(
        f"{name} at {cuts_in_words(cuts, pair.frame[f'path_{side}'])}"
        for name, side, cuts in (("A", "a", pair.cuts.first), ("B", "b", pair.cuts.second))
    )
    st.caption(
        f"n = {pair.n:,}, {pair.events:,} long. 95 % intervals from {draws_while_waiting(pair.n):,} draws of patients, "
        f"the same for both runs and all metrics; not adjusted for their number: of twenty, one misses by chance. "
        f"Alarms: {at}. Net benefit: both runs at {pair.cuts.common:.2f}. No run is fitted anew in a draw: the "
        "noise of training is not in the intervals. Accuracy, sensitivity and specificity count as different only "
        "where McNemar's exact test, below, says so too."
    )


def headline(found: list[Paired], test: AurocDifference | None) -> str:
    """What the AUROC, or else the Brier score, says of the two runs."""
    by_name = {one.name: one for one in found}
    auroc, brier = by_name["auroc"], by_name["brier"]
    if auroc.value is None:
        if brier.value is None:
            return f"Which run is better is not estimable, n = {auroc.n}"
        said = f"Brier score {gap(brier.value, brier.lo, brier.hi)}"
        return f"{_ahead(brier)}: {said}; the AUROC is {auroc.note}"
    tested = "" if test is None or test.p is None else f", DeLong p {equals(test.p)}"
    return f"{_ahead(auroc)}: AUROC {gap(auroc.value, auroc.lo, auroc.hi)}{tested}"


def _ahead(one: Paired) -> str:
    words = {"A better": "A is ahead", "B better": "B is ahead"}
    if one.alike:
        return "A and B are alike"
    return words.get(who_is_better(one.name, one.lo, one.hi), "No clear difference")


def metrics_table(found: list[Paired], exact: Mapping[str, float | None]) -> pd.DataFrame:
    """One row per metric: both runs with their intervals, the difference, and whom it favours.

    Args:
        exact: metric -> McNemar's p, of those that have one.
    """
    rows = []
    for one in found:
        row = {"Metric": METRIC_WORDS[one.name]}
        if one.value is None:
            row |= {"A − B": "–", "Verdict": one.note or "not estimable", "A": "–", "B": "–"}
        else:
            verdict = "the same in both" if one.alike else who_is_better(one.name, one.lo, one.hi, exact.get(one.name))
            row |= {"A − B": gap(one.value, one.lo, one.hi), "Verdict": verdict}
            row |= {name: estimate(of.value, of.lo, of.hi) for name, of in (("A", one.first), ("B", one.second))}
        rows.append(row)
    return pd.DataFrame(rows)


def difference_rows(found: list[Paired], exact: Mapping[str, float | None]) -> pd.DataFrame:
    """What `charts.forest` takes: the metrics between 0 and 1 of which more is better; clear differences in accent."""
    rows = []
    for one in found:
        if one.name in SHARES:
            clear = who_is_better(one.name, one.lo, one.hi, exact.get(one.name)) != UNCLEAR
            text = "not estimable" if one.value is None else signed_3(one.value)
            numbers = {"value": one.value, "lo": one.lo, "hi": one.hi}
            rows.append({"label": METRIC_WORDS[one.name], **numbers, "text": text, "strong": clear})
    return pd.DataFrame(rows).astype({"value": float, "lo": float, "hi": float})


def _test_words(test: AurocDifference | None, pair: Pair) -> str:
    if test is None:
        return "DeLong's test is not estimable: it needs 5 patients of each class."
    if test.se == 0:
        return "DeLong's test: both runs order the stays alike."
    repeated = pair.frame["subject_id"].nunique() < pair.n
    several = " Samples of one patient are taken together (Obuchowski)." if repeated else ""
    z = signed_3(test.z or 0.0)[:-1]
    return (
        f"DeLong's test of the two correlated AUROCs: {gap(test.value, test.lo, test.hi)}, standard error "
        f"{test.se:.3f}, z = {z}, p {equals(test.p)}.{several}"
    )
