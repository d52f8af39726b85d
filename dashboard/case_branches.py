"""A scored case in, the waterfall of its modalities or of its levels out, with the sum it must hold."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.case_baseline import COHORT, Baseline
from dashboard.case_panel import panel_title
from dashboard.charts.waterfall import Scale, port_label, steps, sum_in_words, waterfall
from dashboard.queries_case import Case
from dashboard.wording import SHOWN_AS_ZERO, signed


def branches_panel(case: Case, baselines: Mapping[str, Callable[[], Baseline]]) -> None:
    """Draw the waterfall: what the raw modalities did where that is stored, or the levels on the chosen scale.

    Nothing where the case was not scored.
    Args:
        baselines: what else the levels may be held against than the run's own background, by name.
    """
    if case.prediction is None or case.calibration is None or case.branches.empty:
        return
    effect = case.effect if _chosen("steps", "inputs") == "inputs" else None  # None: the levels are shown
    scale: Scale = "probability" if not effect and _chosen("scale", "log-odds") == "probability" else "log-odds"
    base = float(case.calibration["base_p" if scale == "probability" else "base_logit"])
    total = float(case.prediction["p" if scale == "probability" else "logit"])
    drawn, against = case.branches, None
    if effect:
        drawn, base = input_steps(effect), float(effect["v_none"])
    elif (asked := _chosen("against", COHORT)) in baselines:
        against = baselines[asked]()
        if against.rows is not None:
            drawn, base = against.rows, against.base_p if scale == "probability" else against.base_logit
    parts = steps(drawn, scale)
    largest = max(parts, key=lambda port: abs(parts[port]))
    moved = "raises" if parts[largest] > 0 else "lowers"
    title = f"{port_label(largest)} {moved} most: {signed(parts[largest])}"
    if abs(parts[largest]) < SHOWN_AS_ZERO:
        title = "Nothing moves this prediction"
    with st.container(horizontal=True, key="case-scale-controls", vertical_alignment="center", gap="xxsmall"):
        panel_title(case, "branches", title, width="content")
        if case.effect is not None:
            _control("Steps", ["inputs", "levels"], "steps")
        if not effect:
            _control("Scale", ["log-odds", "probability"], "scale")
    if not effect and baselines:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="case-against"):
            st.html('<span class="case-label">Held against</span>', width="content")
            st.selectbox(
                "Held against", [COHORT, *baselines], key="against", bind="query-params", width=220,
                label_visibility="collapsed",
            )  # fmt: skip
    if against is not None:
        st.caption(against.words)
    words = sum_in_words(base, parts, total)
    st.plotly_chart(
        waterfall(
            drawn,
            base=base,
            total=total,
            scale=scale,
            base_name=against.name if against and against.rows is not None else "Model's mean",
        ),
        width="stretch",
        theme="streamlit",
        key="case-waterfall",
        config={"displayModeBar": False},
        alt=f"Waterfall of the {scale}: {words}",
    )
    st.html(_of_inputs(effect, words) if effect else _of_levels(case, words, against))


def _chosen(name: str, default: str) -> str:
    return str(st.session_state.get(name, st.query_params.get(name, default)))


def _control(label: str, options: list[str], key: str) -> None:
    st.segmented_control(
        label, options, default=options[0], key=key, bind="query-params", required=True, label_visibility="collapsed",
        width="content",
    )  # fmt: skip


def input_steps(effect: dict[str, Any]) -> pd.DataFrame:
    """Return what `charts.waterfall` takes: ECG alone, record alone, what they do only together, in log-odds."""
    none, ecg, ehr, both = (float(effect[name]) for name in ("v_none", "v_ecg", "v_ehr", "v_both"))
    found = pd.DataFrame(
        {"port": ["ecg", "ehr", "joint"], "phi_logit": [ecg - none, ehr - none, both - ecg - ehr + none]}
    )
    return found.assign(se=np.array([effect.get(name) for name in ("se_ecg", "se_ehr", "se_joint")], dtype=float))


def _of_inputs(effect: dict[str, Any], words: str) -> str:
    """Return the sum in one line, and how it is found beneath it to be opened."""
    return (
        f'<details class="case-footnote"><summary><span data-testid="waterfall-sum">{words}</span></summary>'
        f'<p data-testid="input-effect">{html.escape(effect_sentence(effect))}</p>'
        "<p>It starts at the model's mean over these background patients. The first step puts this patient's ECG in "
        "place of theirs, the second the record alone; the last is what the two change only together.</p></details>"
    )


def _of_levels(case: Case, words: str, against: Baseline | None) -> str:
    """Return one line, what each raw modality did or else the sum, and the rest beneath it to be opened."""
    summed = f'<span data-testid="waterfall-sum">{words}</span>'
    short = html.escape(effect_in_short(case.effect)) if case.effect else summed
    effect = f'<p data-testid="input-effect">{html.escape(effect_sentence(case.effect))}</p>' if case.effect else ""
    start = "over the stays it is held against" if against and against.rows is not None else "over its background"
    return (
        f'<details class="case-footnote"><summary>{short}</summary>{effect}'
        + (f"<p>The waterfall: {summed}.</p>" if case.effect else "")
        + f"<p>It starts at the model's mean {start}, not at the base rate. Its steps are Owen values of "
        "the level predictions and the cross-modal branch, each against whole rows of those patients; levels "
        "sum to their modality, and all sum to the prediction. How far a level can move it hangs on the last stage's "
        "weights (page Levels).</p></details>"
    )


def effect_in_short(effect: dict[str, Any]) -> str:
    """Return what each raw modality did alone (input_phi), in log-odds, with its standard error where it is stored."""
    none, ecg, ehr = (float(effect[name]) for name in ("v_none", "v_ecg", "v_ehr"))
    return (
        f"The ECG contributed {signed(ecg - none)}{_error(effect, 'se_ecg')}, "
        f"the health record {signed(ehr - none)}{_error(effect, 'se_ehr')}"
    )


def effect_sentence(effect: dict[str, Any]) -> str:
    """Return what each raw modality did (input_phi): the only sentence that may say that a modality contributed."""
    none, ecg, ehr, both = (float(effect[name]) for name in ("v_none", "v_ecg", "v_ehr", "v_both"))
    joint = both - ecg - ehr + none
    more = f"{abs(joint):.2f}{_error(effect, 'se_joint')} {'more' if joint >= 0 else 'less'} than each alone"
    return (
        f"{effect_in_short(effect)}, together {more} "
        f"(log-odds; n = {effect['n_background']} background patients, ± is one standard error over them)."
    )


def _error(effect: dict[str, Any], name: str) -> str:
    error = effect.get(name)
    return "" if error is None else f" ± {float(error):.2f}"
