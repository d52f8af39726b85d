"""Labels and predictions in, metrics with patient-bootstrap intervals out. Nobody is dropped; n travels along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.special import logit as to_logit
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

MIN_EVENTS = 5  # of each class: below it a ranking metric is not estimable
N_DRAWS = 1000
MANY = 20_000  # samples: above it who waits for the answer gets FEWER_DRAWS
FEWER_DRAWS = 200
Z_95 = float(norm.ppf(0.975))
DRAWS_AT_ONCE = 32

Weighted = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # (y, score, weights (D, N)) -> (D,)


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval; value None means not estimable, `note` says why."""

    name: str
    value: float | None
    lo: float | None
    hi: float | None
    n: int
    events: int
    note: str | None = None


def draws_while_waiting(n: int) -> int:
    """Return how many bootstrap draws of patients intervals of n samples come from where somebody waits for them."""
    return N_DRAWS if n <= MANY else FEWER_DRAWS


def log_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return minus the log-likelihood (N,) of each outcome in nats; p is kept off 0 and 1 as scikit-learn does."""
    sure = np.clip(p, np.finfo(float).eps, 1 - np.finfo(float).eps)
    return np.asarray(-y * np.log(sure) - (1 - y) * np.log1p(-sure))


def _by_chunks(metric: Weighted, y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the metric (D,) some draws at a time: what fits the cache is several times faster."""
    parts = [weights[i : i + DRAWS_AT_ONCE] for i in range(0, len(weights), DRAWS_AT_ONCE)]
    return np.concatenate([metric(y, score, part) for part in parts])


def enough(y: np.ndarray) -> bool:
    """Whether each class has MIN_EVENTS: what a ranking or a calibration line needs."""
    return bool(min((y == 1).sum(), (y == 0).sum()) >= MIN_EVENTS)


def weighted_auroc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUROC (D,) under each row of weights (D, N): the bootstrap in one pass, ties counted half.

    Written out because a thousand calls of roc_auc_score a stratum take minutes; equal to it for unit weights.
    """
    if len(weights) > DRAWS_AT_ONCE:
        return _by_chunks(weighted_auroc, y, score, weights)
    own, others = weights[:, y == 1], weights[:, y == 0]
    below, up_to = _weight_beyond(score[y == 0], score[y == 1], others)
    wins = (own * (below + up_to)).sum(1, dtype=np.float64) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(wins / (own.sum(1, dtype=np.float64) * others.sum(1, dtype=np.float64)))


def weighted_auprc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the average precision (D,) under each row of weights (D, N); equal to scikit-learn's for unit weights."""
    if len(weights) > DRAWS_AT_ONCE:
        return _by_chunks(weighted_auprc, y, score, weights)
    own = weights[:, y == 1]
    _, hits = _weight_beyond(-score[y == 1], -score[y == 1], own)
    _, false_alarms = _weight_beyond(-score[y == 0], -score[y == 1], weights[:, y == 0])
    alarms = hits + false_alarms
    with np.errstate(invalid="ignore", divide="ignore"):
        gained = own * np.where(alarms > 0, hits / alarms, 1.0)
        return np.asarray(gained.sum(1, dtype=np.float64) / own.sum(1))


def _weight_beyond(values: np.ndarray, cuts: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (D, K) of the values (M,) below each cut (K,), and of those up to it; weights (D, M)."""
    order = np.argsort(values, kind="stable")
    upward = np.zeros((len(weights), len(values) + 1), dtype=weights.dtype)
    np.cumsum(weights[:, order], axis=1, out=upward[:, 1:])
    low, high = (np.searchsorted(values[order], cuts, side) for side in ("left", "right"))
    below = upward[:, low]
    return below, below if np.array_equal(low, high) else upward[:, high]


def share_of(which: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean (D,) of a number a sample (N,)."""
    return np.asarray(weights @ which.astype(np.result_type(weights, np.float32)) / weights.sum(1))


def _accuracy(y: np.ndarray, p: np.ndarray, weights: np.ndarray, cut: np.ndarray) -> np.ndarray:
    return share_of((p >= cut) == (y == 1), weights)


def _macro_f1(y: np.ndarray, p: np.ndarray, weights: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return the mean of the F1 of both classes (D,), 0 for a class without any true positive."""
    scores = []
    for truth, said in ((y == 1, p >= cut), (y == 0, p < cut)):
        hit, wrong = share_of(truth & said, weights), share_of(truth ^ said, weights)
        scores.append(2 * hit / np.maximum(2 * hit + wrong, 1e-12))
    return np.mean(scores, axis=0)


def _brier(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return share_of((p - y) ** 2, weights)


def observed_expected(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return observed over expected events (D,): the share of label 1 over the mean p; 1 when right on average."""
    return share_of(y, weights) / np.maximum(share_of(p, weights), 1e-12)


def calibration_lines(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (D, 2) slope and intercept of the logistic recalibration of p under each row of weights (D, N).

    1 and 0 when calibrated. Newton's method on two numbers, all draws at once; scikit-learn would fit them one by one.
    """
    if len(weights) > DRAWS_AT_ONCE:
        return _by_chunks(calibration_lines, y, p, weights)
    x = to_logit(np.clip(p, 1e-6, 1 - 1e-6))
    theta = np.tile([1.0, 0.0], (len(weights), 1))
    for _ in range(25):
        q = expit(theta[:, :1] * x + theta[:, 1:])
        residual, curvature = weights * (y - q), weights * q * (1 - q)
        gradient = np.stack([residual @ x, residual.sum(1)], axis=1)
        hxx, hx, h = curvature @ (x * x) + 1e-9, curvature @ x, curvature.sum(1) + 1e-9
        determinant = hxx * h - hx * hx
        first = (h * gradient[:, 0] - hx * gradient[:, 1]) / determinant
        second = (hxx * gradient[:, 1] - hx * gradient[:, 0]) / determinant
        theta += np.clip(np.stack([first, second], axis=1), -2, 2)
        if np.abs(gradient).max() < 1e-8 * max(len(y), 1):
            break
    return theta


def calibration_line(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Return (slope, intercept) of the logistic recalibration of p."""
    slope, intercept = calibration_lines(y, p, np.ones((1, len(y))))[0]
    return float(slope), float(intercept)


def bootstrap_weights(subject_ids: np.ndarray, *, n_draws: int = N_DRAWS, seed: int = 0) -> np.ndarray:
    """Return (n_draws, N) how often each sample is drawn when patients are drawn with replacement."""
    if len(subject_ids) == 0:
        return np.empty((n_draws, 0), dtype=np.float32)
    subjects, index = np.unique(subject_ids, return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(subjects), np.full(len(subjects), 1 / len(subjects)), size=n_draws)
    return counts[:, index].astype(np.float32)


def estimates(
    y: np.ndarray,
    p: np.ndarray,
    subject_ids: np.ndarray,
    *,
    thresholds: np.ndarray,
    n_draws: int = N_DRAWS,
    weights: np.ndarray | None = None,
) -> list[Estimate]:
    """Return AUROC, AUPRC, ACC at .5 and at the tuned threshold, macro-F1, Brier, observed over
    expected, calibration slope and intercept.

    Ranking metrics need MIN_EVENTS of each class, all others as many samples: a bootstrap of three that are all right
    would call itself sure. What cannot be estimated says so with its n.
    Args:
        thresholds: (N,) the tuned cut of each sample's own path, NaN where none was tuned.
        weights: (D, N) draws of `bootstrap_weights`, where many predictions for the same patients share them.
    """
    n, events = len(y), int(y.sum())
    if n < MIN_EVENTS:
        return [Estimate(name, None, None, None, n, events, f"not estimable, n = {n}") for name in _NAMES]
    few = not enough(y)
    why = f"not estimable, n = {n}, events = {events}"
    weights = bootstrap_weights(subject_ids, n_draws=n_draws) if weights is None else weights

    def spread(name: str, value: float, draws: np.ndarray) -> Estimate:
        low, high = np.nanquantile(draws, [0.025, 0.975])
        return Estimate(name, value, float(low), float(high), n, events)

    def missing(name: str, note: str = why) -> Estimate:
        return Estimate(name, None, None, None, n, events, note)

    out = []
    if few:
        out += [missing("auroc"), missing("auprc")]
    else:
        out.append(spread("auroc", float(roc_auc_score(y, p)), weighted_auroc(y, p, weights)))
        out.append(spread("auprc", float(average_precision_score(y, p)), weighted_auprc(y, p, weights)))
    for name, cut in (("50", np.full(n, 0.5)), ("tuned", thresholds)):
        without = int(np.isnan(cut).sum())
        if without:
            no_cut = f"not estimable: {without} of {n} samples have no tuned threshold, too few calibration samples"
            out += [missing(f"acc_{name}", no_cut), missing(f"f1_macro_{name}", no_cut)]
            continue
        one = np.ones((1, n))
        out.append(spread(f"acc_{name}", float(_accuracy(y, p, one, cut)[0]), _accuracy(y, p, weights, cut)))
        out.append(spread(f"f1_macro_{name}", float(_macro_f1(y, p, one, cut)[0]), _macro_f1(y, p, weights, cut)))
    out.append(spread("brier", float(brier_score_loss(y, p)), _brier(y, p, weights)))
    if few:
        out += [missing("oe"), missing("cal_slope"), missing("cal_intercept")]
        return out
    out.append(spread("oe", float(observed_expected(y, p, np.ones((1, n)))[0]), observed_expected(y, p, weights)))
    if np.ptp(p) == 0:
        same = f"not estimable: the same forecast for all, n = {n}"
        out += [missing("cal_slope", same), missing("cal_intercept", same)]
    else:
        out += _calibration(y, p, weights, n, events)
    return out


_NAMES = (
    "auroc",
    "auprc",
    "acc_50",
    "f1_macro_50",
    "acc_tuned",
    "f1_macro_tuned",
    "brier",
    "oe",
    "cal_slope",
    "cal_intercept",
)


def _calibration(y: np.ndarray, p: np.ndarray, weights: np.ndarray, n: int, events: int) -> list[Estimate]:
    """Return slope and intercept with intervals from the first 200 draws."""
    slope, intercept = calibration_line(y, p)
    low, high = np.nanquantile(calibration_lines(y, p, weights[:200]), [0.025, 0.975], axis=0)
    return [
        Estimate("cal_slope", slope, float(low[0]), float(high[0]), n, events),
        Estimate("cal_intercept", intercept, float(low[1]), float(high[1]), n, events),
    ]


def shares(which: np.ndarray, subject_ids: np.ndarray, *, name: str, events: int, n_draws: int = N_DRAWS) -> Estimate:
    """Return the share of samples of which `which` (N,) is true, with its patient-bootstrap interval."""
    n = len(which)
    if n < MIN_EVENTS:
        return Estimate(name, None, None, None, n, events, f"not estimable, n = {n}")
    draws = share_of(which, bootstrap_weights(subject_ids, n_draws=n_draws))
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return Estimate(name, float(np.mean(which)), float(low), float(high), n, events)


def paired_difference(
    y: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    subject_ids: np.ndarray,
    *,
    metric: Weighted = weighted_auroc,
    n_draws: int = N_DRAWS,
    weights: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return (difference first - second, 95 % low, high) of a weighted metric on the same drawn patients."""
    weights = bootstrap_weights(subject_ids, n_draws=n_draws) if weights is None else weights
    one = np.ones((1, len(y)))
    difference = float(metric(y, first, one)[0] - metric(y, second, one)[0])
    low, high = np.nanquantile(metric(y, first, weights) - metric(y, second, weights), [0.025, 0.975])
    return difference, float(low), float(high)
