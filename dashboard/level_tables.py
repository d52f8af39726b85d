"""What a run was fitted to in; the rows of the level tables and of the weight plots out, and findings in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.charts.beeswarm import LEVEL_NAMES
from dashboard.wording import estimate, probability, signed

MODALITIES = {"ecg": "ECG", "ehr": "EHR"}
OWN_TOKENS = "M2's own tokens"
INPUTS = {
    "meta_ecg": "y_meta, ECG",
    "best_ecg": "y_best, ECG",
    "meta_ehr": "y_meta, EHR",
    "best_ehr": "y_best, EHR",
    "O1": "Module 1 (levels stacked)",
    "O2": "Module 2 (cross-attention)",
}
STAGES = {
    "G_ecg": "G_ecg reads the three ECG levels",
    "G_ehr": "G_ehr reads the three EHR levels",
    "G_O1": "G_O1 joins both modalities (Module 1)",
    "G_final": "G_final joins Module 1 and Module 2",
}


# How Module 2 came to its levels, where no pairs were tried.
CHOSEN_BY = {
    "k_star": "those of k*, as in the paper",
    "fixed": "levels 3 and 3, as was set",
    "random": "drawn by lot, as was set",
}


def chosen_by(run: dict[str, Any]) -> str | None:
    """How Module 2 came to its levels, in words; None where pairs were tried, as runs did before there was a choice."""
    return CHOSEN_BY.get(run["config"].get("level_choice", "cv_gain"))


def finding(choices: pd.DataFrame, modality: str) -> str:
    """Which level is k* and how often, in a sentence; never the choice without its frequency."""
    chosen = choices[(choices["modality"] == modality) & choices["is_k_star"]]
    name = MODALITIES[modality]
    if chosen.empty:
        return f"{name}: no level was chosen"
    row = chosen.iloc[0]
    if pd.isna(row["frequency"]):
        return f"{name}: level {row['level']} weighs most; how often is not known"
    sure = "clearly" if row["frequency"] >= 0.8 else "narrowly" if row["frequency"] >= 0.5 else "far from settled"
    others = choices[(choices["modality"] == modality) & (choices["frequency"] > row["frequency"])]
    if len(others):
        rival = others.loc[others["frequency"].idxmax()]
        sure = f"less often than level {rival['level']} ({100 * rival['frequency']:.0f} %)"
    return f"{name}: level {row['level']} is k* in {100 * row['frequency']:.0f} % of the refits, {sure}"


def level_table(
    choices: pd.DataFrame, metrics: pd.DataFrame, modality: str, *, pairs_tried: bool = True
) -> pd.DataFrame:
    """One row per level, the high one on top: what was chosen, how often (per cent), AUROC on test and at fitting.

    Args:
        choices: `level_choices` of a run; metrics: those of the test split, may be empty.
        pairs_tried: whether Module 2's levels were found by trying; by rule they have no frequency to show.
    """
    some = choices[choices["modality"] == modality].sort_values("level", ascending=False)
    rows = []
    levels: list[Any] = some.to_dict("records")
    for row in levels:
        name = f"{modality}_{row['level']}"
        of_test = metrics[(metrics["source"] == name) & (metrics["name"] == "auroc")]
        chosen = [word for word, column in (("k*", "is_k_star"), ("M2", "is_cross_level")) if row[column]]
        rows.append(
            {
                "Level": LEVEL_NAMES.get(int(row["level"]), OWN_TOKENS),
                "Chosen": ", ".join(chosen),
                "k* in": 100 * row["frequency"],
                "M2 in": None if pd.isna(row["cross_frequency"]) else 100 * row["cross_frequency"],
                "AUROC, test": _auroc(of_test) if row["level"] else "–",
                "Mean |φ|": "–" if pd.isna(row["mean_abs_phi"]) else f"{row['mean_abs_phi']:.3f}",
                "AUROC, fitting": probability(row["auroc"]),
            }
        )
    table = pd.DataFrame(rows)
    return table if pairs_tried else table.drop(columns="M2 in", errors="ignore")


def weight_rows(weights: pd.DataFrame, stage: str, path: str) -> pd.DataFrame:
    """What `charts.forest` takes: the weights of one stage with their bootstrap intervals, without the intercept."""
    some = weights[(weights["stage"] == stage) & (weights["path"] == path) & (weights["input"] != "intercept")]
    order = {
        name: number for number, name in enumerate([*(f"{m}_{k}" for m in MODALITIES for k in (1, 2, 3)), *INPUTS])
    }
    some = some.sort_values("input", key=lambda names: names.map(order).fillna(len(order)))
    numbers = some[["weight", "lo", "hi"]].rename(columns={"weight": "value"}).reset_index(drop=True)
    texts = [estimate(*three) for three in numbers.to_numpy(float).tolist()]
    labels = [input_label(name) for name in some["input"]]
    return numbers.assign(label=labels, text=texts)


def collinearity(levels: pd.DataFrame, modality: str) -> str:
    """How alike the three levels of a modality are, in a sentence.

    Args:
        levels: columns <modality>_1..3, log-odds.
    """
    matrix = levels[[f"{modality}_{k}" for k in (1, 2, 3)]].corr().to_numpy()
    pairs = [matrix[i, j] for i, j in ((0, 1), (0, 2), (1, 2)) if matrix[i, j] == matrix[i, j]]
    if not pairs:
        return f"{MODALITIES[modality]} levels: correlation not estimable, n = {len(levels)}"
    return f"{MODALITIES[modality]} levels correlate {signed(min(pairs))} to {signed(max(pairs))}"


def input_label(name: str) -> str:
    """The input of a stage in words: ecg_2 is ECG level 2."""
    modality, _, level = name.partition("_")
    if modality in MODALITIES and level.isdigit():
        return f"{MODALITIES[modality]} {LEVEL_NAMES[int(level)].lower()}"
    return INPUTS.get(name, name)


def _auroc(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "not evaluated"
    value, low, high = rows[["value", "lo", "hi"]].iloc[0].astype(float)
    return f"{estimate(value, low, high)} n = {rows['n'].iloc[0]:,}"
