"""Rows of inputs and labels in, the paper's logistic meta-learner G out (LeMoF eq. 3), in float64.

All values that travel between stages are log-odds; a stage with link "prob" reads their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.special import expit

from lemof_core.errors import ModelMistake

_MOST_NOISE = 0.5  # of what inputs vary: the rest is left to fit to, and the noise is an estimate too


@dataclass(frozen=True)
class Logistic:
    """G(x) = sigma(w . z + b) with z = (link(x) - mean) / scale; `logit` gives w . z + b."""

    inputs: tuple[str, ...]
    weights: np.ndarray
    intercept: float
    mean: np.ndarray
    scale: np.ndarray
    link: str = "logit"
    penalty: float = 0.0

    def standardised(self, x: Any) -> Any:
        """Return z (..., K) for log-odds x (..., K): numpy in numpy out, torch in torch out."""
        if isinstance(x, torch.Tensor):
            seen = torch.sigmoid(x) if self.link == "prob" else x
            return (seen - torch.as_tensor(self.mean, dtype=x.dtype)) / torch.as_tensor(self.scale, dtype=x.dtype)
        z = expit(x) if self.link == "prob" else np.asarray(x, dtype=np.float64)
        return (z - self.mean) / self.scale

    def logit(self, x: Any) -> Any:
        """Return the log-odds (...) of log-odds inputs x (..., K)."""
        z = self.standardised(x)
        weights = torch.as_tensor(self.weights, dtype=z.dtype) if isinstance(z, torch.Tensor) else self.weights
        return (z * weights).sum(-1) + self.intercept

    def to_json(self) -> dict[str, Any]:
        """Return the stage as plain JSON types."""
        return {
            "inputs": list(self.inputs),
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "link": self.link,
            "penalty": self.penalty,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Logistic:
        """Return the stage that `to_json` wrote."""
        arrays = {name: np.array(document[name], dtype=np.float64) for name in ("weights", "mean", "scale")}
        return cls(
            inputs=tuple(document["inputs"]),
            intercept=float(document["intercept"]),
            link=document["link"],
            penalty=float(document["penalty"]),
            **arrays,
        )


def fit_logistic(
    x: np.ndarray,
    y: np.ndarray,
    *,
    inputs: Sequence[str],
    link: str = "logit",
    nonnegative: bool = False,
    penalty: float = 0.0,
    minimum_weight: float = 0.0,
    prior: Sequence[float] | None = None,
    noise: np.ndarray | None = None,
    like: Logistic | None = None,
) -> Logistic:
    """Return G fitted to log-odds x (N, K) and labels y (N,).

    # NOTE[DIFF] paper: plain logistic regression on probabilities (preset `paper`: link "prob", penalty 0).
    # here (preset `robust`): standardised log-odds, weights >= 0, ridge towards EQUAL weights, unless `prior` is given.
    # because: three levels of one encoder correlate at .8-.99; unpenalised signs are a coin toss and the stack loses
    # to a plain mean of logits.
    prior: weights (K,) on the inputs themselves that the ridge draws to, in place of equal ones.
    noise: covariance (K, K) of what these inputs hold and those that G will read do not (see `corrected_loss`).
    `like` lends its standardisation, so that bootstrap refits differ in weights and intercept alone.
    scikit-learn's LogisticRegression can neither bound its weights nor shrink towards a mean other than zero.
    """
    if link == "prob" and noise is not None:
        raise ValueError("noise is that of log-odds; a stage that reads probabilities has none to take out")
    if len(x) < 2 or len(np.unique(y)) < 2:
        raise ModelMistake(
            f"a logistic stage needs samples of both classes, however: n = {len(x)}, events = {y.sum():g}"
        )
    raw = expit(x) if link == "prob" else np.asarray(x, dtype=np.float64)
    mean, scale = _scaling(raw, link) if like is None else (like.mean, like.scale)
    n_inputs = raw.shape[1]
    if prior is not None:
        towards = np.asarray(prior, dtype=np.float64) * scale
    else:  # equal weights on standardised inputs, at the inputs' own mean spread: the mean of the logits
        towards = np.full(n_inputs, 0.0 if link == "prob" else scale.mean() / n_inputs)
    z = (raw - mean) / scale
    ridge = max(penalty, 1e-6)  # a hair of ridge, so that separable rows have a finite answer

    low = minimum_weight if nonnegative else None
    bounds = [(low, None)] * n_inputs + [(None, None)]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercept = theta[:-1], theta[-1]
        score = z @ weights + intercept
        gap = weights - towards
        loss = log_loss_rows(score, y).sum() + 0.5 * ridge * gap @ gap
        residual = expit(score) - y
        return loss, np.concatenate([z.T @ residual + ridge * gap, [residual.sum()]])

    rate = np.clip(y.mean(), 1e-3, 1 - 1e-3)
    start = np.concatenate([np.maximum(towards, minimum_weight), [np.log(rate / (1 - rate))]])
    theta = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    if noise is not None:
        p = expit(z @ theta[:-1] + theta[-1])
        slope = objective(theta)[1]
        theta = _without_noise(theta, z, p, slope, noise / np.outer(scale, scale), ridge, bounds)
    return Logistic(tuple(inputs), theta[:-1], float(theta[-1]), mean, scale, link, penalty)


def _scaling(raw: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and scale (K,) that standardise log-odds; probabilities stay as they are."""
    if link == "prob":
        return np.zeros(raw.shape[1]), np.ones(raw.shape[1])
    return raw.mean(0), np.maximum(raw.std(0), 1e-6)


def _without_noise(
    theta: np.ndarray,
    z: np.ndarray,
    p: np.ndarray,
    slope: np.ndarray,
    noise: np.ndarray,
    ridge: float,
    bounds: Sequence[tuple[float | None, float | None]],
) -> np.ndarray:
    """Return weights and intercept one Newton step of the corrected loss (p (1 - p) held) away from theta.

    A step, for far away the loss is no parabola and the correction is: it has no lowest point. So that the step has
    one, the noise is capped.
    """
    n = z.shape[1]
    design = np.column_stack([z, np.ones(len(z))])
    bend = design.T @ (design * (p * (1 - p))[:, None])
    own = bend[:n, :n] - np.outer(bend[:n, n], bend[n, :n]) / bend[n, n]
    taken = capped((p * (1 - p)).sum() * noise, own)
    bend[range(n), range(n)] += ridge

    def objective(now: np.ndarray) -> tuple[float, np.ndarray]:
        step, weights = now - theta, now[:n]
        value = slope @ step + 0.5 * step @ bend @ step - 0.5 * weights @ taken @ weights
        return value, slope + bend @ step - np.append(taken @ weights, 0.0)

    return np.asarray(minimize(objective, theta, jac=True, method="L-BFGS-B", bounds=bounds).x)


def capped(noise: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the noise (K, K), in no direction more than a given share of the spread (K, K): else nothing is left.

    >>> capped(np.diag([9.0, 0.1]), np.eye(2))
    array([[0.5, 0. ],
           [0. , 0.1]])
    """
    floor = 1e-9 * max(float(np.trace(spread)), 1e-9) * np.eye(len(spread))
    share, directions = eigh(noise, spread + floor)
    outward = (spread + floor) @ directions
    return np.asarray((outward * np.clip(share, 0.0, _MOST_NOISE)) @ outward.T)


def log_loss_rows(logit: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood (N,) of each row."""
    return np.logaddexp(0, logit) - y * logit


def corrected_loss(g: Logistic, x: np.ndarray, y: np.ndarray, noise: np.ndarray | None) -> float:
    """Return the summed negative log-likelihood of rows, less what the inputs' noise adds to it.

    Averaged predictions, which G will be asked about, have less noise than those of a single model, which it is fitted
    to. To second order noise of covariance S adds p (1 - p) w' S w / 2 to a row's loss. After the corrected scores of
    Nakamura (Biometrika 1990); Carroll, Ruppert et al., Measurement Error in Nonlinear Models, 2nd ed., ch. 7.
    """
    logit = g.logit(x)
    loss = float(log_loss_rows(logit, y).sum())
    if noise is None:
        return loss
    p, weights = expit(logit), g.weights / g.scale
    return loss - 0.5 * float((p * (1 - p)).sum() * (weights @ noise @ weights))


def choose_penalty(x: np.ndarray, y: np.ndarray, folds: np.ndarray, penalties: Sequence[float], **how: Any) -> float:
    """Return the penalty with the lowest cross-validated (corrected) loss; the largest where folds cannot be fitted."""
    if len(penalties) == 1:
        return penalties[0]
    noise = how.get("noise")
    if noise is not None:
        how = how | {"noise": capped(noise, np.cov(x.T).reshape(noise.shape))}
    losses = []
    for penalty in penalties:
        parts = _fold_fits(x, y, folds, penalty=penalty, **how)
        if parts is None:
            return max(penalties)
        losses.append(sum(corrected_loss(g, x[held], y[held], how.get("noise")) for held, g in parts))
    return penalties[int(np.argmin(losses))]


def cross_fit(x: np.ndarray, y: np.ndarray, folds: np.ndarray, **how: Any) -> np.ndarray | None:
    """Return (N,) log-odds, each row's from a G that never saw its fold; None where a fold leaves one class only."""
    parts = _fold_fits(x, y, folds, **how)
    if parts is None:
        return None
    out = np.zeros(len(y))
    for held, g in parts:
        out[held] = g.logit(x[held])
    return out


def _fold_fits(x: np.ndarray, y: np.ndarray, folds: np.ndarray, **how: Any) -> list[tuple[np.ndarray, Logistic]] | None:
    """Return each fold's rows (N,) bool with the G fitted to all others; None where those are of one class."""
    masks = [folds == fold for fold in np.unique(folds)]
    if any(held.all() or len(np.unique(y[~held])) < 2 for held in masks):
        return None
    return [(held, fit_logistic(x[~held], y[~held], **how)) for held in masks]
