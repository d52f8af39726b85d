"""Stored inner predictions and weights of a stack in; its log-odds out, as they are and with a level held constant.

The arithmetic of `lemof_core.decision` once more, on stored rows: that module reads torch, which no page may load.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.special import logit as to_logit


def stack_logits(
    ports: pd.DataFrame,
    weights: pd.DataFrame,
    k_star: Mapping[str, int],
    *,
    link: str = "logit",
    held: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Return the log-odds (N,) of each G_m as "ecg" and "ehr", and those of the whole model as "final".

    Leave one out: usually the stack is fitted again without the level. Here the level stays at its mean over these
    rows, wherever Module 1 reads it (G_m, and y_best where it is k*), and all weights stay as they are: that is the
    fitted model without what the level tells patients apart by; a stack fitted again would be another model, and hides
    a level that its neighbours can stand in for. Module 2 reads the tokens of a level, not its prediction, so it is
    left as it is.

    Args:
        ports: columns ecg_1..3, ehr_1..3 and cross (those that the path has), log-odds, no NaN.
        weights: stage, input, weight, mean, scale of one path, as the store has them.
        k_star: modality -> 1..3; link: what the stages read, "logit" or "prob".
        held: ports to hold constant.
    """
    read = {name: _constant(ports[name].to_numpy(float), link, hold=name in held) for name in ports}
    stages = {str(stage): rows for stage, rows in weights.groupby("stage", sort=False)}
    inner: dict[str, np.ndarray] = {}
    for modality in k_star:
        inner[f"meta_{modality}"] = _stage(stages[f"G_{modality}"], read, link)
        inner[f"best_{modality}"] = read[f"{modality}_{k_star[modality]}"]
    final = _stage(stages["G_O1"], inner, link)
    if "G_final" in stages:
        final = _stage(stages["G_final"], {"O1": final, "O2": read["cross"]}, link)
    if "Platt" in stages:
        final = _stage(stages["Platt"], {"raw": final}, "logit")
    return {modality: inner[f"meta_{modality}"] for modality in k_star} | {"final": final}


def best_levels(weights: pd.DataFrame) -> dict[str, int]:
    """Return modality -> k* of the stack of one path, where its weights tell.

    The store keeps the choice for one path only. But G_O1 standardises y_best by the mean and SD of the level that it
    is, and these G_m has too. A modality is left out where nothing is standardised (link "prob").
    """
    keyed = weights.set_index(["stage", "input"])[["mean", "scale"]]
    found = {}
    for modality in ("ecg", "ehr"):
        if ("G_O1", f"best_{modality}") not in keyed.index:
            continue
        best = keyed.loc[("G_O1", f"best_{modality}")].to_numpy(float)
        own = [keyed.loc[(f"G_{modality}", f"{modality}_{k}")].to_numpy(float) for k in (1, 2, 3)]
        same = [k for k, one in enumerate(own, 1) if np.allclose(one, best, rtol=1e-9, atol=0)]
        if len(same) == 1:
            found[modality] = same[0]
    return found


def _constant(values: np.ndarray, link: str, *, hold: bool) -> np.ndarray:
    """Return the log-odds, or where they are held the one value that a stage reads as their mean."""
    if not hold:
        return values
    mean = to_logit(expit(values).mean()) if link == "prob" else values.mean()
    return np.full(len(values), float(mean))


def _stage(rows: pd.DataFrame, inputs: Mapping[str, np.ndarray], link: str) -> np.ndarray:
    """Return the log-odds (N,) of one logistic stage."""
    own = rows[rows["input"] != "intercept"]
    x = np.column_stack([inputs[str(name)] for name in own["input"]])
    z = ((expit(x) if link == "prob" else x) - own["mean"].to_numpy(float)) / own["scale"].to_numpy(float)
    intercept = float(rows.loc[rows["input"] == "intercept", "weight"].sum())
    return np.asarray(z @ own["weight"].to_numpy(float) + intercept)
