"""Rows of inputs and labels in, the paper's logistic meta-learner G out (LeMoF eq. 3), in float64.

All values that travel between stages are log-odds; a stage with link "prob" reads their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit

from lemof_core.errors import ModelMistake


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
    like: Logistic | None = None,
) -> Logistic:
    """Return G fitted to log-odds x (N, K) and labels y (N,).

    # NOTE[DIFF] paper: plain logistic regression on probabilities (preset `paper`: link "prob", penalty 0).
    # here (preset `robust`): standardised log-odds, weights >= 0, ridge towards EQUAL weights.
    # because: three levels of one encoder correlate at .8-.99; unpenalised signs are a coin toss and the stack loses
    # to a plain mean of logits.
    `like` lends its standardisation, so that bootstrap refits differ in weights and intercept alone.
    scikit-learn's LogisticRegression can neither bound its weights nor shrink towards a mean other than zero.
    """
    if len(x) < 2 or len(np.unique(y)) < 2:
        raise ModelMistake(
            f"a logistic stage needs samples of both classes, however: n = {len(x)}, events = {y.sum():g}"
        )
    raw = expit(x) if link == "prob" else np.asarray(x, dtype=np.float64)
    n_inputs = raw.shape[1]
    if like is not None:
        mean, scale = like.mean, like.scale
        prior = np.full(n_inputs, 0.0 if link == "prob" else scale.mean() / n_inputs)
    elif link == "prob":
        mean, scale, prior = np.zeros(n_inputs), np.ones(n_inputs), np.zeros(n_inputs)
    else:
        mean, scale = raw.mean(0), np.maximum(raw.std(0), 1e-6)
        # Equal weights on standardised inputs, at the inputs' own mean spread: the mean of the logits.
        prior = np.full(n_inputs, scale.mean() / n_inputs)
    z = (raw - mean) / scale
    ridge = max(penalty, 1e-6)  # a hair of ridge, so that separable rows have a finite answer

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercept = theta[:-1], theta[-1]
        score = z @ weights + intercept
        gap = weights - prior
        loss = np.logaddexp(0, score).sum() - y @ score + 0.5 * ridge * gap @ gap
        residual = expit(score) - y
        return loss, np.concatenate([z.T @ residual + ridge * gap, [residual.sum()]])

    rate = np.clip(y.mean(), 1e-3, 1 - 1e-3)
    start = np.concatenate([np.maximum(prior, minimum_weight), [np.log(rate / (1 - rate))]])
    low = minimum_weight if nonnegative else None
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(low, None)] * n_inputs + [(None, None)])
    return Logistic(tuple(inputs), found.x[:-1], float(found.x[-1]), mean, scale, link, penalty)


def log_loss_rows(logit: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood (N,) of each row."""
    return np.logaddexp(0, logit) - y * logit


def choose_penalty(x: np.ndarray, y: np.ndarray, folds: np.ndarray, penalties: Sequence[float], **how: Any) -> float:
    """Return the penalty with the lowest cross-validated log-loss; the largest one where folds cannot be fitted."""
    if len(penalties) == 1:
        return penalties[0]
    losses = []
    for penalty in penalties:
        held_out = cross_fit(x, y, folds, penalty=penalty, **how)
        if held_out is None:
            return max(penalties)
        losses.append(log_loss_rows(held_out, y).mean())
    return penalties[int(np.argmin(losses))]


def cross_fit(x: np.ndarray, y: np.ndarray, folds: np.ndarray, **how: Any) -> np.ndarray | None:
    """Return (N,) log-odds, each row's from a G that never saw its fold; None where a fold leaves one class only."""
    out = np.zeros(len(y))
    for fold in np.unique(folds):
        held = folds == fold
        if held.all() or len(np.unique(y[~held])) < 2:
            return None
        out[held] = fit_logistic(x[~held], y[~held], **how).logit(x[held])
    return out
