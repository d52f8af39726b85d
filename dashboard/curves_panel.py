"""A population and what the reader asked in; four curves side by side drawn, each with its finding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.charts.calibration import calibration
from dashboard.charts.curves import decision, precision_recall, roc
from dashboard.queries_performance import Curves, Key, curves
from dashboard.strata import EVERYBODY, KINDS
from dashboard.threshold_controls import Asked
from dashboard.threshold_paths import alarms, thresholds_of
from dashboard.wording import estimate, probability, signed
from lemof_core.evaluation.confusion import confusion
from lemof_core.evaluation.cost import threshold_in_theory
from lemof_core.evaluation.net_benefit import net_benefit_of, sure_range
from lemof_core.evaluation.strata import groups, shown

NOT_STORED = "(not evaluated)"


def draw_curves(frame: pd.DataFrame, asked: Asked, stored: pd.DataFrame, key: Key) -> None:
    """The four curves stand side by side, of everybody or of one group that is large enough to be shown.

    Args:
        frame: the columns of `read_analysis.analysed`; stored: their metrics of the whole model, by group.
        key: what `queries_performance.curves` hangs on.
    """
    offered = _offered(frame)
    left, right = st.columns([9, 3], vertical_alignment="bottom")
    with right:
        of = st.selectbox("Curves of", list(offered), key="curves_of", bind="query-params")
    kind, name, members = offered[of or EVERYBODY]
    with left:
        st.subheader("How well stays are ranked, and whether a probability can be taken at its word")
    some = frame if kind == "all" else frame[members]
    if some["label"].nunique() < 2:
        n, events = len(some), int(some["label"].sum())
        st.info(f"The curves are not estimable: n = {n}, {events} long, and they need both outcomes.")
        return
    here = stored[(stored["stratum_kind"] == kind) & (stored["stratum"] == name)]
    theory = threshold_in_theory(asked.ratio_here(frame["label"]))
    _draw(some, asked, theory, curves((*key, kind, name), some), here)


def _offered(frame: pd.DataFrame) -> dict[str, tuple[str, str, np.ndarray]]:
    """Return the groups in words, each as kind, name and members (N,)."""
    y = frame["label"].to_numpy()
    offered = {EVERYBODY: ("all", "all", np.ones(len(frame), dtype=bool))}
    for kind, words in KINDS.items():
        for name, members in groups(frame, kind).items():
            if shown(int(members.sum()), int(y[members].sum())) and not members.all():
                offered[f"{words}: {name}"] = (kind, name, members)
    return offered


def _draw(known: pd.DataFrame, asked: Asked, theory: float, lines: Curves, found: pd.DataFrame) -> None:
    thresholds = asked.thresholds
    y = known["label"].to_numpy()
    alarm, cuts = alarms(known, thresholds), thresholds_of(known["path"], thresholds)
    at = confusion(y, alarm)
    panels = (
        (f"AUROC {_said(found, 'auroc')}", "ROC curve", roc(lines.roc, at)),
        (f"AUPRC {_said(found, 'auprc')}", "Precision-recall curve", precision_recall(lines.precision_recall, at)),
        (
            f"Calibration slope {_said(found, 'cal_slope')}",
            "Calibration",
            calibration(lines.groups, lines.smooth, lines.histogram),
        ),
        (_benefit_title(lines.decision), "Decision curve", decision(lines.decision, sorted(set(cuts)), theory)),
    )
    for column, (title, name, figure) in zip(st.columns(4), panels, strict=True):
        with column:
            st.markdown(f"**{title}**")
            _chart(figure, name, len(y))
    oe = _said(found, "oe")
    if oe == NOT_STORED:
        oe = "not estimable" if lines.oe is None else estimate(*lines.oe)
    smooth = (
        ""
        if lines.smooth is not None
        else (" The smooth curve is not estimable: too few stays of a class, or too many with the same probability.")
    )
    st.caption(
        f"n = {len(y):,}, {at.long:,} long. Orange: the alarms and their thresholds; green: {probability(theory)}, the "
        f"threshold that the costs ask for. Calibration: observed over expected {oe}, intercept "
        f"{_said(found, 'cal_intercept')}; the line is a restricted cubic spline of the log-odds with its 95 % band, "
        f"grey points are groups of equal size with Wilson intervals, bars below count stays.{smooth} Decision curve: "
        "the band is the 95 % interval, at each threshold by itself, of the gain over the better of all and none; of "
        f"models that know nothing about one in six has such a range somewhere. {_benefit(y, alarm, cuts)}"
        + ("" if asked.long_of_100 is None else " The curves are of the stays here, not re-weighted.")
    )


def _said(found: pd.DataFrame, name: str) -> str:
    rows = found[found["name"] == name].to_dict("records")
    return estimate(rows[0]["value"], rows[0]["lo"], rows[0]["hi"]) if rows else NOT_STORED


def _benefit_title(curve: pd.DataFrame) -> str:
    sure = sure_range(curve)
    if sure is None:
        return "No threshold clearly beats all and none"
    if sure[0] == sure[1]:
        return f"Alarms beat all and none at {sure[0]:.2f}"
    return f"Alarms beat all and none, {sure[0]:.2f}–{sure[1]:.2f}"


def _benefit(y: np.ndarray, alarm: np.ndarray, cuts: np.ndarray) -> str:
    """What these alarms are worth at each stay's own threshold, as a sentence."""
    if cuts.max() >= 1:
        return "At threshold 1 a false alarm would cost without bound."
    gain, everybody = (net_benefit_of(y, acted, cuts) for acted in (alarm, np.ones(len(y), dtype=bool)))
    said = f"{signed(gain)} for alarms, {signed(everybody)} for acting on all, 0 for acting on none"
    return f"Net benefit at each stay's own threshold: {said}."


def _chart(figure: go.Figure, name: str, n: int) -> None:
    st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        key=f"chart-{name}",
        config={"displayModeBar": False},
        alt=f"{name}, n = {n}",
    )
