"""A population, its selection_phi and a run's weights in; how four ways judge the levels drawn side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_levels
from dashboard.charts.ranks import rank_lines
from dashboard.level_judges import WAYS, agreement_in_words, judged_table, verdict
from dashboard.level_tables import MODALITIES
from dashboard.plain_table import plain_table

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


def draw_judges(run: dict[str, Any], frame: pd.DataFrame, phi: pd.DataFrame, fitted: dict[str, pd.DataFrame]) -> None:
    """Draw, per modality, the ranks that four ways give the levels, with their values and a verdict in words.

    Args:
        frame: the predictions of a population; phi: their selection_phi (N, 6) in log-odds, in the same order.
    """
    st.subheader("Do other ways of judging a level agree?")
    weights, choices = fitted["stage_weights"], fitted["level_choices"]
    # The level choices are those of this path; the other's k* may differ.
    path = "both" if (weights["path"] == "both").any() else "ehr"
    here = (frame["path"] == path).to_numpy() & phi["ehr_1"].notna().to_numpy()
    if not here.any():
        needed = "both modalities" if path == "both" else "a health record"
        st.info(f"No stay shown here has {needed} and level scores, so the levels cannot be judged side by side.")
        return
    known, of_phi = frame[here].reset_index(drop=True), phi[here]
    chosen = choices[choices["is_k_star"].astype(bool)]
    k_star = {str(one.modality): int(one.level) for one in chosen.itertuples()}
    key = (run["run_id"], queries_levels.who(known))
    link = run["config"].get("decision", {}).get("link", "logit")
    for modality in (name for name in MODALITIES if name in k_star):
        found = queries_levels.judgement(
            (*key, modality),
            known,
            of_phi[[f"{modality}_{k}" for k in (1, 2, 3)]].to_numpy(float),
            weights[weights["path"] == path],
            k_star,
            modality,
            link,
        )
        st.markdown(f"**{verdict(found, modality)}**")
        left, right = st.columns([4, 7], gap="medium", vertical_alignment="center")
        left.plotly_chart(
            rank_lines(found.ranks(), WAYS),
            key=f"chart-ranks-{modality}",
            alt=f"Ranks of the {MODALITIES[modality]} levels by each way of judging; the same stand in the table",
            **PLAIN,
        )
        right.html(plain_table(judged_table(found)))
        right.caption(agreement_in_words(found))
    whom = "with both modalities" if path == "both" else "with a health record"
    st.caption(
        f"All on the same n = {len(known):,} stays {whom}, {int(known['label'].sum()):,} long. Mean |φ|: log-odds of "
        "G. Weight: of the standardised level in G, with its 90 % bootstrap interval from the fit. AUROC lost: of G "
        "when the level is held at its mean and the other weights stay as they are, not of a stack fitted again; in "
        "the last row the same for the whole model, whose Module 2 goes on reading the level's tokens. Other intervals "
        "are 95 %, by patient, not adjusted for their number. Leads are of the first over the second."
    )
