"""A scored case in, the waterfall of its levels and branches out, with the sum it must hold and what inputs did."""

from __future__ import annotations

import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.case_risk import effect_sentence
from dashboard.charts.waterfall import Scale, port_label, steps, sum_in_words, waterfall
from dashboard.queries_case import Case
from dashboard.wording import signed


def branches_panel(case: Case) -> None:
    """Draw the waterfall on the chosen scale; nothing where the case was not scored."""
    if case.prediction is None or case.calibration is None or case.branches.empty:
        return
    probability = st.session_state.get("scale", st.query_params.get("scale", "log-odds")) == "probability"
    scale: Scale = "probability" if probability else "log-odds"
    base = float(case.calibration["base_p" if probability else "base_logit"])
    total = float(case.prediction["p" if probability else "logit"])
    parts = steps(case.branches, scale)
    largest = max(parts, key=lambda port: abs(parts[port]))
    moved = "raises it" if parts[largest] > 0 else "lowers it"
    with st.container(horizontal=True, key="case-scale-controls", vertical_alignment="center", gap="xsmall"):
        panel_title(case, "branches", f"{port_label(largest)} {moved} most ({signed(parts[largest])})", width="content")
        st.segmented_control(
            "Scale", ["log-odds", "probability"], default="log-odds", key="scale", bind="query-params", required=True,
            label_visibility="collapsed", width="content",
        )  # fmt: skip
    words = sum_in_words(base, parts, total)
    st.plotly_chart(
        waterfall(case.branches, base=base, total=total, scale=scale),
        width="stretch",
        theme="streamlit",
        key="case-waterfall",
        config={"displayModeBar": False},
        alt=f"Waterfall of the {scale}: {words}",
    )
    effect = f"{effect_sentence(case.effect)} " if case.effect else ""
    st.html(
        f'<div class="case-footnote"><p data-testid="waterfall-sum">{words}</p>'
        f'<p data-testid="input-effect">{effect}</p>'
        "<details><summary>Starts at the model's mean over its background, not at the base rate</summary>Owen values "
        "of the level predictions and the cross-modal branch, each against whole rows of the background patients; "
        "levels sum to their modality, and all sum to the prediction.</details></div>"
    )
