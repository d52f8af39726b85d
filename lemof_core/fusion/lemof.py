"""LeMoF (Kim, Kang et al. 2026): the fitted model, in the paper's order. Batches in, ports and predictions out.

A plain rival is the same model with a `PortStack` for a decision: it reads the same ports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lemof_core.batch import Batch, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS, Decision
from lemof_core.ehr_series import Scaler
from lemof_core.fusion.fold_model import FoldModel
from lemof_core.fusion.joint import CrossJoint
from lemof_core.port_stack import PortStack
from lemof_core.typicality import Typicality

SCORING_BATCH = 32  # rows of every scoring forward pass, padded: equal shapes make equal numbers


@dataclass(frozen=True)
class FusionOutput:
    """What a fusion says of B samples, as log-odds; rows without an ECG have NaN where an ECG is needed.

    logits (B, C) calibrated; modality_logits name -> (B,) y_meta; level_logits name -> (B, 3);
    intermediates: ports (B, 7), O1, raw, cross, path.
    """

    logits: np.ndarray
    modality_logits: dict[str, np.ndarray]
    level_logits: dict[str, np.ndarray]
    intermediates: dict[str, Any]


@dataclass
class LemofModel:
    """A fitted run: networks of every fold, fitted preprocessing, and a decision per path ("both", "ehr")."""

    config: RunConfig
    scaler: Scaler
    folds: list[FoldModel]
    decisions: dict[str, Decision | PortStack]
    refits: dict[str, np.ndarray]  # path -> (n_bootstrap, n_weights) vectors of refitted decisions
    port_background: dict[str, np.ndarray]  # path -> (M, n_ports) rows that absent ports are averaged over
    background_ids: dict[str, tuple[str, ...]]  # path -> their sample ids
    input_background: ScaledCohort  # whole patients that no network learnt on: input_phi, baseline of the gradients
    calibration: dict[str, dict[str, Any]]  # path -> threshold, n, events, base values, conformal cut-offs
    typicality: dict[str, Typicality] = field(default_factory=dict)  # modality -> what was typical in the fit
    level_choices: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def has_ecg_path(self) -> bool:
        """Return whether stays with an ECG have a path of their own."""
        return "both" in self.decisions

    @property
    def has_cross(self) -> bool:
        """Return whether there is a Module 2, so that there is attention to show."""
        return isinstance(self.folds[0].joint, CrossJoint)

    @property
    def differentiable(self) -> bool:
        """Return whether gradients run from the prediction to the inputs."""
        return all(fold.joint is None or fold.joint.differentiable for fold in self.folds)

    def columns(self, path: str) -> list[int]:
        """Return where in ALL_PORTS the ports lie that the path's decision reads."""
        return [ALL_PORTS.index(port) for port in self.decisions[path].ports]

    @torch.no_grad()
    def path_ports(self, path: str, batch: Batch) -> np.ndarray:
        """Return (B, 7) float64 log-odds, the mean over folds; NaN where the path has no such port.

        # NOTE[DIFF] paper: one model. here: the ports of the fold models are averaged. because: out-of-fold fitting
        # makes five of them, and their mean is what out-of-fold stacking stands for at prediction time.
        """
        ecg, ehr = batch.modalities["ecg"], batch.modalities["ehr"]
        ports = [fold.ports(ecg, ehr) if path == "both" else fold.ehr_ports(ehr) for fold in self.folds]
        return _mean_over_folds(ports)

    def decided(self, path: str, ports_per_fold: list[Tensor]) -> np.ndarray:
        """Return the path's calibrated log-odds (...) of each fold's ports (..., 7), float64."""
        ports = _mean_over_folds(ports_per_fold)
        return np.asarray(self.decisions[path].logit(ports[..., self.columns(path)]))

    def paths(self, present: np.ndarray) -> dict[str, np.ndarray]:
        """Return path -> positions of the samples that take it, given which have an ECG (B,)."""
        both = present & self.has_ecg_path
        chosen = {"both": np.flatnonzero(both), "ehr": np.flatnonzero(~both)}
        return {path: positions for path, positions in chosen.items() if len(positions)}

    def cohort_ports(self, cohort: ScaledCohort, rows: np.ndarray) -> np.ndarray:
        """Return ports (N, 7) of the rows, NaN where an ECG is needed and absent.

        Computed path by path in padded batches of a fixed size: equal shapes make equal numbers.
        """
        ports = np.full((len(rows), len(ALL_PORTS)), np.nan)
        for path, positions in self.paths(cohort.arrays.ecg_present[rows]).items():
            for start in range(0, len(positions), SCORING_BATCH):
                some = positions[start : start + SCORING_BATCH]
                padded = np.concatenate([some, np.repeat(some[:1], SCORING_BATCH - len(some))])
                ports[some] = self.path_ports(path, cohort.batch(rows[padded]))[: len(some)]
        return ports

    def decide(self, ports: np.ndarray) -> FusionOutput:
        """Return what the decisions make of ports (N, 7); rows without ECG ports take the path without ECG."""
        n = len(ports)
        names = ("final", "raw", "O1", "meta_ecg", "meta_ehr")
        values: dict[str, np.ndarray] = {name: np.full(n, np.nan) for name in names}
        path = np.full(n, "", dtype=object)
        for name, positions in self.paths(np.isfinite(ports[:, 0])).items():
            for key, array in self.decisions[name].stages(ports[positions][:, self.columns(name)]).items():
                if key in values:
                    values[key][positions] = array
            path[positions] = name
        return FusionOutput(
            logits=values["final"][:, None],
            modality_logits={"ecg": values["meta_ecg"], "ehr": values["meta_ehr"]},
            level_logits={"ecg": ports[:, :3], "ehr": ports[:, 3:6]},
            intermediates={
                "ports": ports,
                "O1": values["O1"],
                "raw": values["raw"],
                "cross": ports[:, 6],
                "path": path,
            },
        )

    def predict(self, cohort: ScaledCohort, rows: np.ndarray) -> FusionOutput:
        """Return calibrated log-odds and every inner value of the rows."""
        return self.decide(self.cohort_ports(cohort, rows))

    def interval(self, path: str, ports: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 5 % and 95 % quantiles (N,) of the log-odds over refits of the stacked decision and calibrator.

        It says how far the fit of G, G_O1, G_final and Platt moves the number; the encoders are not refitted.
        """
        decision = self.decisions[path]
        if len(self.refits[path]) == 0:
            nothing = np.full(len(ports), np.nan)
            return nothing, nothing
        logits = np.stack([decision.with_vector(vector).logit(ports) for vector in self.refits[path]])
        low, high = np.quantile(logits, [0.05, 0.95], axis=0)
        return low, high


def _mean_over_folds(ports_per_fold: list[Tensor]) -> np.ndarray:
    """Return (..., 7) float64: widened before the mean is taken."""
    return torch.stack(ports_per_fold).double().mean(0).numpy()
