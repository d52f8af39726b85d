"""A case and what the reader would change in it in, what the model says then out: asked of the live service."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from cohort_db.ecg_leads import LEADS
from cohort_db.errors import InputMistake
from cohort_db.store import Store
from dashboard import queries_results
from dashboard.case_panel import panel_title, stamped
from dashboard.charts.waterfall import port_label
from dashboard.charts.what_if import what_if_figure
from dashboard.live_case import stored_case
from dashboard.live_service import service
from dashboard.plain_table import plain_table
from dashboard.queries_case import Case
from dashboard.session import stamp
from dashboard.wording import probability, signed
from lemof_core.errors import ModelMistake
from lemof_core.live import LiveCase, LiveResult, run_folder

N_EDITS = 3


def what_if_panel(store: Store, case: Case, run: dict[str, Any] | None, variables: pd.DataFrame) -> None:
    """Draw the form and the answer to it; the question belongs to this stay and this run alone."""
    if case.prediction is None or run is None:
        panel_title(case, "what-if", "What if")
        st.info("This stay was not scored by this run: there is no prediction to compare with.")
        return
    panel_title(
        case, "what-if", "What if: ask the model about an altered patient", "associations, not treatment effects"
    )
    key = f"what-if-{case.stay_id}-{case.run_id}-{st.session_state.get('what-if-reset', 0)}"
    try:
        folder = run_folder(run["folder"], store.runs_folder)
        with st.spinner("Starting the prediction service"):
            ranges = service().ranges(folder)
        altered = _form(case, variables, ranges, key)
        _answer(store, case, folder, altered, key)
        _smallest_change(store, case, folder, variables, key)
        _landmarks(store, case, run)
    except (ModelMistake, InputMistake) as mistake:
        st.error(str(mistake))


def _form(case: Case, variables: pd.DataFrame, ranges: dict[str, tuple[float, float]], key: str) -> dict[str, Any]:
    """Draw the controls; return what is to be different: edits, muted, drop_ecg."""
    offered = [name for name in variables.index if name in ranges]
    edits: dict[str, float] = {}
    left, right = st.columns(2, gap="medium")
    with left:
        chosen = st.multiselect(
            "Change the last value of", offered, key=f"{key}-names", max_selections=N_EDITS,
            format_func=lambda name: str(variables.at[name, "label"]), placeholder="Choose up to three variables",
        )  # fmt: skip
        for name in chosen:
            low, high = ranges[name]
            unit, decimals = str(variables.at[name, "unit"]), int(variables.at[name, "decimals"])
            value = st.number_input(
                f"{variables.at[name, 'label']} ({unit}), observed {low:.{decimals}f} to {high:.{decimals}f}",
                value=None, key=f"{key}-{name}", format=f"%.{max(decimals, 1)}f", placeholder="new value", width=320,
            )  # fmt: skip
            if value is not None:
                edits[name] = float(value)
    with right:
        has_ecg = case.model_study_id is not None
        muted = st.multiselect(
            "Mute leads (0 mV)", list(LEADS), key=f"{key}-muted", disabled=not has_ecg, placeholder="Choose leads"
        )
        drop = st.toggle("Without the ECG", key=f"{key}-drop", disabled=not has_ecg)
        st.caption("The record cannot be left out: no path was fitted for an ECG alone.")
    return {"edits": edits, "muted": tuple(muted), "drop_ecg": bool(drop)}


def altered_case(case: LiveCase, altered: dict[str, Any]) -> LiveCase:
    """Return the stay's own data with what is to be different in it; nothing altered is the case itself."""
    if altered["drop_ecg"]:
        case = replace(case, signal_mv=None, sig_name=())
        return replace(case, edits=altered["edits"], explain=False)
    return replace(case, edits=altered["edits"], muted=altered["muted"], explain=False)


def _answer(store: Store, case: Case, folder: Any, altered: dict[str, Any], key: str) -> None:
    """Draw the buttons, and the answer that was asked for exactly what stands in the form."""
    question = repr(altered)
    with st.container(horizontal=True):
        if st.button("Ask the model", type="primary", key=f"{key}-ask"):
            st.session_state[f"{key}-asked"] = question
        st.button("Reset", key=f"{key}-reset", on_click=_reset)
    if st.session_state.get(f"{key}-asked") != question:
        st.html(stamped(case, "what-if-base", f'<span data-testid="what-if">{_unaltered(case)}</span>'))
        return
    with st.spinner("Asking the model"):
        result = service().predict(altered_case(stored_case(store, case.stay_id), altered), folder)
    st.html(stamped(case, "what-if-answer", f'<span data-testid="what-if">{answer_words(case, result)}</span>'))
    for note in result.notes:
        st.caption(note)
    moved = moved_ports(case, result)
    if moved is None:
        st.caption("The other path has ports of its own: the change cannot be told by level.")
        return
    st.plotly_chart(
        what_if_figure(moved),
        width="stretch",
        theme="streamlit",
        key="what-if-chart",
        config={"displayModeBar": False},
        alt="Change of the log-odds by level: "
        + ", ".join(f"{port_label(port)} {signed(value)}" for port, value in moved.items()),
    )


def _reset() -> None:
    """Every control is a new and empty one, and nothing is asked: the stored prediction stands again."""
    st.session_state["what-if-reset"] = int(st.session_state.get("what-if-reset", 0)) + 1


def _unaltered(case: Case) -> str:
    prediction = case.prediction or {}
    return f"As stored: {probability(prediction['p'])} (log-odds {signed(prediction['logit'])})."


def answer_words(case: Case, result: LiveResult) -> str:
    """Return what was and what is: 0.62 -> 0.55, log-odds -0.29."""
    before, after = case.prediction or {}, result.prediction
    path = "" if after["path"] == before["path"] else " (by the path fitted without an ECG)"
    return html.escape(
        f"{probability(before['p'])} becomes {probability(after['p'])}{path}: log-odds "
        f"{signed(after['logit'] - before['logit'])}, from {signed(before['logit'])} to {signed(after['logit'])}."
    )


def moved_ports(case: Case, result: LiveResult) -> dict[str, float] | None:
    """Return port -> how its part of the log-odds changed; they sum to the whole change. None on another path."""
    if result.prediction["path"] != (case.prediction or {})["path"]:
        return None
    before = dict(zip(case.branches["port"], case.branches["phi_logit"].astype(float), strict=True))
    return {row["port"]: float(row["phi_logit"]) - before[row["port"]] for row in result.branch_values}


def _smallest_change(store: Store, case: Case, folder: Any, variables: pd.DataFrame, key: str) -> None:
    """Draw on request the smallest change of measured values that carries the case across its threshold."""
    threshold = (case.calibration or {}).get("threshold")
    if threshold is None or pd.isna(threshold):
        st.caption("No smallest change is sought: this run has no tuned threshold.")
        return
    if not st.toggle(f"Smallest change across the threshold {probability(threshold)}", key=f"{key}-smallest"):
        return
    with st.spinner("Searching; some seconds"):
        found = service().counterfactual(stored_case(store, case.stay_id), folder, float(threshold))
    if not found.changes:
        st.caption("No observed value of a measured variable brings the prediction nearer to the threshold.")
        return
    shown = pd.DataFrame(
        {
            "Change": [str(variables.at[row["variable"], "label"]) for row in found.changes],
            "From": [_number(row["before"], variables, row["variable"]) for row in found.changes],
            "To": [_number(row["after"], variables, row["variable"]) for row in found.changes],
            "Unit": [str(variables.at[row["variable"], "unit"]) for row in found.changes],
            "Log-odds then": [signed(row["logit"]) for row in found.changes],
        }
    )
    st.html(stamped(case, "smallest-change", "") + plain_table(shown, words=("Unit",)))
    across = "Together they cross the threshold." if found.crosses else "Even together they do not cross the threshold."
    st.caption(f"{across} Found step by step among observed values; not advice: the model knows associations alone.")


def _number(value: float, variables: pd.DataFrame, name: str) -> str:
    return f"{value:.{int(variables.at[name, 'decimals'])}f}".replace("-", "−")


def _landmarks(store: Store, case: Case, run: dict[str, Any]) -> None:
    """Draw what runs of the same task that were trained at other landmarks say of this patient, on request."""
    others = queries_results.runs(*stamp())
    others = others[(others["t0_hours"] != run["t0_hours"]) & (others["cut_hours"] == run["cut_hours"])]
    if others.empty:
        st.caption(
            f"No run in this store was trained at another landmark than {run['t0_hours']:g} h "
            "(`lemof ingest --t0-hours 12`, then `lemof train`, makes one)."
        )
        return
    hours = sorted(set(others["t0_hours"]))
    chosen = st.segmented_control(
        "Landmark", [f"at {hour:g} h" for hour in hours], key=f"landmark-{case.stay_id}-{case.run_id}"
    )
    if chosen is None:
        return
    hour = hours[[f"at {hour:g} h" for hour in hours].index(chosen)]
    other = others[others["t0_hours"] == hour].iloc[0]
    with st.spinner("Asking the model"):
        result = service().predict(
            replace(stored_case(store, case.stay_id), explain=False), run_folder(other["folder"], store.runs_folder)
        )
    words = f"Run {other['run_id']}, with what was known at {hour:g} h: {probability(result.prediction['p'])}."
    st.html(stamped(case, "landmark", f'<span data-testid="landmark">{html.escape(words)}</span>'))
