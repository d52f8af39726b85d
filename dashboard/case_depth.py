"""A case in, one table of depth out: levels, raw values or diagnoses. Each is computed only when it is opened."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.plain_table import plain_table
from dashboard.queries_case import Case
from dashboard.wording import probability, signed

_MODALITY = {"ecg": "ECG", "ehr": "Health record"}
_LEVEL = {1: "1 low", 2: "2 mid", 3: "3 high"}


def levels_panel(case: Case, levels: pd.DataFrame) -> None:
    """Draw what each level predicted on its own, and its importance inside G_m."""
    if levels.empty:
        panel_title(case, "levels", "No level predictions")
        st.info("No level predictions: this stay was not scored by this run.")
        return
    p = 1 / (1 + np.exp(-levels["logit"].to_numpy(float)))
    spread = f"from {probability(p.min())} to {probability(p.max())}"
    panel_title(case, "levels", f"Level predictions lie {spread}", "each level's own head, before they are combined")
    frequency = levels["frequency"]
    shown = pd.DataFrame(
        {
            "Modality": levels["modality"].map(lambda name: _MODALITY.get(name, name)),
            "Level": levels["level"].map(lambda level: _LEVEL.get(int(level), str(level))),
            "p of the level": [probability(float(value)) for value in p],
            "phi, log-odds": levels["phi_logit"].map(signed),
            "phi, probability": levels["phi_prob"].map(signed),
            "Chosen as k*": ["–" if pd.isna(share) else f"{share:.0%}" for share in frequency],
            "AUROC of the level": levels["auroc"].map(probability),
            "Role": [
                ", ".join(["k*"] * (chosen is True) + ["cross"] * (crossed is True))
                for chosen, crossed in zip(levels["is_k_star"], levels["is_cross_level"], strict=True)
            ],
        }
    )
    st.html(plain_table(shown, words=("Level", "Role")))
    st.html(
        '<div class="case-footnote">phi is selection_phi: importance inside G_m, not the contribution of the ECG or of '
        "the health record. k* is the level with the largest mean |phi| (frequency over bootstrap refits); cross marks "
        "the level whose tokens the cross-attention reads. AUROC on the rows that G was fitted on.</div>"
    )


def raw_panel(case: Case, values: pd.DataFrame, variables: pd.DataFrame) -> None:
    """Draw every charted value, and whether the model saw it."""
    n_seen = int((values["unseen"] == "").sum())
    panel_title(case, "raw", f"{n_seen} of {len(values)} values were seen by the model")
    shown = pd.DataFrame(
        {
            "Variable": values["variable"].map(variables["label"]),
            "Hour": values["hour"].round(2),
            "Time": values["clock"],
            "Value": values["value"],
            "Unit": values["variable"].map(variables["unit"]),
            "Flag": values["flag"],
            "Seen by the model": values["unseen"].where(values["unseen"] != "", "yes").map(lambda why: _seen(str(why))),
        }
    )
    st.dataframe(shown, hide_index=True, width="stretch", height=420, key="case-raw")


def _seen(why: str) -> str:
    return why if why == "yes" else f"no: {why}"


def diagnoses_panel(case: Case, diagnoses: pd.DataFrame) -> None:
    """Draw the codes given at discharge, marked as unknown when the prediction was made, and deaths."""
    groups = sorted(set(diagnoses["disease_group"].dropna()))
    title = f"Coded at discharge: {', '.join(groups) or 'none of the ten disease groups'}"
    panel_title(case, "diagnoses", title, "retrospective, unknown at t0; no model reads them")
    st.html(f'<div class="case-sentence">{html.escape(death_words(case.facts))}</div>')
    if diagnoses.empty:
        st.info("No diagnosis of this admission is in the store.")
        return
    shown = pd.DataFrame(
        {
            "Rank": diagnoses["seq_num"],
            "Version": diagnoses["icd_version"].map(lambda version: f"ICD-{version}"),
            "Code": diagnoses["icd_code"],
            "Disease group": diagnoses["disease_group"].fillna(""),
        }
    )
    st.html(plain_table(shown, words=("Version", "Code", "Disease group")))


def death_words(facts: dict[str, Any]) -> str:
    """Return what is known of the patient's death, all of it retrospective."""
    if facts["died_in_icu"] and facts["death_offset_s"] is not None:
        return f"Died in the ICU {facts['death_offset_s'] / 3600:.0f} h after ICU admission."
    if facts["deathtime"] is not None:
        hours = (facts["deathtime"] - facts["intime"]).total_seconds() / 3600
        return f"Died in hospital {hours:.0f} h after ICU admission."
    if facts["dod"] is not None:
        days = (facts["dod"] - facts["intime"].date()).days
        return f"Died {days} days after ICU admission, outside this hospital stay."
    return "No death is recorded up to a year after discharge."
