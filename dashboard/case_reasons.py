"""Attributions, last values and ECG measurements of a case in, its strongest reasons in words out."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.case_values import MODEL_WINDOW_H, Latest
from dashboard.ecg_intervals import is_irregular
from dashboard.facts import ECG, FACTS, grouped, members
from dashboard.queries_case import Case, Explained
from dashboard.wording import SHOWN_AS_ZERO, signed

N_REASONS = 3
N_MEMBERS = 2  # variables of one fact that its reason names


@dataclass(frozen=True)
class Reason:
    """One fact and what it did to the log-odds."""

    words: str
    attribution: float


def strongest_reasons(
    explained: Explained,
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    static: Mapping[str, str],
    ecg: str,
    *,
    effect: Mapping[str, Any] | None = None,
    n: int = N_REASONS,
) -> list[Reason]:
    """Return the n facts of the largest absolute attribution, strongest first, none that would read 0.00.

    Args:
        variables: the catalogue, indexed by name. latest: what the model saw last of each series.
        static: what was known at admission, name -> words (see `static_words`); "unit" stands for the care unit's three
            columns. ecg: the ECG that the model read, in words. effect: what the raw modalities did (input_phi).
    """
    parts = grouped(explained, effect)
    moving = [name for name in parts if abs(parts[name]) >= SHOWN_AS_ZERO]
    chosen = sorted(moving, key=lambda name: -abs(parts[name]))[:n]
    return [
        Reason(_words(name, members(name, explained.features), variables, latest, static, ecg), parts[name])
        for name in chosen
    ]


def _words(
    fact: str,
    names: list[str],
    variables: pd.DataFrame,
    latest: Mapping[str, Latest],
    static: Mapping[str, str],
    ecg: str,
) -> str:
    if fact == ECG:
        return f"ECG: {ecg}"
    if fact in static:
        return static[fact]
    known = [name for name in names if name in latest]
    if fact not in FACTS or not known:
        label = FACTS[fact][0] if fact in FACTS else None
        return _of_variable(names[0], variables, latest, label)
    return f"{FACTS[fact][0]}: {'; '.join(_of_variable(name, variables, latest) for name in known[:N_MEMBERS])}"


def _of_variable(name: str, variables: pd.DataFrame, latest: Mapping[str, Latest], called: str | None = None) -> str:
    rows: list[dict[Any, Any]] = variables.loc[[name]].to_dict("records") if name in variables.index else []
    variable = rows[0] if rows else None
    label = called or (name if variable is None else str(variable["label"]))
    if variable is None or variable["kind"] == "static":
        return label
    if name not in latest:
        return f"{label} not measured in the {MODEL_WINDOW_H} h before the prediction"
    last = latest[name]
    return f"{label} {last.words(variable)}" + (f", {last.direction}" if last.direction else "")


def static_words(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what was known of the stay (`read.stay`) at admission, name -> words."""
    before = (facts["intime"] - facts["admittime"]).total_seconds() / 3600
    return {
        "age": f"Age {facts['age_years']} years",
        "sex": "Female" if facts["sex"] == "F" else "Male",
        "emergency": f"Admission type {facts['admission_type']}",
        "hours_to_icu": f"{before:.0f} h in hospital before the ICU",
        "unit": f"Care unit {facts['first_careunit']}",
    }


def ecg_words(numbers: Mapping[str, float], sex: str) -> str:
    """Return what was measured and stands out, rate always: "irregular rhythm, rate 112, QRS 134 ms (wide)"."""
    if "heart_rate_bpm" not in numbers:
        return "no rhythm could be measured"
    rate = numbers["heart_rate_bpm"]
    pace = " (fast)" if rate > 100 else " (slow)" if rate < 60 else ""
    found = [f"rate {rate:.0f}{pace}"]
    if is_irregular(numbers):
        found.insert(0, "irregular rhythm")
    long_qtc = 460 if sex == "F" else 450  # AHA/ACCF/HRS 2009, part IV
    for name, label, limit, word in (
        ("pr_ms", "PR", 200, "long"),
        ("qrs_ms", "QRS", 120, "wide"),
        ("qtcf_ms", "QTc", long_qtc, "long"),
    ):
        if numbers.get(name, 0) > limit:
            found.append(f"{label} {numbers[name]:.0f} ms ({word})")
    st60 = {name[5:-3]: value for name, value in numbers.items() if name.startswith("st60_")}
    lead = max(st60, key=lambda name: abs(st60[name]), default=None)
    if lead is not None and abs(st60[lead]) >= 0.1:
        found.append(f"ST {signed(st60[lead])} mV in {lead}")
    return ", ".join(found)


def reasons_panel(case: Case, explained: Explained | None, reasons: list[Reason], fusion: str) -> None:
    """Draw the reasons as a list; where there are none, the sentence that says why. fusion: the run's."""
    if explained is None or not reasons:
        panel_title(case, "reasons", "Why")
        st.caption(_why_not(explained, fusion))
        return
    panel_title(case, "reasons", "Why: the three strongest reasons")
    st.html(reasons_markup(explained, reasons))


def no_skill(case: Case, words: str) -> None:
    """Say in place of reasons that a run without skill has none to give."""
    panel_title(case, "reasons", "Why: no reasons are given")
    st.caption(
        f"This run cannot tell patients apart ({words}; the interval holds .5). What moves its number explains nothing "
        "about the patient, so neither reasons nor their checks are shown."
    )


def _why_not(explained: Explained | None, fusion: str) -> str:
    if explained is not None:
        return "Neither the ECG nor the record moves this run's prediction: it says nearly the same of everybody."
    if fusion.startswith("boosted"):
        return "No gradient runs through boosted trees, so this run attributes nothing to single variables."
    return "This run was scored without explanations: `lemof score` adds them."


def reasons_markup(explained: Explained, reasons: list[Reason]) -> str:
    """Return the reasons as a list, and beneath it, to be opened, what an attribution is and how exact it was."""
    items = "".join(
        f"<li><span>{html.escape(reason.words)}</span>"
        f'<b class="{"raises" if reason.attribution > 0 else "lowers"}">'
        f"{'raises' if reason.attribution > 0 else 'lowers'} {signed(reason.attribution)}</b></li>"
        for reason in reasons
    )
    n = explained.n_usual
    usual = f", less its mean over {n:,} stays: what weighs alike for everybody is no reason for one" if n else ""
    note = (
        "The ECG's number is its Shapley value against other patients' ECGs (input_phi), half of what it changes only "
        f"together with the record in it. A variable's is its attribution in {explained.note}{usual}. "
        f"Attributions miss the gap of {signed(explained.gap)} to that baseline by {explained.error:.3f} (completeness "
        "error), and those of one fact are summed. A reason is what moved the model, not the cause of the stay."
    )
    short = f"Attribution in log-odds, completeness error {explained.error:.3f}"
    return (
        f'<ol class="case-reasons">{items}</ol><details class="case-footnote"><summary>{short}</summary>'
        f"{html.escape(note)}</details>"
    )
