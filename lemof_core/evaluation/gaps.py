"""Outcomes, alarms and groups of patients in, the rates of each group and the largest gap between them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import precision_score

from lemof_core.evaluation.auroc_influence import Auroc, auroc
from lemof_core.evaluation.confusion import Interval, confusion, rate
from lemof_core.evaluation.draws import drawn_counts
from lemof_core.evaluation.metrics import MANY, N_DRAWS, Z_95, bootstrap_weights, weighted_auroc
from lemof_core.evaluation.strata import UNKNOWN, shown

RATES = ("selection", "tpr", "fpr", "ppv")
AUROC_DRAWS = 400
# Bonferroni over the rates and the AUROC, looked at together: some one of them exceeds it in one of twenty looks.
BY_CHANCE = 1 - 0.05 / (len(RATES) + 1)
_METRICS = {
    "selection": selection_rate,
    "tpr": true_positive_rate,
    "fpr": false_positive_rate,
    "ppv": lambda y, said, sample_weight: precision_score(y, said, sample_weight=sample_weight, zero_division=np.nan),
}


@dataclass(frozen=True)
class Gap:
    """How far the highest group stands above the lowest.

    difference: highest - lowest; ratio: lowest / highest, None where the highest is 0. Both with the 95 %
    interval of this very pair over its draws, which may lie on both sides of no difference. by_chance: the
    BY_CHANCE quantile of the largest gap between any two groups if all were equal, each as uncertain as it is.
    """

    highest: str
    lowest: str
    difference: Interval
    ratio: Interval | None
    by_chance: float


@dataclass(frozen=True)
class GroupValues:
    """A measure by group: value, lo, hi (95 %) in `table`, one row per group in order; draws (D, groups)."""

    table: pd.DataFrame
    draws: np.ndarray

    def gap(self) -> Gap | None:
        """The largest gap; None with fewer than two groups that have a value."""
        value = self.table["value"].to_numpy(float)
        known = np.flatnonzero(np.isfinite(value))
        if len(known) < 2:
            return None
        top, bottom = known[value[known].argmax()], known[value[known].argmin()]
        high, low = self.draws[:, top], self.draws[:, bottom]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = _interval(value[bottom] / value[top], low / high) if value[top] > 0 else None
        around = self.draws[:, known] - value[known]
        by_chance = float(np.nanquantile(np.ptp(around, axis=1), BY_CHANCE))
        names = self.table.index.astype(str)
        difference = _interval(value[top] - value[bottom], high - low)
        return Gap(names[top], names[bottom], difference, ratio, by_chance)


def comparable(y: np.ndarray, members: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The groups that are large enough to be compared, and those left out in words: name, n and long stays.

    `unknown` is left out whatever its size: it is no group of people.
    """
    kept, left_out = {}, []
    for name, one in members.items():
        n, events = int(one.sum()), int(y[one].sum())
        if name != UNKNOWN and shown(n, events):
            kept[name] = one
        elif n:
            left_out.append(f"{name} (n = {n:,}, {events:,} long)")
    return kept, left_out


def rates_by_group(
    y: np.ndarray,
    alarm: np.ndarray,
    members: dict[str, np.ndarray],
    subject_ids: np.ndarray,
    *,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> dict[str, GroupValues]:
    """Each of RATES by group: the share with an alarm of all, of the long, of the other stays; of alarms, the long.

    Values are fairlearn's. Intervals are not, because its bootstrap draws rows and not patients, and calls every metric
    anew for each draw: Wilson's for a group's own rate, our patient bootstrap for gaps.
    Args:
        y: (N,) 0 and 1; alarm: (N,) bool; members: group -> (N,) bool, sharing nobody, two or more.
    """
    names = list(members)
    group = np.select(list(members.values()), range(len(names)), len(names))
    inside = group < len(names)
    cell = (4 * group + 2 * (y == 1) + alarm)[inside].astype(int)
    drawn = drawn_counts(cell, subject_ids[inside], 4 * len(names), n_draws=n_draws, seed=seed)
    drawn = drawn.reshape(n_draws, len(names), 4)
    points = _by_fairlearn(np.bincount(cell, minlength=4 * len(names)), names)
    counts = {name: _counted(y[one], alarm[one]) for name, one in members.items()}
    out = {}
    for measure in RATES:
        rows = []
        for name in names:
            one = rate(measure, "", *counts[name][measure])
            rows.append((float(points.loc[name, measure]), one.lo, one.hi, one.k, one.n))
        table = pd.DataFrame(rows, index=names, columns=["value", "lo", "hi", "k", "n"])
        out[measure] = GroupValues(table.astype({"lo": float, "hi": float}), _drawn_rate(measure, drawn))
    return out


def auroc_by_group(
    y: np.ndarray, p: np.ndarray, members: dict[str, np.ndarray], subject_ids: np.ndarray, *, n_draws: int = AUROC_DRAWS
) -> GroupValues:
    """AUROC by group, patients of each group drawn apart; k are the long stays.

    A group of more than MANY stays gets normal draws of DeLong's standard error by patient in their place: they tell
    the same of so many, and the others would take seconds.
    """
    rows, draws = [], []
    for seed, one in enumerate(members.values()):
        of_group = y[one], p[one]
        if len(of_group[0]) > MANY:
            value, drawn = _normal_draws(auroc(*of_group, subject_ids[one]), n_draws, seed)
        else:
            drawn = weighted_auroc(*of_group, bootstrap_weights(subject_ids[one], n_draws=n_draws, seed=seed))
            value = float(weighted_auroc(*of_group, np.ones((1, int(one.sum()))))[0])
        low, high = np.clip(np.nanquantile(drawn, [0.025, 0.975]), 0, 1)
        rows.append((value, float(low), float(high), int(of_group[0].sum()), int(one.sum())))
        draws.append(drawn)
    table = pd.DataFrame(rows, index=list(members), columns=["value", "lo", "hi", "k", "n"])
    return GroupValues(table, np.stack(draws, axis=1))


def _normal_draws(found: Auroc, n_draws: int, seed: int) -> tuple[float, np.ndarray]:
    """The AUROC and draws (D,) around it, as far as its interval says."""
    low, high = found.interval()
    spread = (high - low) / (2 * Z_95)
    return found.value, found.value + spread * np.random.default_rng(seed).standard_normal(n_draws)


def _counted(y: np.ndarray, alarm: np.ndarray) -> dict[str, tuple[int, int]]:
    at = confusion(y, alarm)
    return {
        "selection": (at.alarms, at.n),
        "tpr": (at.hit, at.long),
        "fpr": (at.false, at.n - at.long),
        "ppv": (at.hit, at.alarms),
    }


def _by_fairlearn(counts: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Return fairlearn's value of each measure by group, from a row per cell that weighs as much as it counts."""
    cells = pd.DataFrame(
        {"group": np.repeat(names, 4), "y": [0, 0, 1, 1] * len(names), "said": [0, 1] * 2 * len(names)}
    )
    weight = {"sample_weight": counts.astype(float)}
    found = MetricFrame(
        metrics=_METRICS,
        y_true=cells["y"],
        y_pred=cells["said"],
        sensitive_features=cells["group"],
        sample_params=dict.fromkeys(_METRICS, weight),
    )
    return pd.DataFrame(found.by_group)


def _drawn_rate(measure: str, drawn: np.ndarray) -> np.ndarray:
    """Return the measure (D, groups) from the drawn counts (D, groups, calm/false/miss/hit)."""
    calm, false, miss, hit = np.moveaxis(drawn, 2, 0)
    above, below = {
        "selection": (false + hit, calm + false + miss + hit),
        "tpr": (hit, hit + miss),
        "fpr": (false, false + calm),
        "ppv": (hit, hit + false),
    }[measure]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below)


def _interval(value: float, draws: np.ndarray) -> Interval:
    low, high = np.nanquantile(draws[np.isfinite(draws)], [0.025, 0.975])
    return float(value), float(low), float(high)
