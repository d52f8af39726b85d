"""A case and a threshold in, the smallest change of a few values that would carry the prediction across it out.

Greedy: of all variables and all observed values the one change that crosses with the fewest steps in the ranks of the
training patients (after Wachter et al. 2017, distance in ranks); where no single one crosses, the one that brings
nearest is kept and the search goes on. Never advice: the model knows what goes with long stays, not what shortens them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logit as to_logit

from lemof_core.batch import CohortArrays
from lemof_core.explain.mixing import logits_of_records
from lemof_core.fusion.lemof import LemofModel
from lemof_core.live.what_if import observed, set_last

N_STEPS = 11  # values tried a variable: every tenth quantile of what was observed
MOST_CHANGES = 3
_BATCH = 64


@dataclass(frozen=True)
class Change:
    """One changed value: from (None where it was not measured), to, and the log-odds once it is made."""

    variable: str
    before: float | None
    after: float
    rank_distance: float  # share of training values between the two
    logit: float


def counterfactual(model: LemofModel, arrays: CohortArrays, threshold: float) -> tuple[list[Change], bool]:
    """Return the changes, one after the other, of the case of one, and whether they cross the threshold (probability).

    Only measured variables are changed: to invent a measurement is no change of a patient.
    """
    ranges = {name: span for name, span in observed(model.scaler).items() if name in model.scaler.series_names}
    series = arrays.series.copy()
    goal = float(to_logit(threshold))
    logit = float(_logits(model, arrays, series)[0])
    side = logit >= goal
    changes: list[Change] = []
    while len(changes) < MOST_CHANGES and (logit >= goal) == side:
        used = {change.variable for change in changes}
        trials: list[tuple[str, float, float, float]] = []
        for name, span in ranges.items():
            index = model.scaler.series_names.index(name)
            known = np.flatnonzero(np.isfinite(series[0, index]))
            if name in used or not len(known):
                continue
            now = float(series[0, index, known[-1]])
            at = np.interp(now, span.quantiles, np.linspace(0, 1, 101))
            for share in np.linspace(0, 1, N_STEPS):
                value = float(np.interp(share, np.linspace(0, 1, 101), span.quantiles))
                if value != now:
                    trials.append((name, now, value, abs(share - float(at))))
        if not trials:
            break
        rows = np.repeat(series, len(trials), axis=0)
        for row, (name, _, value, _) in enumerate(trials):
            set_last(rows[row], model.scaler.series_names.index(name), value)
        logits = _logits(model, arrays, rows)
        crossed = (logits >= goal) != side
        distance = np.array([trial[3] for trial in trials])
        best = (
            int(np.argmin(np.where(crossed, distance, np.inf)))
            if crossed.any()
            else int(np.argmin(logits) if side else np.argmax(logits))
        )
        name, now, value, moved = trials[best]
        if not crossed.any() and (logits[best] >= logit) == side:
            break  # nothing brings it nearer
        logit, series = float(logits[best]), rows[best : best + 1]
        changes.append(Change(name, now, value, float(moved), logit))
    return changes, (logit >= goal) != side


def _logits(model: LemofModel, arrays: CohortArrays, series: np.ndarray) -> np.ndarray:
    """Return the calibrated log-odds (B,) of the case with each record's series (B, V, H) in place of its own."""
    path = "both" if arrays.ecg_present[0] and model.has_ecg_path else "ehr"
    out = []
    for start in range(0, len(series), _BATCH):
        some = series[start : start + _BATCH]
        at = np.zeros(len(some), dtype=np.int64)
        cohort = model.scaler.transform(replace(arrays.take(at), series=some))
        ehr = cohort.ehr(np.arange(len(some)))
        out.append(logits_of_records(model, path, cohort, 0, ehr))
    return np.concatenate(out)


def as_rows(changes: list[Change]) -> list[dict[str, Any]]:
    """Return the changes as plain JSON types."""
    return [vars(change) for change in changes]
