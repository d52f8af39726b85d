"""A run and what the store knows of it in; the parts of the model card that hold numbers drawn."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.branches_panel import beside_held_out
from dashboard.charts.attrition import attrition_flow
from dashboard.level_tables import chosen_by
from dashboard.model_card import differences
from dashboard.model_card_tables import calibration_table, split_counts
from dashboard.plain_table import plain_table
from dashboard.split_use import pair_draws
from dashboard.strata import COLUMNS
from dashboard.wording import estimate, literal, recipe, signed


def draw_data(run: dict[str, Any] | None, datasets: pd.DataFrame) -> None:
    """Which data the store holds, and how many patients of which split the run was fitted with."""
    for row in datasets.to_dict("records"):
        flags = (("synthetic patients", "synthetic"), ("surrogate ECGs", "surrogate_ecg"))
        kinds = [words for words, name in flags if row[name]]
        st.markdown(
            f"This store: **{literal(row['name'])}**, {' and '.join(kinds) or 'patients and ECGs as recorded'}."
        )
    if run is None:
        return
    if run["shipped"]:
        st.markdown("The run came with the project. No patient of this store was used to fit it: all of them are test.")
    st.html(plain_table(split_counts(run["n_by_split"], run["fitting"]), words=["Used for"]))


def draw_cohort(attrition: pd.DataFrame, inside: int, outside: int, died: int) -> None:
    """Who is in the cohort, and who was left out by which rule."""
    st.markdown(f"**{inside:,} of {inside + outside:,} stays of this store**, {died:,} of them died before the cut.")
    st.html(attrition_flow(attrition))


def draw_model(run: dict[str, Any], choices: pd.DataFrame) -> None:
    """Encoders, preset, fitting, the levels that were chosen and how the training went."""
    facts = {
        "ECG encoder": run["ecg_encoder"],
        "EHR encoder": run["ehr_encoder"],
        "Fusion": f"{run['fusion']}, preset {run['preset'] or '–'}",
        "Set by hand": set_by_hand(run),
        "Fitting": f"{run['fitting']}, seed {run['seed']}",
        "k* (importance)": chosen_levels(choices, "is_k_star", "frequency", "refits"),
        "Levels read by Module 2": levels_of_module_2(run, choices),
        "Joint network learns from": taught_by(run),
        "Seconds to fit": f"{run['fit_report'].get('seconds', '–')}",
    }
    _facts(facts)
    kept = run["fit_report"].get("epochs_kept")
    with st.expander("Training report"):
        if kept:
            st.markdown("Epochs kept after early stopping:")
            st.html(plain_table(pd.DataFrame({"Network": list(kept), "Epochs": list(kept.values())})))
        gains = run["fit_report"].get("pair_gains")
        if gains:
            frequency = run["fit_report"].get("pair_frequency", {})
            st.markdown(
                "Pairs of levels tried for Module 2 (ECG/EHR; 0 is its own EHR tokens), compared by their "
                f"cross-validated gain over Module 1. Best in: share of {pair_draws(run['fitting'])}."
            )
            st.html(plain_table(pair_table(gains, frequency)))
        if not kept and not gains:
            st.markdown("The run stored no training report.")


def pair_table(gains: dict[str, float], frequency: dict[str, float]) -> pd.DataFrame:
    """One row per pair of levels, the best first: what Module 2 gains over Module 1 with it, how often it is best."""
    best_first = sorted(gains, key=lambda pair: -gains[pair])
    rows = [(pair, signed(gains[pair]), f"{100 * frequency.get(pair, 0):.0f} %") for pair in best_first]
    return pd.DataFrame(rows, columns=["Pair", "Gain over M1, log-likelihood", "Best in"])


def levels_of_module_2(run: dict[str, Any], choices: pd.DataFrame) -> str:
    """The levels that Module 2 reads: found by trying, with how often they are best, or by rule."""
    return chosen_by(run) or chosen_levels(choices, "is_cross_level", "cross_frequency", "draws")


def set_by_hand(run: dict[str, Any]) -> str:
    """What was set on top of the preset, as it was written."""
    return ", ".join(f"{name}={value}" for name, value in run["config"].get("settings", {}).items()) or "nothing"


def taught_by(run: dict[str, Any]) -> str:
    """Whether what reads both modalities learnt the labels or a teacher's probabilities; a dash without any such."""
    if not any(name.endswith(("module 2", str(run["fusion"]))) for name in run["fit_report"].get("epochs_kept", {})):
        return "–"
    if run["config"].get("teacher") != "trees":
        return "the labels"
    mixed = ", on records and ECGs of different patients put together" if run["config"].get("exchange", True) else ""
    return f"boosted trees that read measured ECG quantities{mixed}"


def chosen_levels(choices: pd.DataFrame, flag: str, frequency: str, of: str) -> str:
    """The chosen level of each modality with how often it is chosen, in words; a dash where nothing was chosen.

    Args:
        of: what the frequency is a share of: refits (of the stack), or draws (of patients, nothing fitted anew).
    """
    found = []
    for row in choices[choices[flag]].to_dict("records"):
        often = "unknown share" if pd.isna(row[frequency]) else f"{100 * row[frequency]:.0f} %"
        found.append(f"{str(row['modality']).upper()} {row['level'] or 'own tokens'} ({often} of {of})")
    return ", ".join(found) or "–"


def draw_performance(found: pd.DataFrame, own: pd.DataFrame) -> None:
    """The overall metrics of the test split, beside those that a shipped run brought with it."""
    if found.empty and own.empty:
        st.info("Performance: not evaluated. Run `lemof score`, then `lemof evaluate`.")
        return
    table = beside_held_out(found, own)
    st.html(plain_table(table if not own.empty else table[table.columns[:2]]))
    overall = found[(found["stratum_kind"] == "all") & (found["source"] == "final") & (found["deaths"] == "without")]
    said = [
        f"{COLUMNS[str(row['name'])]} {estimate(row['value'], row['lo'], row['hi'])} (n = {row['n']:,})"
        for row in overall.to_dict("records")
        if row["name"] in ("auroc", "brier")
    ]
    if said:
        st.markdown(f"Without deaths before the cut: {', '.join(said)}.")


def draw_calibration(calibrations: pd.DataFrame) -> None:
    """One row per path: what the calibrator was fitted on, its two numbers, the threshold and the bases."""
    st.html(plain_table(calibration_table(calibrations)))


def draw_not_estimable(run: dict[str, Any], found: pd.DataFrame) -> None:
    """What the run could not fit, and how many metrics have no number."""
    for what, why in run["not_estimable"].items():
        st.markdown(f"- {literal(what)}: {literal(why)}")
    gaps = int(found["value"].isna().sum()) if len(found) else 0
    if gaps:
        st.markdown(
            f"- {gaps:,} of {len(found):,} metrics of the test split: fewer than 5 stays of a class, or no threshold."
        )
    if not run["not_estimable"] and not gaps:
        st.markdown("Everything that the run was asked for could be estimated.")


def draw_differences() -> None:
    """The marked differences from the paper, read from the source of the model."""
    table = differences()
    st.markdown(
        f"{len(table)} places differ from the paper and are marked in the source. An unmarked difference is a bug."
    )
    table = table[["paper", "here", "because", "where"]].rename(columns=str.capitalize)
    st.html(plain_table(table, words=list(table.columns)))


def draw_provenance(run: dict[str, Any], runs: pd.DataFrame) -> None:
    """Who made this run of what, its configuration to keep, and the other runs of the store."""
    facts = {
        "Run": run["run_id"],
        "Fitted": f"{run['created_at']:%Y-%m-%d %H:%M} UTC",
        "Code version": run["code_version"],
        "Fitted on": "synthetic patients"
        if run["synthetic"]
        else "patients" + (" with surrogate ECGs" if run["surrogate_ecg"] else ""),
        "Came with the project": "yes" if run["shipped"] else "no",
    }
    _facts(facts)
    document = json.dumps(run["config"], indent=2, sort_keys=True)
    name = f"{run['run_id']}-config.json"
    st.download_button("Download the configuration", document, name, "application/json", on_click="ignore")
    others = runs[runs["run_id"] != run["run_id"]]
    for other in others.to_dict("records"):
        label = f"Run {other['run_id']}, {recipe(other)}, {other['created_at']:%Y-%m-%d %H:%M}"
        st.page_link("dashboard/pages/model_card.py", label=label, query_params={"run": other["run_id"]})


def _facts(facts: dict[str, str]) -> None:
    table = pd.DataFrame({"what": list(facts), "value": list(facts.values())})
    st.html(plain_table(table, words=["value"], head=False))
