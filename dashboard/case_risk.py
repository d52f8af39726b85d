"""A scored case in, the risk card out: probability, interval, set, comparable stays; the outcome on request."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.comparable import Comparable
from dashboard.prediction_set import coverage_words, set_words
from dashboard.queries_case import Case
from dashboard.risk_card import INTERVAL, LOW, Risk, risk_markup
from dashboard.wording import Definition, interval, probability


def risk_card(
    case: Case,
    run: dict[str, Any] | None,
    rule: str | None,
    defined: Definition,
    *,
    like_it: Comparable | None,
    measured: pd.DataFrame,
    abstains: list[str],
) -> None:
    """Draw the card, or in one sentence why there is no prediction and what to do.

    Args:
        like_it: comparable stays. measured: metrics that hold the coverage of the set.
        abstains: why no recommendation may be made; empty where one may.
    """
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        panel_title(case, "risk", defined.label, width="content")
        outcome = outcome_words(case)
        shown = st.toggle("Show the outcome", key=f"outcome-{case.stay_id}-{case.run_id}", disabled=not outcome)
    if shown:
        st.html(f'<div class="case-outcome" data-testid="outcome">Outcome: {html.escape(outcome)}</div>')
    if case.prediction is None or case.calibration is None:
        st.info(no_prediction(case, run, rule))
    else:
        # Not st.html, which leaves out SVG.
        risk = risk_of(case, run, defined, like_it, measured, abstains)
        st.markdown(risk_markup(risk), unsafe_allow_html=True)


def no_prediction(case: Case, run: dict[str, Any] | None, rule: str | None) -> str:
    """Return why there is no prediction, and what would make one."""
    if case.sample_id is None:
        named = f" by the rule “{rule}”" if rule else ""
        return f"No prediction: this stay was left out of the cohort{named}. Its course is shown below."
    if run is None:
        return "No prediction: no model has been fitted yet. Run `lemof train`, then `lemof score`."
    return f"No prediction: run {run['run_id']} has not scored this stay. Run `lemof score --run {run['run_id']}`."


def risk_of(
    case: Case,
    run: dict[str, Any] | None,
    defined: Definition,
    like_it: Comparable | None,
    measured: pd.DataFrame,
    abstains: list[str],
) -> Risk:
    """Return what the card of a scored case shows."""
    prediction, stage = case.prediction or {}, case.calibration or {}
    p = float(prediction["p"])
    base: tuple[float | None, str] = (None, "")
    if like_it:
        base = (like_it.rate, f"{like_it.called} {probability(like_it.rate)}, n = {like_it.n:,}")
    return Risk(
        p=p,
        low=prediction["p_lo"],
        high=prediction["p_hi"],
        threshold=_present(stage["threshold"]),
        base_rate=base[0],
        base_words=base[1],
        set_words=set_words(p, case.cutoffs, defined),
        abstains=tuple(abstains),
        short=(*_state(case, run, abstains=bool(abstains)), LOW),
        more=tuple(_read_on(case, defined, like_it, measured)),
    )


def _state(case: Case, run: dict[str, Any] | None, *, abstains: bool) -> list[str]:
    """Return what must be read with the number: the threshold where it may be used, no calibration, no ECG."""
    prediction, stage = case.prediction or {}, case.calibration or {}
    path, threshold = prediction["path"], _present(stage["threshold"])
    out = []
    if threshold is None:
        out.append(f"Threshold not estimable, n = {int(stage['n'])}.")
    elif not abstains:
        side = "At or above" if prediction["p"] >= threshold else "Below"
        out.append(f"{side} the tuned threshold {probability(threshold)}, n = {int(stage['n'])}.")
    uncalibrated = (run or {}).get("not_estimable", {}).get(f"{path}: calibration")
    if uncalibrated:
        out.append(f"Calibration {uncalibrated}: the probability is as the stack gives it.")
    if path == "ehr":
        why = "the linked ECG is not usable" if case.study_id else "there is none in the window"
        out.append(f"No ECG was used ({why}): predicted by the path fitted without one.")
    return out


def _read_on(case: Case, defined: Definition, like_it: Comparable | None, measured: pd.DataFrame) -> list[str]:
    """Return what explains the number: comparable stays with deaths, coverage, the fit's base rate, the interval."""
    prediction, stage = case.prediction or {}, case.calibration or {}
    out = []
    if like_it:
        who = f"{like_it.called.capitalize()} ({like_it.words})"
        out.append(
            f"{who}: {probability(like_it.rate)} {interval(*like_it.interval)} were still in the ICU after "
            f"{defined.cut}, n = {like_it.n:,}; {like_it.deaths:,} of them died before that."
        )
    covered = coverage_words(measured, str(prediction["path"]))
    out += [covered] if covered else []
    n_base = _present(stage["n_base"])
    of = "" if n_base is None else f", n = {int(n_base):,}"
    out.append(f"Base rate where the decision was fitted: {probability(stage['base_rate'])}{of}.")
    out.append(INTERVAL if prediction["p_lo"] is not None else "There is no interval: the decision was not refitted.")
    return out


def outcome_words(case: Case) -> str:
    """Return how the stay ended; "" where it is not known."""
    facts = case.facts
    death = None if facts["death_offset_s"] is None else facts["death_offset_s"] / 3600
    if case.died_before_cut:
        return f"died in ICU at {death or facts['los_hours'] or 0:.0f} h, before the cut (counted as not long)"
    if facts["los_hours"] is None:
        return ""
    if facts["died_in_icu"] and death is not None:
        return f"died in ICU at {death:.0f} h"
    ended = f"left ICU after {facts['los_hours']:.0f} h"
    if facts["deathtime"] is not None:
        hours = (facts["deathtime"] - facts["intime"]).total_seconds() / 3600
        ended += f", died in hospital {hours:.0f} h after ICU admission"
    return ended


def _present(value: Any) -> float | None:
    """Return None also for the NaN or NA that pandas makes of an absent number."""
    return None if pd.isna(value) else float(value)
