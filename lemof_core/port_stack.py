"""Ports in, calibrated log-odds out: the plain ways to combine level predictions, which LeMoF's stack must beat.

All are one logistic on some of the ports: with given weights (single levels, means) or fitted ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lemof_core.config import DecisionConfig
from lemof_core.decision import ALL_PORTS, EHR_PORTS, IDENTITY_PLATT, PORTS, noise_of_folds
from lemof_core.logistic import Logistic, choose_penalty, fit_logistic

# What each reads with an ECG, and without one. No port: the constant that an outcome's frequency is.
STACK_PORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "majority": ((), ()),
    "ecg_only": (("ecg_3",), ()),
    "ehr_only": (("ehr_3",), ("ehr_3",)),
    "late": (("ecg_3", "ehr_3"), ("ehr_3",)),
    "late_logistic": (("ecg_3", "ehr_3"), ("ehr_3",)),
    "level_mean": (PORTS["m1"], EHR_PORTS),
}
BEST_LEVELS = "best_levels"  # the mean of each modality's level k*, which only the held-out ports can tell
FITTED = ("late_logistic",)  # the others are means of their ports


@dataclass(frozen=True)
class PortStack:
    """One path of a plain rival: a logistic on `ports` (by name, in the order of ALL_PORTS), then Platt."""

    stack: Logistic
    platt: Logistic

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the names of the ports that are read."""
        return self.stack.inputs

    def stages(self, ports: Any) -> dict[str, Any]:
        """Return raw and final log-odds (N,) of ports (N, n_ports)."""
        raw = self.stack.logit(ports)
        return {"raw": raw, "final": self.platt.logit(raw[..., None])}

    def logit(self, ports: Any) -> Any:
        """Return calibrated log-odds (...) of ports (..., n_ports), numpy float64 or torch."""
        return self.stages(ports)["final"]

    def calibrated(self, platt: Logistic) -> PortStack:
        """Return the stack with this calibrator as its last step."""
        return replace(self, platt=platt)

    def logistics(self) -> dict[str, Logistic]:
        """Return the stages by name."""
        return {"stack": self.stack, "Platt": self.platt}

    def vector(self) -> np.ndarray:
        """Return weights and intercepts of both stages: what a bootstrap refit changes."""
        return np.concatenate([np.append(stage.weights, stage.intercept) for stage in self.logistics().values()])

    def with_vector(self, vector: np.ndarray) -> PortStack:
        """Return the stack whose `vector()` is this one."""
        n = len(self.stack.weights)
        stack = replace(self.stack, weights=vector[:n], intercept=float(vector[n]))
        return PortStack(stack, replace(self.platt, weights=vector[n + 1 : -1], intercept=float(vector[-1])))

    def to_json(self) -> dict[str, Any]:
        """Return the stack as plain JSON types."""
        return {"stack": self.stack.to_json(), "platt": self.platt.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> PortStack:
        """Return the stack that `to_json` wrote."""
        return cls(Logistic.from_json(document["stack"]), Logistic.from_json(document["platt"]))


def stack_ports(name: str, path: str) -> tuple[str, ...]:
    """Return what the plain rival reads on a path, "both" or "ehr"."""
    return STACK_PORTS[name][0 if path == "both" else 1]


def fit_port_stack(
    name: str,
    ports: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    *,
    inputs: tuple[str, ...],
    config: DecisionConfig,
    like: PortStack | None = None,
    apart: np.ndarray | None = None,
) -> PortStack:
    """Return the uncalibrated stack of held-out ports (N, n_ports); a mean asks the labels for nothing.

    `like` keeps its penalty and standardisation (for bootstrap refits); apart: as in `fit_decision`.
    """
    if set(inputs) - set(ALL_PORTS):
        raise ValueError(f"unknown ports among {inputs}")
    n = len(inputs)
    if n == 0:
        rate = float(np.clip(y.mean(), 1e-3, 1 - 1e-3))
        return PortStack(_linear(inputs, np.log(rate / (1 - rate))), IDENTITY_PLATT)
    if name not in FITTED or n == 1:
        return PortStack(_linear(inputs, 0.0), IDENTITY_PLATT)
    how: dict[str, Any] = {"inputs": inputs, "link": config.link, "nonnegative": config.nonnegative}
    how["like"] = None if like is None else like.stack
    how["noise"] = None if apart is None else noise_of_folds(apart)
    penalty = choose_penalty(ports, y, folds, config.penalties, **how) if like is None else like.stack.penalty
    return PortStack(fit_logistic(ports, y, penalty=penalty, **how), IDENTITY_PLATT)


def _linear(inputs: tuple[str, ...], intercept: float) -> Logistic:
    """Return the mean of the inputs plus an intercept."""
    n = len(inputs)
    return Logistic(inputs, np.full(n, 1 / n) if n else np.empty(0), float(intercept), np.zeros(n), np.ones(n))
