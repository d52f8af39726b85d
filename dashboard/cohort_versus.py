"""Saved cohorts and a run in; two of them side by side drawn: who is in them, and what the model is worth in each."""

from __future__ import annotations

import html
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from dashboard import queries_analysis, queries_cohort, queries_report, queries_results
from dashboard.charts.distributions import distributions
from dashboard.charts.love import LIMIT, love
from dashboard.charts.theme import ACCENT, RAISES
from dashboard.cohort_choice import EVERYBODY, members, pick, warn_of_result
from dashboard.cohort_comparison import compared
from dashboard.cohort_facets import binned
from dashboard.facet_brush import Scale
from dashboard.plain_table import plain_table
from dashboard.report.parts import FEWEST
from dashboard.session import stamp
from dashboard.threshold_paths import thresholds_of, tuned_thresholds
from dashboard.wording import Definition, estimate, literal, signed
from lemof_core.evaluation.metrics import draws_while_waiting, estimates

METRICS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier",
    "acc_tuned": "ACC tuned",
    "cal_slope": "Calibration slope",
}
MOST = 20  # characteristics in the chart
PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


def draw_versus(names: dict[str, str], run: dict[str, Any] | None, defined: Definition) -> None:
    """Two cohorts are chosen and compared.

    The URL names them as `a` and `b` by id; `everybody` is the whole cohort of the task.
    Args:
        names: saved cohort -> its name.
    """
    offered = names | {EVERYBODY: "Everybody in the cohort"}
    left, right = st.columns(2, gap="medium")
    first = pick(left, "Compare", "a", offered, next(iter(names)))
    second = pick(right, "with", "b", offered, EVERYBODY)
    if first == second:
        st.info("These are the same stays: choose another cohort to compare with.")
        return
    run_id = run["run_id"] if run else None
    asked = (_filters(first), _filters(second))
    said = (offered[first], offered[second])
    browser = queries_cohort.browser(run_id)
    rows, n = _rows(queries_cohort.browse_stamp(run_id), asked, defined)
    shared = _shared(browser, first, second)
    st.subheader(literal(_finding(rows, said)))
    st.caption(
        f"{literal(said[0])}: n = {n[0]:,}. {literal(said[1])}: n = {n[1]:,}. In both: {shared:,}. "
        + ("The intervals take them for separate patients, which shared stays are not. " if shared else "")
        + f"Members at saving. Standardised difference (Austin 2009); grey within ±{LIMIT}, "
        "clear beyond it and with an interval without zero. "
        f"{len(rows)} characteristics are looked at: of twenty intervals one misses zero by chance."
    )
    left, right = st.columns([6, 5], gap="medium")
    with left:
        known = rows[rows["standardised"].notna()].head(MOST)
        st.plotly_chart(love(known, said), key="chart-love", alt=f"Differences of {said[0]} and {said[1]}", **PLAIN)
    with right:
        _distributions(browser, asked, said, run_id)
    with st.expander(f"All {len(rows)} characteristics"):
        st.html(plain_table(_table(rows, said)))
    if run is not None:
        _metrics(run, (first, second), said)


def _filters(cohort: str) -> Filters:
    return Filters(where=("in",)) if cohort == EVERYBODY else Filters(cohort=cohort)


@st.cache_data(max_entries=16, show_spinner="Comparing the cohorts")
def _rows(
    stamped: queries_cohort.Stamp, asked: tuple[Filters, Filters], defined: Definition
) -> tuple[pd.DataFrame, tuple[int, int]]:
    """The rows of `compared`, and how many stays each cohort has; the first argument is a `browse_stamp`."""
    browser = queries_cohort.browser(stamped[-1])
    return compared(browser, asked, defined), (browser.count(asked[0]), browser.count(asked[1]))


def _shared(browser: Browser, first: str, second: str) -> int:
    """How many stays are in both."""
    if EVERYBODY in (first, second):
        return browser.count(Filters(where=("in",), cohort=first if second == EVERYBODY else second))
    url = stamp()[0]
    return len(np.intersect1d(members(url, first), members(url, second), assume_unique=True))


def _finding(rows: pd.DataFrame, said: tuple[str, str]) -> str:
    """What differs most, in a sentence."""
    known = rows[rows["standardised"].notna()]
    if known.empty:
        return "Nothing can be compared: a cohort is empty"
    # Few stays are unbalanced by chance: a difference counts where its interval leaves out zero too.
    sure = (known["lo"].astype(float) > 0) | (known["hi"].astype(float) < 0)
    clear = known[sure & (known["standardised"].astype(float).abs() > LIMIT)]
    if clear.empty:
        return f"In none of {len(known)} characteristics do “{said[0]}” and “{said[1]}” differ clearly"
    top = clear.iloc[0]
    return (
        f"{len(clear)} of {len(known)} characteristics differ clearly, most {top['characteristic']}: "
        f"{top['first']} and {top['second']}"
    )


def _distributions(browser: Browser, asked: tuple[Filters, Filters], said: tuple[str, str], run_id: str | None) -> None:
    st.html(
        f'<div class="lemof-key"><b style="color:{ACCENT}">━</b> {html.escape(said[0])} '
        f'<b style="color:{RAISES}">╌</b> {html.escape(said[1])}</div>'
    )
    ages = [browser.ages(one) for one in asked]
    years = [year for one in ages for year in one]
    if years:
        scale = Scale(min(years), max(max(years), min(years) + 1), 1, whole=True)
        ends = (scale.low, scale.low + scale.n_bars * scale.bar)
        figure = distributions([binned(one, scale) for one in ages], ends, x_title="Age in years")
        st.plotly_chart(figure, key="chart-ages", alt="Ages of both cohorts", **PLAIN)
    if run_id is None or not queries_cohort.paths(*stamp(), run_id):
        return
    for of, title in (("p", "Probability"), ("error", "Error, |p − outcome|")):
        figure = distributions([browser.histogram(one, of) for one in asked], (0.0, 1.0), x_title=title)
        st.plotly_chart(figure, key=f"chart-{of}", alt=f"{title} in both cohorts", **PLAIN)


def _table(rows: pd.DataFrame, said: tuple[str, str]) -> pd.DataFrame:
    times = rows["kind"].map(lambda kind: "years" if kind == "age" else "points")
    difference = [
        "not estimable" if pd.isna(value) else f"{value:+.1f} [{low:+.1f} to {high:+.1f}] {unit}".replace("-", "−")
        for value, low, high, unit in zip(rows["difference"], rows["lo"], rows["hi"], times, strict=True)
    ]
    standardised = ["–" if pd.isna(one) else signed(one) for one in rows["standardised"]]
    return pd.DataFrame(
        {
            "Characteristic": rows["characteristic"],
            said[0]: rows["first"],
            f"{said[1]} ": rows["second"],
            "Difference": difference,
            "Standardised": standardised,
        }
    )


def _metrics(run: dict[str, Any], cohorts: tuple[str, str], said: tuple[str, str]) -> None:
    """Draw what the run is worth in each cohort, on its test split."""
    url, revision = stamp()
    tuned = tuned_thresholds(queries_results.fitted(url, revision, run["run_id"])["calibrations"])
    st.subheader("What the model is worth in each, on test")
    columns = {}
    for cohort, name, more in zip(cohorts, said, ("", " "), strict=True):
        columns[name + more] = worth(url, revision, run["run_id"], cohort, tuple(sorted(tuned.items())))
    table = pd.DataFrame({"": ["n, long", *METRICS.values()]} | columns)
    st.html(plain_table(table))
    for cohort, name, column in zip(cohorts, said, table.columns[1:], strict=True):
        if str(table[column].iloc[0]).startswith("0,"):
            st.info(_not_in_test(url, revision, run["run_id"], cohort, name))
    _take_along(url, revision, run["run_id"], cohorts, said, table)
    warn_of_result(dict(zip(cohorts, said, strict=True)), *cohorts)
    st.caption(
        "95 % intervals by patient bootstrap. Two intervals that overlap do not show that there is no difference."
    )


def _not_in_test(url: str, revision: str, run_id: str, cohort: str, name: str) -> str:
    """Where the members of a cohort are that has nobody in test, in a sentence."""
    found = queries_cohort.browser(run_id).counts(_filters(cohort), "split")
    where = "; by split: " + ", ".join(f"{n:,} in {split}" for split, n in found.items()) if found else ""
    none = f"No stay of “{literal(name)}” is in test{where}."
    if set(found) & set(queries_results.scored_splits(url, revision, run_id)):
        return f"{none} Performance and Errors show those of another split."
    return f"{none} The run has a prediction for none of them, so there is nothing to evaluate."


def _take_along(
    url: str, revision: str, run_id: str, cohorts: tuple[str, str], said: tuple[str, str], table: pd.DataFrame
) -> None:
    """Draw buttons that make a report of each cohort when asked for, where it has enough members in test."""
    with st.container(horizontal=True, gap="small", key="take-cohort-along"):
        for cohort, name, column in zip(cohorts, said, table.columns[1:], strict=True):
            n = int(str(table[column].iloc[0]).split(", ")[0].replace(",", "").split(" ")[0])
            if cohort == EVERYBODY or n < FEWEST:
                continue
            for label, make, suffix, mime in (
                ("HTML", queries_report.report_html, "html", "text/html"),
                ("PDF", queries_report.report_pdf, "pdf", "application/pdf"),
            ):
                st.download_button(
                    f"Report on {literal(name)} ({label})",
                    partial(make, url, revision, run_id, "test", cohort),
                    f"lemof-{run_id}-{cohort}.{suffix}",
                    mime,
                    on_click="ignore",
                    key=f"cohort-report-{cohort}-{suffix}",
                )


@st.cache_data(max_entries=32, show_spinner="Evaluating the cohort")
def worth(url: str, revision: str, run_id: str, cohort: str, tuned: tuple[tuple[str, float], ...]) -> list[str]:
    """n with events, then each of METRICS with its interval, of the cohort's members in the run's test split."""
    frame = queries_analysis.analysed(url, revision, run_id, "test")
    if cohort != EVERYBODY:
        frame = frame[frame["stay_id"].isin(members(url, cohort))]
    y, p = frame["label"].to_numpy(float), frame["p"].to_numpy(float)
    cuts = thresholds_of(frame["path"], dict(tuned))
    n_draws = draws_while_waiting(len(frame))
    subjects = frame["subject_id"].to_numpy()
    found = {one.name: one for one in estimates(y, p, subjects, thresholds=cuts, n_draws=n_draws)}
    said = [estimate(one.value, one.lo, one.hi) for one in (found[name] for name in METRICS)]
    return [f"{len(frame):,}, {int(y.sum()):,}", *said]
