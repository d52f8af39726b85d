"""LeMoF (Kim, Kang et al. 2026): the fitted model, in the paper's order. Batches in, ports and predictions out.

A plain rival is the same model with a `PortStack` for a decision: it reads the same ports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lemof_core.batch import Batch, Modality, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS, Decision
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import Level, make_encoder
from lemof_core.fusion.cross_attention import CrossAttention, CrossOutput
from lemof_core.level_heads import LevelPredictor
from lemof_core.port_stack import PortStack

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


def make_predictor(modality: str, config: RunConfig, scaler: Scaler) -> LevelPredictor:
    """Return an untrained encoder with level heads (and auxiliary heads where the config trains on them)."""
    if modality == "ecg":
        training = config.ecg_training
        n_aux = len(scaler.aux_names) if training.pretrain_epochs or training.aux_weight else 0
        return LevelPredictor(make_encoder("ecg", config.ecg_encoder), n_aux=n_aux)
    names = {"series_names": scaler.series_names, "static_names": scaler.static_names}
    return LevelPredictor(make_encoder("ehr", config.ehr_encoder, **names))


def make_cross(
    config: RunConfig, ecg: LevelPredictor, ehr: LevelPredictor, pair: tuple[int, int], scaler: Scaler
) -> CrossAttention:
    """Return an untrained Module 2 on the pair (ECG level 1..3, EHR level 0..3; 0 = its own tokens)."""
    return CrossAttention(
        config.cross,
        ecg.encoder.levels[pair[0] - 1],
        ehr.encoder.levels[max(pair[1], 1) - 1],
        ehr_level=pair[1],
        n_series=len(scaler.series_names),
        n_static=len(scaler.static_names),
        d_ecg_skip=ecg.d_summary,
    )


class FoldModel(nn.Module):
    """The networks of one fold: both level predictors and (where both modalities could be fitted) Module 2."""

    def __init__(
        self,
        ecg: LevelPredictor | None,
        ehr: LevelPredictor,
        cross: CrossAttention | None,
        pair: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        self.ecg, self.ehr, self.cross, self.pair = ecg, ehr, cross, pair

    def ehr_ports(self, ehr: Modality) -> Tensor:
        """Return (B, 3): the EHR level predictions alone."""
        return self.ehr.level_logits(self.ehr.levels(ehr))

    def ports(self, ecg: Modality, ehr: Modality) -> Tensor:
        """Return (B, 7) for samples that have both modalities; NaN for the cross port where there is no Module 2."""
        if self.ecg is None:
            raise ValueError("this model was fitted without ECGs and has no path for both modalities")
        ecg_levels, ehr_levels = self.ecg.levels(ecg), self.ehr.levels(ehr)
        cross = self.cross_logit(ecg_levels, ehr_levels, ehr)
        return torch.cat([self.ecg.level_logits(ecg_levels), self.ehr.level_logits(ehr_levels), cross], dim=1)

    def cross_logit(self, ecg_levels: list[Level], ehr_levels: list[Level], ehr: Modality) -> Tensor:
        """Return y_Omega2 (B, 1); NaN where there is no Module 2."""
        if self.cross is None:
            return torch.full((len(ehr.present), 1), torch.nan)
        return self.cross_output(ecg_levels, ehr_levels, ehr).logit

    def cross_output(self, ecg_levels: list[Level], ehr_levels: list[Level], ehr: Modality, **how: Any) -> CrossOutput:
        """Return Module 2's output on the chosen pair of levels."""
        if self.ecg is None or self.cross is None or self.pair is None:
            raise ValueError("this model was fitted without ECGs and has no cross-attention")
        ehr_level = ehr_levels[self.pair[1] - 1] if self.pair[1] else None
        return self.cross(ecg_levels[self.pair[0] - 1], self.ecg.summary(ecg_levels), ehr_level, ehr, **how)


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
    calibration: dict[str, dict[str, Any]]  # path -> threshold, n, events, base values
    level_choices: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def has_ecg_path(self) -> bool:
        """Return whether stays with an ECG have a path of their own."""
        return "both" in self.decisions

    @property
    def has_cross(self) -> bool:
        """Return whether there is a Module 2, so that there is attention to show."""
        return self.folds[0].cross is not None

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
        if path == "both":
            return torch.stack([fold.ports(ecg, ehr) for fold in self.folds]).double().mean(0).numpy()
        ports = np.full((len(batch), len(ALL_PORTS)), np.nan)
        ports[:, 3:6] = torch.stack([fold.ehr_ports(ehr) for fold in self.folds]).double().mean(0).numpy()
        return ports

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
