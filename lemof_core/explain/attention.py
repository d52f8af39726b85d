"""Samples in, cross-modal attention out: where Module 2 looked, not why, and how much the map mattered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lemof_core.batch import ScaledCohort
from lemof_core.fusion.fold_model import FoldModel
from lemof_core.fusion.joint import CrossJoint
from lemof_core.fusion.lemof import LemofModel

N_PERMUTATIONS = 4


@dataclass(frozen=True)
class AttentionMaps:
    """Mean over folds and heads, rows sum to 1: ecg_from_ehr (N, N_ecg, N_ehr), ehr_from_ecg (N, N_ehr, N_ecg);
    effect (N,): mean absolute change of the calibrated log-odds when the weights are permuted over their keys;
    embedding (N, d): Module 2's last hidden vector, mean over folds."""

    ecg_from_ehr: np.ndarray
    ehr_from_ecg: np.ndarray
    effect: np.ndarray
    embedding: np.ndarray


def attention_axes(model: LemofModel) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return (edges in seconds of the ECG tokens, names of the EHR tokens) of the attention maps.

    Module 2 that reads each level as one vector has one token a modality, and maps of ones.
    """
    fold = model.folds[0]
    if fold.ecg is None:
        raise ValueError("this model has no cross-attention")
    pair = module_two(fold).pair
    edges = fold.ecg.encoder.levels[pair[0] - 1].axis_values
    if model.config.cross.vectors:
        return (edges[0], edges[-1]), (f"level {pair[1]}",)
    if pair[1] == 0:
        return edges, (*model.scaler.series_names, *model.scaler.static_names)
    return edges, fold.ehr.encoder.levels[pair[1] - 1].axis_values


def module_two(fold: FoldModel) -> CrossJoint:
    """Return the fold's Module 2."""
    if not isinstance(fold.joint, CrossJoint):
        raise ValueError("this model has no cross-attention")
    return fold.joint


@torch.no_grad()
def attention_maps(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray) -> AttentionMaps:
    """Return the maps of rows that have an ECG."""
    ecg, ehr = cohort.ecg(rows), cohort.ehr(rows)
    edges, names = attention_axes(model)
    rng = np.random.default_rng(model.config.seed)
    orders = [
        (torch.from_numpy(rng.permutation(len(names))), torch.from_numpy(rng.permutation(len(edges) - 1)))
        for _ in range(N_PERMUTATIONS)
    ]
    plain, permuted, to_ehr, to_ecg, embeddings = [], [], [], [], []
    for fold in model.folds:
        encoded = fold.encode(ecg, ehr)
        single = fold.encoded_ports(encoded)[:, :6]
        cross = module_two(fold)
        out = cross.output(encoded)
        others = [cross.output(encoded, orders=order).logit for order in orders]
        plain.append(torch.cat([single, out.logit], dim=1))
        permuted.append(torch.stack([torch.cat([single, logit], dim=1) for logit in others]))
        to_ehr.append(out.ecg_from_ehr.mean(1))
        to_ecg.append(out.ehr_from_ecg.mean(1))
        embeddings.append(out.embedding)
    moved = model.decided("both", permuted) - model.decided("both", plain)
    return AttentionMaps(
        ecg_from_ehr=torch.stack(to_ehr).mean(0).numpy(),
        ehr_from_ecg=torch.stack(to_ecg).mean(0).numpy(),
        effect=np.abs(moved).mean(0),
        embedding=torch.stack(embeddings).mean(0).numpy(),
    )
