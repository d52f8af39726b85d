"""Ports in, the final calibrated log-odds out: Modules 1 and 3 as one float64 function F (LeMoF eq. 4, 8, 13).

Ports are the seven inner predictions as log-odds: ecg_1..3, ehr_1..3 (level heads) and cross (y_Omega2).
A stay without an ECG has a path of its own with the three EHR ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from lemof_core.config import DecisionConfig
from lemof_core.level_importance import best_level, mean_abs_phi
from lemof_core.logistic import Logistic, choose_penalty, cross_fit, fit_logistic

ECG_PORTS = ("ecg_1", "ecg_2", "ecg_3")
EHR_PORTS = ("ehr_1", "ehr_2", "ehr_3")
_CONSTANT = 1e-9  # log-odds
_FEWEST_APART = 30  # rows: fewer cannot tell how far folds differ
ALL_PORTS = (*ECG_PORTS, *EHR_PORTS, "cross")
# "m1": both modalities without the cross port, what the paper calls M1.
PORTS = {"both": ALL_PORTS, "m1": (*ECG_PORTS, *EHR_PORTS), "ehr": EHR_PORTS}


def unions_of(ports: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the ports' positions by where they come from: ECG levels, EHR levels, cross-modal branch.

    >>> unions_of(("ecg_3", "ehr_1", "ehr_3"))
    ((0,), (1, 2))
    """
    homes = dict.fromkeys(port.partition("_")[0] for port in ports)
    return tuple(tuple(i for i, port in enumerate(ports) if port.partition("_")[0] == home) for home in homes)


@dataclass(frozen=True)
class Decision:
    """One path's stack: G per modality, k*, G_O1, G_final (None where there is no cross port), Platt.

    path: a key of PORTS, which says what it reads: "both", "m1" (both modalities, no cross port) or "ehr".
    """

    path: str
    metas: dict[str, Logistic]
    k_star: dict[str, int]
    aggregate: Logistic
    final: Logistic | None
    platt: Logistic

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the names of the ports, in the order of the columns of F's argument."""
        return PORTS[self.path]

    def stages(self, ports: Any) -> dict[str, Any]:
        """Return every inner value as log-odds (N,): y_meta and y_best per modality, O1, raw final, final."""
        inner: dict[str, Any] = {}
        columns = []
        for index, modality in enumerate(self.metas):
            levels = ports[..., 3 * index : 3 * index + 3]
            inner[f"meta_{modality}"] = self.metas[modality].logit(levels)
            inner[f"best_{modality}"] = levels[..., self.k_star[modality] - 1]
            columns += [inner[f"meta_{modality}"], inner[f"best_{modality}"]]
        inner["O1"] = self.aggregate.logit(_stack(columns))
        inner["raw"] = inner["O1"] if self.final is None else self.final.logit(_stack([inner["O1"], ports[..., 6]]))
        inner["final"] = self.platt.logit(inner["raw"][..., None])
        return inner

    def logit(self, ports: Any) -> Any:
        """Return F(a): calibrated log-odds (...) of ports a (..., n_ports), numpy float64 or torch."""
        return self.stages(ports)["final"]

    def calibrated(self, platt: Logistic) -> Decision:
        """Return the decision with this calibrator as its last step."""
        return replace(self, platt=platt)

    def vector(self) -> np.ndarray:
        """Return weights and intercepts of all stages, one after the other: what a bootstrap refit changes."""
        return np.concatenate([np.append(stage.weights, stage.intercept) for stage in self.logistics().values()])

    def with_vector(self, vector: np.ndarray) -> Decision:
        """Return the decision whose `vector()` is this one."""
        stages, start = {}, 0
        for name, stage in self.logistics().items():
            stop = start + len(stage.weights)
            stages[name] = replace(stage, weights=vector[start:stop], intercept=float(vector[stop]))
            start = stop + 1
        metas = {modality: stages[f"G_{modality}"] for modality in self.metas}
        return replace(self, metas=metas, aggregate=stages["G_O1"], final=stages.get("G_final"), platt=stages["Platt"])

    def logistics(self) -> dict[str, Logistic]:
        """Return the stages by the paper's names."""
        out = {f"G_{modality}": meta for modality, meta in self.metas.items()}
        out["G_O1"] = self.aggregate
        if self.final is not None:
            out["G_final"] = self.final
        return out | {"Platt": self.platt}

    def to_json(self) -> dict[str, Any]:
        """Return the decision as plain JSON types."""
        return {
            "path": self.path,
            "metas": {name: meta.to_json() for name, meta in self.metas.items()},
            "k_star": self.k_star,
            "aggregate": self.aggregate.to_json(),
            "final": None if self.final is None else self.final.to_json(),
            "platt": self.platt.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Decision:
        """Return the decision that `to_json` wrote."""
        return cls(
            path=document["path"],
            metas={name: Logistic.from_json(meta) for name, meta in document["metas"].items()},
            k_star={name: int(level) for name, level in document["k_star"].items()},
            aggregate=Logistic.from_json(document["aggregate"]),
            final=None if document["final"] is None else Logistic.from_json(document["final"]),
            platt=Logistic.from_json(document["platt"]),
        )


IDENTITY_PLATT = Logistic(("raw",), np.ones(1), 0.0, np.zeros(1), np.ones(1))


def _stack(columns: list[Any]) -> Any:
    return torch.stack(columns, dim=-1) if isinstance(columns[0], torch.Tensor) else np.stack(columns, axis=-1)


def _fit_stage(
    x: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    inputs: list[str],
    config: DecisionConfig,
    like: Logistic | None,
    apart: np.ndarray | None,
    prior: tuple[float, ...] | None = None,
) -> tuple[Logistic, np.ndarray]:
    """Return (G fitted on all rows, its cross-fitted log-odds; its in-sample ones where folds cannot be fitted).

    apart: (folds, M, K), the stage's inputs for other rows as each fold's networks give them.
    """
    how: dict[str, Any] = {"inputs": inputs, "link": config.link, "nonnegative": config.nonnegative, "like": like}
    how |= {"prior": prior, "noise": None if apart is None else noise_of_folds(apart)}
    penalty = choose_penalty(x, y, folds, config.penalties, **how) if like is None else like.penalty
    fitted = fit_logistic(x, y, penalty=penalty, **how)
    held_out = cross_fit(x, y, folds, penalty=penalty, **how)
    return fitted, fitted.logit(x) if held_out is None else held_out


def noise_of_folds(apart: np.ndarray) -> np.ndarray | None:
    """Return the covariance (K, K) of what a fold's predictions (folds, M, K) hold and their mean over folds does not.

    Of no row is the label asked. None for a single fold, which is its own mean, and for fewer than 30 rows.

    >>> noise_of_folds(np.array([[[0.0]] * 30, [[2.0]] * 30]))  # variance 2 of a fold, of the mean of two 1
    array([[1.]])
    """
    n_folds, n_rows, n_inputs = apart.shape
    if n_folds < 2 or n_rows < _FEWEST_APART:
        return None
    deviation = (apart - apart.mean(0)).reshape(-1, n_inputs)
    covariance = deviation.T @ deviation / ((n_folds - 1) * n_rows)
    return np.asarray(covariance * (1 - 1 / n_folds))


def fit_decision(
    ports: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    *,
    path: str,
    config: DecisionConfig,
    like: Decision | None = None,
    apart: np.ndarray | None = None,
) -> Decision:
    """Return the uncalibrated stack of ports (N, n_ports) predicted for rows their makers never saw.

    Stacked inputs are cross-fitted over `folds` (N,), so that G_O1 and G_final never read an in-sample y_meta.
    `like` keeps its penalties and k* (for bootstrap refits).
    apart: (folds, M, n_ports), what each fold's networks say of rows that none of them was fitted to or held out.
    # NOTE[DIFF] paper: G after G, "end-to-end inference", nothing on which patients each is fitted. here: each G reads
    # cross-fitted outputs of the one before. because: an in-sample y_meta looks better than it is, and the next G
    # believes it.
    # NOTE[DIFF] paper: one model. here (`config.for_mean`): each G is fitted to predictions of single folds, but for
    # their mean over folds, which it will read: the noise that averaging takes away is taken out of its likelihood.
    # How far folds differ is seen on rows of val and cal, whose labels are not asked. because: G else leans on Module 1
    # to smooth a Module 2 that is smooth already.
    # NOTE[DIFF] paper: plain G. here (`config.towards_cross`): the ridge of G_final draws to Module 2 alone. because:
    # that one reads tokens, read-outs and raw facts of both modalities, where Module 1 has six numbers.
    # NOTE[DIFF] paper: both modalities always. here: stays without an ECG have a stack of their own of the EHR's levels
    # (path "ehr"), fitted on every patient. because: zeros in place of an ECG would be read as a finding.
    """
    decision, _ = fit_with_held_out(ports, y, folds, path=path, config=config, like=like, apart=apart)
    return decision


def fit_with_held_out(
    ports: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    *,
    path: str,
    config: DecisionConfig,
    like: Decision | None = None,
    apart: np.ndarray | None = None,
) -> tuple[Decision, np.ndarray]:
    """Return (the stack of `fit_decision`, y_O1 (N,) as log-odds, each row's from a G_O1 that never saw its fold)."""
    modalities = ("ehr",) if path == "ehr" else ("ecg", "ehr")
    apart = apart if config.for_mean else None
    metas: dict[str, Logistic] = {}
    k_star: dict[str, int] = {}
    columns, apart_columns, names = [], [], []
    for index, modality in enumerate(modalities):
        own = slice(3 * index, 3 * index + 3)
        levels, apart_levels = ports[:, own], None if apart is None else apart[:, :, own]
        inputs = [f"{modality}_{k}" for k in (1, 2, 3)]
        meta_like = None if like is None else like.metas[modality]
        metas[modality], meta = _fit_stage(levels, y, folds, inputs, config, meta_like, apart_levels)
        k_star[modality] = best_level(mean_abs_phi(metas[modality], levels)) if like is None else like.k_star[modality]
        columns += [meta, levels[:, k_star[modality] - 1]]
        if apart_levels is not None:
            apart_columns += [metas[modality].logit(apart_levels), apart_levels[..., k_star[modality] - 1]]
        names += [f"meta_{modality}", f"best_{modality}"]
    z, apart_z = np.stack(columns, axis=1), None if apart is None else np.stack(apart_columns, axis=-1)
    aggregate, first = _fit_stage(z, y, folds, names, config, None if like is None else like.aggregate, apart_z)
    final = None
    if path == "both":
        u, apart_u = np.stack([first, ports[:, 6]], axis=1), None
        if apart is not None and apart_z is not None:
            apart_u = np.stack([aggregate.logit(apart_z), apart[..., 6]], axis=-1)
        final_like, prior = None if like is None else like.final, (0.0, 1.0) if config.towards_cross else None
        final, _ = _fit_stage(u, y, folds, ["O1", "O2"], config, final_like, apart_u, prior)
    return Decision(path, metas, k_star, aggregate, final, IDENTITY_PLATT), first


def fit_platt(raw: np.ndarray, y: np.ndarray) -> Logistic:
    """Return the calibrator of raw log-odds (N,): affine in the logit, slope > 0 (Platt 1999 without its prior).

    # NOTE[DIFF] paper: y_final is what G gives. here: an affine calibrator, fitted on patients that no other part saw.
    # because: the probability is shown to people; ranks, and so AUROC, stay as they are.
    """
    if np.ptp(raw) < _CONSTANT:  # nothing to stretch: the intercept alone says how frequent the outcome is
        rate = float(np.clip(y.mean(), 1e-3, 1 - 1e-3))
        return replace(IDENTITY_PLATT, intercept=float(np.log(rate / (1 - rate)) - raw.mean()))
    fitted = fit_logistic(raw[:, None], y, inputs=["raw"], nonnegative=True, minimum_weight=1e-3)
    slope = fitted.weights / fitted.scale
    return Logistic(("raw",), slope, float(fitted.intercept - (slope * fitted.mean).sum()), np.zeros(1), np.ones(1))
