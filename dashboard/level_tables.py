"""What a run was fitted to in; the rows of the level tables and of the weight plots out, and findings in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from dashboard.charts.beeswarm import LEVEL_NAMES
from dashboard.wording import estimate, probability

MODALITIES = {"ecg": "ECG", "ehr": "EHR"}
SCALES = {"phi_logit": "log-odds", "phi_prob": "probability"}
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


def runner_up(of_modality: pd.DataFrame) -> tuple[int, float] | None:
    """The level that is k* most often after k* itself, or more often, with its frequency; None where none is known.

    Args:
        of_modality: level, frequency, is_k_star; a level that no refit chose is none's rival.
    """
    others = of_modality[~of_modality["is_k_star"].astype(bool) & (of_modality["frequency"] > 0)]
    if others.empty:
        return None
    rival = others.loc[others.sort_values("level")["frequency"].idxmax()]
    return int(rival["level"]), float(rival["frequency"])


def finding(choices: pd.DataFrame, modality: str) -> str:
    """Which level is k*, how often, and which is next, in a sentence; never the choice without its frequency."""
    own = choices[choices["modality"] == modality]
    chosen = own[own["is_k_star"].astype(bool)]
    name = MODALITIES[modality]
    if chosen.empty:
        return f"{name}: no level was chosen"
    row = chosen.iloc[0]
    if pd.isna(row["frequency"]):
        return f"{name}: level {row['level']} weighs most; how often is not known"
    share = float(row["frequency"])
    found = f"{name}: level {row['level']} is k* in {100 * share:.0f} % of the refits"
    rival = runner_up(own)
    if rival is None:
        return f"{found}, no other level in any"
    if rival[1] > share:
        return f"{found}, less often than level {rival[0]} ({100 * rival[1]:.0f} %)"
    sure = "clearly ahead of" if share >= 0.8 else "ahead of" if share >= 0.5 else "far from settled against"
    return f"{found}, {sure} level {rival[0]} ({100 * rival[1]:.0f} %)"


def importance_lead(choices: pd.DataFrame, modality: str) -> str:
    """How much larger the mean |phi| of k* is than the next one's, over the rows G was fitted on, in a sentence."""
    own = choices[(choices["modality"] == modality) & (choices["level"] > 0)].dropna(subset=["mean_abs_phi"])
    if len(own) < 2:
        return ""
    first, second = own.sort_values("mean_abs_phi", ascending=False, kind="stable").head(2).itertuples()
    if first.mean_abs_phi == 0:
        return "Mean |φ| is 0 for every level: G gives them no weight."
    share = 100 * second.mean_abs_phi / first.mean_abs_phi
    return f"Level {second.level} has {share:.{0 if share < 99 else 1}f} % of the mean |φ| of level {first.level}."


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


def input_label(name: str) -> str:
    """The input of a stage in words: ecg_2 is ECG level 2."""
    modality, _, level = name.partition("_")
    if modality in MODALITIES and level.isdigit():
        return f"{MODALITIES[modality]} {LEVEL_NAMES[int(level)].lower()}"
    return INPUTS.get(name, name)


def number_3(value: float, *, sign: bool = False) -> str:
    """Return 0.166 or −0.012: what levels differ by is lost in two digits."""
    # Adding 0 makes a zero of the minus zero that rounding leaves.
    return f"{round(value, 3) + 0.0:{'+' if sign else ''}.3f}".replace("-", "−")


def interval_3(low: float, high: float) -> str:
    """Return [0.160–0.172], or [−0.012 to 0.004]; nothing without an interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    between = " to " if round(low, 3) < 0 else "–"
    return f"[{number_3(low)}{between}{number_3(high)}]"


def _auroc(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "not evaluated"
    value, low, high = rows[["value", "lo", "hi"]].iloc[0].astype(float)
    return f"{estimate(value, low, high)} n = {rows['n'].iloc[0]:,}"
