"""A case in, one table of depth out: levels, raw values or diagnoses. Each is computed only when it is opened."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
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
    rows = []
    records: list[dict[Any, Any]] = levels.to_dict("records")
    for own, value in zip(records, p, strict=True):
        marks = ["k*"] * (own["is_k_star"] is True) + ["cross"] * (own["is_cross_level"] is True)
        rows.append(
            [
                _MODALITY.get(own["modality"], own["modality"]),
                _LEVEL.get(int(own["level"]), str(own["level"])),
                probability(float(value)),
                signed(own["phi_logit"]),
                signed(own["phi_prob"]),
                "–" if pd.isna(own["frequency"]) else f"{own['frequency']:.0%}",
                probability(own["auroc"]),
                ", ".join(marks),
            ]
        )
    heads = ["Modality", "Level", "p of the level", "phi, log-odds", "phi, probability", "Chosen as k*",
             "AUROC of the level", "Role"]  # fmt: skip
    st.html(table(heads, rows, left=(0, 1, 7)))
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
    records: list[dict[Any, Any]] = diagnoses.to_dict("records")
    rows = [
        [str(row["seq_num"]), f"ICD-{row['icd_version']}", row["icd_code"], row["disease_group"] or ""]
        for row in records
    ]
    st.html(table(["Rank", "Version", "Code", "Disease group"], rows, left=(1, 2, 3)))


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


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = ()) -> str:
    """Return a table with right-aligned numbers; `left` are the columns of words. All text is escaped here."""

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="words"' if column in left else ""
        return f"<{tag}{kind}>{html.escape(str(text))}</{tag}>"

    head = "".join(cell("th", column, text) for column, text in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(cell("td", column, text) for column, text in enumerate(row)) + "</tr>" for row in rows
    )
    markup = f'<table class="case-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="case-scroll">{markup}</div>'
