"""Alarms and thresholds in, net benefit beside acting on all and on none out, with the interval of the difference."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lemof_core.evaluation.cuts import CUTS, CutCounts

INNER = slice(1, 100)  # at 0 everybody has an alarm for nothing, at 1 a false one costs without bound


def net_benefit(y: np.ndarray, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Net benefit (T,) of acting on p >= t: TP/n - FP/n * t / (1 - t) (Vickers and Elkin 2006)."""
    alarm = p[None, :] >= thresholds[:, None]
    hits = (alarm & (y == 1)).mean(1)
    false = (alarm & (y == 0)).mean(1)
    return np.asarray(hits - false * thresholds / (1 - thresholds))


def net_benefit_of(y: np.ndarray, alarm: np.ndarray, thresholds: np.ndarray) -> float:
    """Net benefit of acting on these alarms; a false one weighs the odds of its stay's own threshold (N,), below 1."""
    return float(np.mean(alarm * np.where(y == 1, 1.0, -thresholds / (1 - thresholds))))


def decision_curve(here: CutCounts, drawn: CutCounts) -> pd.DataFrame:
    """Net benefit at the cuts .01 to .99, one threshold for all stays, beside the better of acting on all or on none.

    Args:
        here: of the patients; drawn: (D, 101), of patients drawn with replacement.
    Returns: cut, model, everybody, gain (model less the better of everybody and 0), lo and hi (95 %, of the gain: both
        are taken on the same draws, because the better policy is as uncertain as the model).
    """
    model, everybody = _curves(here)
    gains = np.subtract(*_with_the_better(*_curves(drawn)))
    low, high = np.nanquantile(gains, [0.025, 0.975], axis=0)
    gain = np.subtract(*_with_the_better(model, everybody))
    columns = {"cut": CUTS[INNER], "model": model, "everybody": everybody, "gain": gain, "lo": low, "hi": high}
    return pd.DataFrame(columns)


def sure_range(curve: pd.DataFrame) -> tuple[float, float] | None:
    """The longest unbroken range of thresholds where the gain's whole interval is above 0; None where there is none.

    Args:
        curve: of `decision_curve`.
    """
    sure = curve["lo"].to_numpy() > 0
    if not sure.any():
        return None
    run = np.cumsum(np.r_[True, np.diff(sure.astype(int)) != 0])
    longest = np.argmax(np.bincount(run[sure]))
    cuts = curve["cut"].to_numpy()[(run == longest) & sure]
    return float(cuts[0]), float(cuts[-1])


def _curves(counts: CutCounts) -> tuple[np.ndarray, np.ndarray]:
    """Return the net benefit (..., 99) of the alarms and of acting on everybody."""
    odds = (CUTS / np.where(CUTS < 1, 1 - CUTS, np.nan))[INNER]
    with np.errstate(invalid="ignore", divide="ignore"):
        model = (counts.hits[..., INNER] - counts.false[..., INNER] * odds) / counts.n
        return model, (counts.long - counts.other * odds) / counts.n


def _with_the_better(model: np.ndarray, everybody: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return model, np.maximum(everybody, 0.0)
