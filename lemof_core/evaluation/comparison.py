"""Outcomes and what two models said of the same samples in, every metric of both and their difference out, paired.

All metrics come from the same draws of patients, those of `metrics.bootstrap_weights`: so the intervals of one model
are those that `lemof evaluate` stores, and a difference keeps what the two models share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from lemof_core.evaluation.metrics import (
    DRAWS_AT_ONCE,
    MIN_EVENTS,
    Estimate,
    calibration_lines,
    draws_while_waiting,
    log_losses,
    weighted_auprc,
    weighted_auroc,
)

RANKING = ("auroc", "auprc")
FORECAST = ("brier", "log_loss")
CALIBRATION = ("cal_slope", "cal_intercept", "o_e")
ALARM = ("acc", "sensitivity", "specificity", "ppv", "npv", "alarms")
METRICS = (*RANKING, *FORECAST, *CALIBRATION, *ALARM, "net_benefit")
# Which way is better; a calibration is best at its own value, and more alarms are neither.
HIGHER_IS_BETTER = {"auroc", "auprc", "acc", "sensitivity", "specificity", "ppv", "npv", "net_benefit"}
LOWER_IS_BETTER = {"brier", "log_loss"}
N_LINES = 200  # draws of the calibration line, as in `metrics.estimates`


@dataclass(frozen=True)
class Scored:
    """What one model said of N samples: the probability p (N,), and whether that raises its alarm (N,) bool."""

    p: np.ndarray
    alarm: np.ndarray


@dataclass(frozen=True)
class Paired:
    """A metric of both models and the first minus the second, with 95 % intervals; value None: `note` says why.

    n, events: the samples and long stays behind it. lo and hi are None where the difference is the same in every draw;
    alike: it is 0 in all of them.
    """

    name: str
    first: Estimate
    second: Estimate
    value: float | None
    lo: float | None
    hi: float | None
    n: int
    events: int
    note: str | None = None
    alike: bool = False


def draws(subject_ids: np.ndarray, n_draws: int, *, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield the rows of `metrics.bootstrap_weights`, (at most DRAWS_AT_ONCE, N) at a time: all of them fill memory."""
    subjects, index = np.unique(subject_ids, return_inverse=True)
    rng, share = np.random.default_rng(seed), np.full(len(subjects), 1 / max(len(subjects), 1))
    for start in range(0, n_draws, DRAWS_AT_ONCE):
        counts = rng.multinomial(len(subjects), share, size=min(DRAWS_AT_ONCE, n_draws - start))
        yield counts[:, index].astype(np.float32)


def compare(
    y: np.ndarray,
    first: Scored,
    second: Scored,
    subject_ids: np.ndarray,
    *,
    threshold: float,
    n_draws: int | None = None,
) -> list[Paired]:
    """Return each of METRICS for both models with their difference, in that order.

    Ranking and calibration need MIN_EVENTS of each class, a rate as many samples in its denominator, all else as many
    samples. log_loss is in nats; o_e is observed over expected long stays; net_benefit is that of acting on
    p >= threshold in both models (Vickers and Elkin 2006): at two thresholds a false alarm would have two weights.

    Args:
        y: (N,) 0 and 1; subject_ids: (N,) whom the samples are of; threshold: a probability in (0, 1).
        n_draws: of the bootstrap; `draws_while_waiting(N)` by default.
    Raises: ValueError for a threshold outside (0, 1), which has no odds.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"a threshold lies between 0 and 1, not at {threshold}")
    n, events = len(y), int(np.sum(y == 1))
    if n < MIN_EVENTS:
        return [_missing(name, n, events, f"not estimable, n = {n}") for name in METRICS]
    both = [_Model(y, one, threshold) for one in (first, second)]
    value = [model.values(np.ones((1, n))) for model in both]
    chunks: list[list[dict[str, np.ndarray]]] = [[], []]
    done = 0
    for weights in draws(subject_ids, n_draws or draws_while_waiting(n)):
        for model, parts in zip(both, chunks, strict=True):
            parts.append(model.values(weights, n_lines=max(N_LINES - done, 0)))
        done += len(weights)
    drawn = [{name: np.concatenate([part[name] for part in parts]) for name in METRICS} for parts in chunks]
    out = []
    for name in METRICS:
        why = next((model.why_not(name) for model in both if model.why_not(name)), None)
        if why:
            out.append(_missing(name, n, events, why))
        else:
            own = [
                model.estimate(name, float(point[name][0]), some[name])
                for model, point, some in zip(both, value, drawn, strict=True)
            ]
            out.append(_paired(own[0], own[1], drawn[0][name] - drawn[1][name]))
    return out


class _Model:
    """One model's metrics under any weights; a sum over samples is a column, so that all sums are one product."""

    def __init__(self, y: np.ndarray, said: Scored, threshold: float) -> None:
        self.y, self.p = y.astype(float), said.p.astype(float)
        self._few = min(int(self.y.sum()), len(y) - int(self.y.sum())) < MIN_EVENTS
        self._parts = _ratios(self.y, self.p, said.alarm, threshold)
        self._columns = np.stack([column for pair in self._parts.values() for column in pair], axis=1)

    def values(self, weights: np.ndarray, *, n_lines: int = N_LINES) -> dict[str, np.ndarray]:
        """Return name -> (D,) under each row of weights (D, N); NaN where a draw has nothing to reckon with.

        The calibration line is fitted to the first n_lines draws alone.
        """
        sums = weights.astype(float) @ self._columns
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {name: sums[:, 2 * k] / sums[:, 2 * k + 1] for k, name in enumerate(self._parts)}
        none = np.full(len(weights), np.nan)
        ranks = not self._few
        found["auroc"] = weighted_auroc(self.y, self.p, weights) if ranks else none
        found["auprc"] = weighted_auprc(self.y, self.p, weights) if ranks else none
        line = np.full((len(weights), 2), np.nan)
        if ranks and n_lines and np.ptp(self.p) > 0:
            line[:n_lines] = calibration_lines(self.y, self.p, weights[:n_lines])
        return found | {"cal_slope": line[:, 0], "cal_intercept": line[:, 1]}

    def estimate(self, name: str, value: float, drawn: np.ndarray) -> Estimate:
        """Return the metric with the interval of its draws (D,).

        A rate of all or of none is the same in every draw, which says nothing of how sure it is: it has Wilson's.
        """
        low, high = _ends(drawn)
        if name in ALARM:
            hit, held = (int(column.sum()) for column in self._parts[name])
            if hit in (0, held):
                low, high = (float(end) for end in proportion_confint(hit, held, method="wilson"))
        return Estimate(name, value, low, high, len(self.y), int(self.y.sum()))

    def why_not(self, name: str) -> str | None:
        """Return why the metric is not estimable of this model, None where it is."""
        n, events = len(self.y), int(self.y.sum())
        if self._few and name in (*RANKING, *CALIBRATION):
            return f"not estimable, n = {n}, events = {events}"
        if name in ("cal_slope", "cal_intercept") and np.ptp(self.p) == 0:
            return f"not estimable: the same forecast for all, n = {n}"
        if name in ALARM and (held := int(self._parts[name][1].sum())) < MIN_EVENTS:
            return f"not estimable, n = {held} {_HELD_AGAINST[name]}"
        return None


_HELD_AGAINST = {
    "acc": "stays",
    "sensitivity": "long stays",
    "specificity": "other stays",
    "ppv": "alarms",
    "npv": "stays without an alarm",
    "alarms": "stays",
}


def _ratios(y: np.ndarray, p: np.ndarray, alarm: np.ndarray, threshold: float) -> dict[str, tuple[np.ndarray, ...]]:
    """Return name -> (numerator (N,), denominator (N,)): the metric is the quotient of their weighted sums."""
    one, said = np.ones(len(y)), alarm.astype(float)
    acts = (p >= threshold).astype(float)
    return {
        "brier": ((p - y) ** 2, one),
        "log_loss": (log_losses(y, p), one),
        "o_e": (y, p),
        "acc": ((said == y).astype(float), one),
        "sensitivity": (said * y, y),
        "specificity": ((1 - said) * (1 - y), 1 - y),
        "ppv": (said * y, said),
        "npv": ((1 - said) * (1 - y), 1 - said),
        "alarms": (said, one),
        "net_benefit": (acts * (y - (1 - y) * threshold / (1 - threshold)), one),
    }


def _paired(first: Estimate, second: Estimate, gaps: np.ndarray) -> Paired:
    """Return the difference with the interval of its draws (D,); none where it is the same in every draw."""
    value = (first.value or 0.0) - (second.value or 0.0)
    low, high = _ends(gaps) if np.nanmax(gaps) > np.nanmin(gaps) else (None, None)
    alike = low is None and value == 0
    return Paired(first.name, first, second, value, low, high, first.n, first.events, alike=alike)


def _ends(some: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(some, [0.025, 0.975])
    return float(low), float(high)


def _missing(name: str, n: int, events: int, note: str) -> Paired:
    none = Estimate(name, None, None, None, n, events, note)
    return Paired(name, none, none, None, None, None, n, events, note)
