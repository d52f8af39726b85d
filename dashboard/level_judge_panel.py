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
from dashboard.session import stamp
from lemof_core.evaluation.level_removal import best_levels

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


# Whose levels are compared: every number of a comparison is of one path, whose stack is its own.
WHOM = {"both": "with both modalities", "ehr": "without an ECG"}


def shown_path(frame: pd.DataFrame, weights: pd.DataFrame) -> str:
    """The path that the levels are compared on: both modalities, or the record alone where nobody shown has both."""
    fitted = set(weights["path"])
    return "both" if "both" in fitted and ((frame["path"] == "both").any() or "ehr" not in fitted) else "ehr"


def draw_judges(run: dict[str, Any], frame: pd.DataFrame, phi: pd.DataFrame, fitted: dict[str, pd.DataFrame]) -> None:
    """Draw, per modality, the ranks that four ways give the levels, with their values and a verdict in words.

    Args:
        frame: the predictions of a population; phi: their selection_phi (N, 6) in log-odds, in the same order.
    """
    st.subheader("Do other ways of judging a level agree?")
    weights, choices = fitted["stage_weights"], fitted["level_choices"]
    path = shown_path(frame, weights)
    here = (frame["path"] == path).to_numpy() & phi["ehr_1"].notna().to_numpy()
    k_star = _k_star(path, weights, choices)
    if not here.any() or not k_star:
        st.info("No stay shown here has level scores of a stack that can be judged, so nothing stands side by side.")
        return
    known, of_phi = frame[here].reset_index(drop=True), phi[here]
    key = (*stamp(), run["run_id"], queries_levels.who(known))
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
    module_2 = ", whose Module 2 goes on reading the level's tokens" if path == "both" else ""
    st.caption(
        f"All on the same n = {len(known):,} stays {WHOM[path]}, {int(known['label'].sum()):,} long. Mean |φ|: in "
        "log-odds of G. Weight: of the standardised level in G, with its 90 % bootstrap interval from the fit. AUROC "
        "lost: of G when the level is held at its mean and the other weights stay as they are, not of a stack fitted "
        f"again; in the last row the same for the whole model{module_2}. Other intervals are 95 %, by patient, not "
        "adjusted for their number. Leads are of the first over the second."
    )


def _k_star(path: str, weights: pd.DataFrame, choices: pd.DataFrame) -> dict[str, int]:
    """Modality -> k* of the path's stack; empty where it is not known."""
    # The stored choices are of the path with both modalities, if there is one.
    if path == "both" or "both" not in set(weights["path"]):
        chosen = choices[choices["is_k_star"].astype(bool)]
        return {str(one.modality): int(one.level) for one in chosen.itertuples()}
    return best_levels(weights[weights["path"] == path])
