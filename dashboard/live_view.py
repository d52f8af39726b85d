"""A LiveResult and what it was asked for in, the page's answer out: what was read, risk, reasons, waterfall, ECG."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db.ecg_leads import LEADS
from dashboard.abstention import reasons_to_abstain
from dashboard.case_branches import effect_sentence, input_steps
from dashboard.case_ecg import PX_PER_MM
from dashboard.case_overlay import NONE, SALIENCY, overlay_of, twelve_leads
from dashboard.case_reasons import ecg_words, reasons_markup, strongest_reasons
from dashboard.case_values import Latest, judged, latest_seen
from dashboard.charts.waterfall import sum_in_words, waterfall
from dashboard.ecg_interval_row import formula_choice, interval_row
from dashboard.ecg_intervals import Quality, intervals_of
from dashboard.ecg_paper import ecg_paper
from dashboard.live_answer import answer_json
from dashboard.live_form import Asked, charted
from dashboard.live_statics import statics_in_words
from dashboard.prediction_set import set_words
from dashboard.queries_case import Explained, Waveform, against_usual, usual_attribution
from dashboard.risk_card import INTERVAL, LOW, Risk, risk_markup
from dashboard.session import stamp
from dashboard.skill import Skill, skill
from dashboard.trust_badge import badge_markup, verdicts
from dashboard.wording import Definition, definition_of, literal, probability
from lemof_core.live import LiveCase, LiveResult

LIVE = "live"
SAME = 1e-5  # log-odds: what another machine's arithmetic may change
N_REASONS = 5


def show(result: LiveResult, asked: Asked, run: dict[str, Any], variables: pd.DataFrame) -> None:
    """Draw the result; `variables` is the catalogue, indexed by name."""
    defined = definition_of(run)
    static = _static_words(result, variables)
    st.html(_given(result, asked, list(static.values())))
    for note in result.notes:
        st.warning(literal(note))
    st.download_button(
        "Download this answer", answer_json(result, asked, run), "lemof-answer.json", "application/json",
        on_click="ignore", key="live_answer", help="What was read, the prediction and its explanation, as JSON.",
    )  # fmt: skip
    path = str(result.prediction["path"])
    explained = against_usual(explained_by(result), usual_attribution(*stamp(), run["run_id"], path))
    left, right = st.columns([62, 38], gap="medium")
    with left, st.container(gap="xsmall"):
        _ecg(result, asked.case, run, explained)
    with right, st.container(gap="xsmall", key="live-right"):
        able = skill(*stamp(), run["run_id"])
        _risk(result, run, defined, able, variables["label"].to_dict())
        if asked.stored_logit is not None:
            _compare(float(result.prediction["logit"]), asked.stored_logit)
        ecg = ecg_words(result.measurements, _sex(result))
        latest = latest_of(asked.case, variables, _sex(result), defined)
        reasons = strongest_reasons(explained, variables, latest, static, ecg, effect=result.input_effect, n=N_REASONS)
        st.subheader("Why: the strongest reasons")
        st.html(reasons_markup(explained, reasons))
        st.html(badge_markup(verdicts(pd.DataFrame(result.trust), explained)))
        _waterfall(result)


def _sex(result: LiveResult) -> str:
    return "F" if result.given["static"].get("sex") == 1.0 else "M"


def _static_words(result: LiveResult, variables: pd.DataFrame) -> dict[str, str]:
    rows: list[dict[Any, Any]] = variables[variables["kind"] == "static"].to_dict("records")
    return statics_in_words(rows, result.given["static"])


def _given(result: LiveResult, asked: Asked, static: list[str]) -> str:
    """Return what this answer is the answer to: whose data, how many values of how many variables, what is missing."""
    given, ecg = result.given, "no ECG"
    if asked.case.signal_mv is not None:
        seconds = len(asked.case.signal_mv) / asked.case.fs
        whole = asked.ecg_facts.get("Length", f"{seconds:.1f} s")
        ecg = html.escape(f"ECG of {len(asked.case.sig_name)} leads, {whole}")
        ecg += "" if result.prediction["path"] == "both" else " (not used)"
    record = f"{given['n_values']} values of {given['n_variables']} of {given['n_series']} vital signs and labs"
    parts = [f"<b>{html.escape(asked.name)}</b>", ecg, record, *map(html.escape, static)]
    items = "".join(f"<span>{part}</span>" for part in parts)
    return f'<div class="live-given" data-testid="live-given"><span>The model read</span>{items}</div>'


def explained_by(result: LiveResult) -> Explained:
    """Return the answer's attributions as the case page has those of a stored prediction."""
    names = result.axes["feature_attribution"]["feature"]
    features = dict(zip(names, result.arrays["feature_attribution"].astype(float).tolist(), strict=True))
    gap, error = result.arrays["completeness"].astype(float)
    saliency, seconds = None, 0.0
    if result.prediction["path"] == "both":
        saliency = result.arrays["saliency"].astype(np.float32)
        seconds = float(result.axes["saliency"]["seconds_per_bin"])
    note = "log-odds, by integrated gradients from a baseline patient"
    return Explained(features, saliency, LEADS, seconds, float(gap), float(error), note)


def latest_of(case: LiveCase, variables: pd.DataFrame, sex: str, defined: Definition) -> dict[str, Latest]:
    """Return the last value of each variable that the model could use: in its hours and within the plausible range."""
    values = charted(case)
    limits = variables.loc[values["variable"], ["low", "high"]].fillna({"low": -np.inf, "high": np.inf})
    plausible = values["value"].to_numpy() >= limits["low"].to_numpy()
    plausible &= values["value"].to_numpy() <= limits["high"].to_numpy()
    admitted = datetime(2000, 1, 1)  # only hours from admission are shown
    seen = judged(values[plausible], variables, sex=sex, intime=admitted, t0_s=round(defined.t0_hours * 3600))
    return latest_seen(seen, variables, sex)


def _risk(result: LiveResult, run: dict[str, Any], defined: Definition, able: Skill, labels: dict[str, str]) -> None:
    prediction, calibration = result.prediction, result.calibration
    base, n_base = calibration["base_rate"], calibration["n_base"]
    path = "ECG and health record" if prediction["path"] == "both" else "health record alone"
    risk = Risk(
        p=prediction["p"],
        low=prediction["p_lo"],
        high=prediction["p_hi"],
        threshold=calibration["threshold"],
        base_rate=base,
        base_words=f"base rate of the fit {probability(base)}" + ("" if n_base is None else f", n = {n_base:,}"),
        set_words=set_words(prediction["p"], pd.DataFrame(calibration["conformal"]), defined),
        abstains=tuple(reasons_to_abstain(prediction, result.quality, able, labels)),
        short=(f"From {path}, run {run['run_id']}.", LOW),
        more=(INTERVAL,),
    )
    st.subheader(defined.label)
    st.markdown(f'<div data-testid="live-risk">{risk_markup(risk)}</div>', unsafe_allow_html=True)


def _compare(logit: float, stored: float) -> None:
    difference = abs(logit - stored)
    told = f"Stored log-odds {stored:.6f}, predicted now {logit:.6f}: difference {difference:.1e}."
    if difference <= SAME:
        st.success(f"The same as the stored prediction. {told}")
    else:
        st.error(f"NOT the stored prediction. {told} The raw files or the store have changed since scoring.")


def _waterfall(result: LiveResult) -> None:
    """Draw what the raw modalities did; the inner predictions where there is one modality alone."""
    effect, total = result.input_effect, float(result.prediction["logit"])
    if effect:
        title, words = "What the ECG and the record did, log-odds", effect_sentence(effect)
        steps, base = input_steps(effect), float(effect["v_none"])
    else:
        title = "How the inner predictions add up, log-odds"
        words = "The base is the model's mean over its background patients"
        steps, base = pd.DataFrame(result.branch_values), float(result.calibration["base_logit"])
    st.subheader(title)
    parts = dict(zip(steps["port"], steps["phi_logit"], strict=True))
    st.plotly_chart(
        waterfall(steps, base=base, total=total, scale="log-odds"),
        width="stretch",
        key="live_waterfall",
        config={"displayModeBar": False},
        alt=f"Waterfall: {sum_in_words(base, parts, total)}",
    )
    st.html(f'<div class="case-footnote">{words.rstrip(".")}; the base is not the base rate.</div>')


def _ecg(result: LiveResult, case: LiveCase, run: dict[str, Any], explained: Explained) -> None:
    st.subheader("ECG as uploaded, unfiltered" if case.signal_mv is not None else "No ECG")
    if case.signal_mv is None:
        st.info("No ECG was given. The model has a path of its own for that; it was fitted without ECGs.")
        return
    record = twelve_leads(Waveform(case.signal_mv.T, case.fs, case.sig_name))
    read = explained.saliency is not None
    shown = st.toggle("Saliency over the traces", key="live_saliency", disabled=not read)
    overlay = overlay_of(SALIENCY if shown and read else NONE, record, explained, None, None)
    quality = {lead: ", ".join(flags) for lead, flags in (result.quality or {}).items() if flags}
    ecg_paper(
        record.ecg_mv,
        round(record.fs),
        record.leads,
        stay_id=LIVE,
        run_id=run["run_id"],
        key="live_ecg_paper",
        saliency=overlay.saliency,
        quality=quality or None,
        px_per_mm=PX_PER_MM,
    )
    told = Quality(result.quality or {}, result.prediction["path"] == "both")
    st.html(interval_row(intervals_of(result.measurements, told, {}, formula_choice()), told))
