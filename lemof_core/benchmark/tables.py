"""Outcomes of cells in, the frames of a table out: metrics with patient-bootstrap intervals, differences, costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
from scipy.special import expit

from lemof_core.benchmark.cells import Cell
from lemof_core.benchmark.measure import Outcome
from lemof_core.evaluation.metrics import MIN_EVENTS, Weighted, estimates, paired_difference, share_of, weighted_auroc

LEFT_OUT = ("cal_intercept",)
AGAINST = "lemof robust"


def result_rows(
    cell: Cell,
    outcome: Outcome,
    y: np.ndarray,
    subjects: np.ndarray,
    strata: Mapping[str, np.ndarray],
    draws: Mapping[str, np.ndarray] | None = None,
) -> list[dict[str, object]]:
    """Return one row a stratum and metric.

    strata: name -> members (n,) bool of the test rows; draws: name -> `bootstrap_weights` of the members, made here
    where they are not given.
    """
    rows = []
    p = expit(outcome.logit)
    for name, members in strata.items():
        weights = None if draws is None else draws[name]
        cut = outcome.threshold[members]
        found = estimates(y[members], p[members], subjects[members], thresholds=cut, weights=weights)
        for one in found:
            if one.name not in LEFT_OUT:
                told = {"metric": one.name, "n": one.n, "events": one.events}
                rows.append({**asdict(cell), "stratum": name, **told, "value": one.value, "lo": one.lo, "hi": one.hi})
    return rows


def difference_rows(
    outcomes: Mapping[Cell, Outcome],
    y: np.ndarray,
    subjects: np.ndarray,
    strata: Mapping[str, np.ndarray],
    draws: Mapping[str, np.ndarray] | None = None,
) -> Iterator[dict[str, object]]:
    """Yield LeMoF `robust` minus each other cell of the same pair, arm, fitting and seed, on the same drawn patients.

    A cell to which the arm means nothing is held against the frozen LeMoF, or for want of it the finetuned one.
    """
    for cell, outcome in outcomes.items():
        against = _lemof_beside(cell, outcomes)
        if against is None:
            continue
        for name, members in strata.items():
            n, events = int(members.sum()), int(y[members].sum())
            if min(events, n - events) < MIN_EVENTS:
                continue
            for metric, measure, scores in _comparisons(outcomes[against], outcome, y):
                first, second = (score[members] for score in scores)
                weights = None if draws is None else draws[name]
                found = paired_difference(y[members], first, second, subjects[members], metric=measure, weights=weights)
                value, lo, hi = found
                told = {"against": AGAINST, "metric": metric, "n": n}
                yield {**asdict(cell), "stratum": name, **told, "value": value, "lo": lo, "hi": hi}


def _lemof_beside(cell: Cell, outcomes: Mapping[Cell, Outcome]) -> Cell | None:
    for arm in (cell.arm,) if cell.arm else ("frozen", "finetuned"):
        beside = Cell(cell.ecg_encoder, cell.ehr_encoder, "lemof", "robust", arm, cell.fitting, cell.seed)
        if beside in outcomes and beside != cell:
            return beside
    return None


def _comparisons(
    lemof: Outcome, other: Outcome, y: np.ndarray
) -> Iterator[tuple[str, Weighted, tuple[np.ndarray, np.ndarray]]]:
    """Yield AUROC and ACC at .5; not ACC at the tuned cut, whose noise (few cal patients) no interval here holds."""
    yield "auroc", weighted_auroc, (lemof.logit, other.logit)
    first, second = (((one.logit >= 0) == (y == 1)).astype(float) for one in (lemof, other))
    yield "acc_50", lambda y, right, weights: share_of(right, weights), (first, second)


def cost_rows(outcomes: Mapping[Cell, Outcome]) -> pd.DataFrame:
    """Return seconds, parameters and epochs of each cell."""
    return pd.DataFrame(
        [
            {**asdict(cell), "seconds": one.seconds, "n_parameters": one.n_parameters, "epochs": one.epochs}
            for cell, one in outcomes.items()
        ]
    )
