"""Weights of a stack and level predictions in; signs, variance inflation and what they mean, in words, out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboard.level_tables import MODALITIES, input_label, interval_3, number_3
from dashboard.wording import signed
from lemof_core.evaluation.collinearity import HIGH_CONDITION, HIGH_INFLATION, condition_number, variance_inflation

LEVELS = (1, 2, 3)


def sign_of(weight: float, low: float, high: float) -> str:
    """The sign of a weight, and whether its interval is sure of it; 0 is what a bound at zero leaves."""
    if weight == 0:
        return "held at 0" if low >= 0 or np.isnan(low) else "0"
    word = "negative" if weight < 0 else "positive"
    unsure = not np.isnan(low) and low <= 0 <= high
    return f"{word}, interval reaches 0" if unsure else word


def sign_finding(weights: pd.DataFrame, decision: dict[str, Any]) -> str:
    """Which inputs of the shown stages have a negative weight, in a sentence.

    Args:
        weights: stage, input, weight of the rows that are shown, without intercepts; decision: of the run's config.
    """
    negative = weights[weights["weight"] < 0]
    n = len(weights)
    if negative.empty:
        zero = int((weights["weight"] == 0).sum())
        bound = ": the fit allows none" if decision.get("nonnegative") else ""
        at = f", {zero} at 0" if zero else ""
        return f"No weight of {n} is negative{bound}{at}"
    names = ", ".join(f"{input_label(one.input)} in {one.stage}" for one in negative.itertuples())
    return f"{len(negative)} of {n} weights negative: {names}"


def inflation_table(levels: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """One row per level: variance inflation, weight in G_m with its 90 % interval, sign.

    Args:
        levels: columns ecg_1..3 and ehr_1..3 (those that there are), log-odds, no NaN; weights: of the same path.
    """
    rows = []
    for modality, name in MODALITIES.items():
        columns = [f"{modality}_{k}" for k in LEVELS]
        own = weights[weights["stage"] == f"G_{modality}"].set_index("input").reindex(columns)
        if own["weight"].isna().any():
            continue
        inflation = variance_inflation(levels[columns].to_numpy(float))
        for k, factor, one in zip(LEVELS, inflation, own.itertuples(), strict=True):
            rows.append(
                {
                    "Level": f"{name} {k}",
                    "Variance inflation": _factor(float(factor)),
                    "Weight in G": f"{number_3(one.weight)} {interval_3(one.lo, one.hi)}".strip(),
                    "Sign": sign_of(one.weight, one.lo, one.hi),
                }
            )
    return pd.DataFrame(rows)


def collinearity(levels: pd.DataFrame, modality: str) -> str:
    """How alike the three levels of a modality are, in a sentence.

    Args:
        levels: columns <modality>_1..3, log-odds.
    """
    x = levels[[f"{modality}_{k}" for k in LEVELS]]
    matrix = x.corr().to_numpy()
    pairs = [matrix[i, j] for i, j in ((0, 1), (0, 2), (1, 2)) if matrix[i, j] == matrix[i, j]]
    if not pairs:
        return f"{MODALITIES[modality]} levels: correlation not estimable, n = {len(levels)}"
    found = f"{MODALITIES[modality]} levels correlate {signed(min(pairs))} to {signed(max(pairs))}"
    inflation = variance_inflation(x.to_numpy(float))
    if np.isnan(inflation).any():
        return found
    up_to = "" if np.isinf(inflation.max()) else "up to "
    return f"{found}, variance inflation {up_to}{_factor(inflation.max())}"


def conditions(levels: pd.DataFrame, modalities: list[str]) -> str:
    """The condition numbers of the levels of each modality, and the usual marks."""
    told = [
        f"{MODALITIES[m]} {_factor(condition_number(levels[[f'{m}_{k}' for k in LEVELS]].to_numpy(float)))}"
        for m in modalities
    ]
    return (
        f"Condition number of the three standardised levels: {', '.join(told)}. By the usual marks, a variance "
        f"inflation above {HIGH_INFLATION:.0f} or a condition number above {HIGH_CONDITION:.0f} leaves a weight, and "
        "its sign, to chance unless something holds it."
    )


def _factor(value: float) -> str:
    if np.isnan(value):
        return "not estimable"
    return "infinite" if np.isinf(value) else f"{value:.1f}"
