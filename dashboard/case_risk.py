"""A scored case in, the risk card out: probability with interval, base rate and threshold; the outcome on request."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.charts.risk import risk_scale
from dashboard.queries_case import Case
from dashboard.wording import Definition, interval, probability

_INTERVAL = "90 % interval over refits of the stacked decision and calibration; encoders not refitted"


def risk_card(case: Case, run: dict[str, Any] | None, rule: str | None, defined: Definition) -> None:
    """Draw the card, or in one sentence why there is no prediction and what to do."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        panel_title(case, "risk", defined.label, width="content")
        outcome = outcome_words(case)
        shown = st.toggle("Show the outcome", key=f"outcome-{case.stay_id}-{case.run_id}", disabled=not outcome)
    if shown:
        st.html(f'<div class="case-outcome" data-testid="outcome">Outcome: {html.escape(outcome)}</div>')
    if case.prediction is None or case.calibration is None:
        st.info(no_prediction(case, run, rule))
    else:
        p, low, high = (case.prediction[name] for name in ("p", "p_lo", "p_hi"))
        stage = case.calibration
        scale = risk_scale(p, low, high, base_rate=stage["base_rate"], threshold=_present(stage["threshold"]))
        # Not st.html, which leaves out SVG.
        st.markdown(_card(case, scale) + _remarks(case, run), unsafe_allow_html=True)


def no_prediction(case: Case, run: dict[str, Any] | None, rule: str | None) -> str:
    """Return why there is no prediction, and what would make one."""
    if case.sample_id is None:
        named = f" by the rule “{rule}”" if rule else ""
        return f"No prediction: this stay was left out of the cohort{named}. Its course is shown below."
    if run is None:
        return "No prediction: no model has been fitted yet. Run `lemof train`, then `lemof score`."
    return f"No prediction: run {run['run_id']} has not scored this stay. Run `lemof score --run {run['run_id']}`."


def _card(case: Case, scale: str) -> str:
    prediction = case.prediction or {}
    low, high = prediction["p_lo"], prediction["p_hi"]
    stage = case.calibration or {}
    n_base = _present(stage["n_base"])
    n = "" if n_base is None else f" <small>n = {int(n_base)}</small>"
    base = f"base rate {probability(stage['base_rate'])}{n}"
    return (
        f'<div class="case-risk"><span class="case-p">{probability(prediction["p"])}</span> '
        f'<span class="case-interval">{interval(low, high) or "no interval"}</span>'
        f'<span class="case-base">{base}</span></div>{scale}'
    )


def _remarks(case: Case, run: dict[str, Any] | None) -> str:
    """Return what must be read with the number: threshold, missing ECG, missing calibration, what low does not mean."""
    prediction, stage = case.prediction or {}, case.calibration or {}
    path = prediction["path"]
    remarks = []
    threshold = _present(stage["threshold"])
    if threshold is not None:
        side = "At or above" if prediction["p"] >= threshold else "Below"
        remarks.append(
            f"{side} the tuned threshold {probability(threshold)} (n = {int(stage['n'])} calibration patients)."
        )
    else:
        remarks.append(f"Threshold not estimable, n = {int(stage['n'])}.")
    uncalibrated = (run or {}).get("not_estimable", {}).get(f"{path}: calibration")
    if uncalibrated:
        remarks.append(f"Calibration {html.escape(str(uncalibrated))}: the probability is as the stack gives it.")
    if path == "ehr":
        why = "the linked ECG is not usable" if case.study_id else "there is none in the window"
        remarks.append(f"<b>No ECG was used</b> ({why}): predicted by the path fitted without one.")
    remarks.append("Low is no good news: a stay also ends by death.")
    remarks.append(_INTERVAL + "." if prediction["p_lo"] is not None else "No interval: the decision was not refitted.")
    return f'<div class="case-remarks">{" ".join(remarks)}</div>'


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
