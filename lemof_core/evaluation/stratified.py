"""Predictions with who the patients are in, every metric of every group out: the rows that `lemof evaluate` stores.

Pages ask for the same rows where nothing is stored, as for a saved cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from lemof_core.evaluation.metrics import N_DRAWS, Estimate, estimates
from lemof_core.evaluation.strata import strata

INNER_METRICS = ("auroc", "auprc")  # of inner predictions: they are not calibrated on their own
FORECAST_METRICS = (*INNER_METRICS, "brier")
CLASS_METRICS = (*FORECAST_METRICS, "acc_50", "f1_macro_50")


def stratified(
    predicted: pd.DataFrame,
    thresholds: np.ndarray,
    n_by_split: Mapping[str, Mapping[str, int]],
    *,
    n_draws: int = N_DRAWS,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Return the metrics of everybody, by stratum, of what looks at no patient, and of the inner predictions.

    Args:
        predicted: the columns of `read_analysis.analysed`; thresholds: (N,) the tuned cut of each sample's own path,
            NaN where none was tuned; n_by_split: of the run: split -> n and events.
    Returns: rows of table metric, less run_id and split.
    """
    groups = list(strata(predicted))
    rows: list[dict[str, Any]] = []
    for number, (kind, name, chosen) in enumerate(groups):
        # Leaving deaths out matters for the whole and for diseases; elsewhere it would only double the table.
        for deaths in ("with", "without") if kind in ("all", "disease") else ("with",):
            keep = chosen if deaths == "with" else chosen & ~predicted["died_before_cut"].to_numpy(bool)
            some = predicted[keep]
            found = estimates(*columns(some), thresholds=thresholds[keep], n_draws=n_draws)
            rows += [metric_row("final", kind, name[:60], deaths, one) for one in found]
            if kind in ("all", "disease"):
                rows += _constant_rows(some, n_by_split, kind, name, deaths, n_draws)
        if progress is not None:
            progress("strata", number + 1, len(groups))
    return rows + _inner_rows(predicted, n_draws)


def columns(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return label, p and subject_id (N,) of a frame of predictions."""
    return frame["label"].to_numpy(float), frame["p"].to_numpy(float), frame["subject_id"].to_numpy()


def metric_row(source: str, kind: str, stratum: str, deaths: str, one: Estimate) -> dict[str, Any]:
    """Return an estimate as a row of table metric, less run_id and split."""
    return {"source": source, "stratum_kind": kind, "stratum": stratum, "deaths": deaths, **asdict(one)}


def _constant_rows(
    some: pd.DataFrame,
    n_by_split: Mapping[str, Mapping[str, int]],
    kind: str,
    stratum: str,
    deaths: str,
    n_draws: int,
) -> list[dict[str, Any]]:
    """Return what forecasts score that look at no patient: the floors that every accuracy and Brier score must beat.

    `majority` says for sure the class that was the commoner one in the parts the run was fitted with; `base_rate` gives
    everybody the share of label 1 in them.
    """
    fitted = [counts for part, counts in n_by_split.items() if part != "test"]
    n, events = (sum(int(counts[key]) for counts in fitted) for key in ("n", "events"))
    if n == 0:
        return []
    y, _, subjects = columns(some)
    forecasts = {
        "majority": (float(2 * events > n), CLASS_METRICS),
        "base_rate": (events / n, FORECAST_METRICS),
    }
    rows = []
    for source, (forecast, names) in forecasts.items():
        found = estimates(y, np.full(len(y), forecast), subjects, thresholds=np.full(len(y), np.nan), n_draws=n_draws)
        rows += [metric_row(source, kind, stratum, deaths, one) for one in found if one.name in names]
    return rows


def _inner_rows(predicted: pd.DataFrame, n_draws: int) -> list[dict[str, Any]]:
    """Return AUROC and AUPRC of the inner predictions on samples with both modalities: what each part adds."""
    both = predicted[predicted["path"] == "both"]
    if both.empty:
        return []
    y, p, subjects = columns(both)
    levels = [f"{modality}_{k}" for modality in ("ecg", "ehr") for k in (1, 2, 3)]
    scores = {port: both[port].to_numpy(float) for port in [*levels, "cross"]}
    scores["late_mean"] = 0.5 * (scores["ecg_3"] + scores["ehr_3"])
    scores["all_levels_mean"] = np.mean([scores[level] for level in levels], axis=0)
    # A rival's decision reads some ports only, and the store holds no others.
    scores = {source: score for source, score in scores.items() if np.isfinite(score).all()} | {"final_paired": p}
    rows = []
    for source, score in scores.items():
        probability = score if source == "final_paired" else expit(score)
        found = estimates(y, probability, subjects, thresholds=np.full(len(y), np.nan), n_draws=n_draws)
        rows += [metric_row(source, "all", "all", "with", one) for one in found if one.name in INNER_METRICS]
    return rows
