"""Samples in, others out whose ECG and record come from different places, and their log-odds; nothing encoded twice."""

from __future__ import annotations

import numpy as np
import torch

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.encoders import Level
from lemof_core.fusion.fold_model import FoldModel
from lemof_core.fusion.joint import Encoded
from lemof_core.fusion.lemof import LemofModel


def mixed(ecg_of: Encoded, ehr_of: Encoded) -> Encoded:
    """Return samples whose ECG is one person's and whose record another's, row by row."""
    return Encoded(ecg_of.ecg, ehr_of.ehr, ecg_of.ecg_levels, ehr_of.ehr_levels, ecg_of.ecg_summary)


def repeated(encoded: Encoded, index: int, n: int) -> Encoded:
    """Return the sample at `index`, n times over."""
    at = torch.full((n,), index)
    return Encoded(
        _raw(encoded.ecg, at),
        _raw(encoded.ehr, at),
        _levels(encoded.ecg_levels, at),
        _levels(encoded.ehr_levels, at),
        encoded.ecg_summary[at],
    )


def encode_ecgs(fold: FoldModel, ecgs: Modality, ehr: Modality) -> Encoded:
    """Return one record (B = 1) beside each of the ECGs."""
    at = torch.zeros(len(ecgs.present), dtype=torch.long)
    assert fold.ecg is not None
    levels = fold.ecg.levels(ecgs)
    return Encoded(ecgs, _raw(ehr, at), levels, _levels(fold.ehr.levels(ehr), at), fold.ecg.summary(levels))


def encode_ehrs(fold: FoldModel, ecg: Modality, ehrs: Modality) -> Encoded:
    """Return one ECG (B = 1) beside each of the records."""
    at = torch.zeros(len(ehrs.present), dtype=torch.long)
    assert fold.ecg is not None
    levels = fold.ecg.levels(ecg)
    return Encoded(_raw(ecg, at), ehrs, _levels(levels, at), fold.ehr.levels(ehrs), fold.ecg.summary(levels)[at])


@torch.no_grad()
def logits_of_records(model: LemofModel, path: str, cohort: ScaledCohort, row: int, ehrs: Modality) -> np.ndarray:
    """Return the calibrated log-odds (B,) of the records; on the path "both" each beside the ECG of the row."""
    if path == "ehr":
        return model.decided(path, [fold.ehr_ports(ehrs) for fold in model.folds])
    ecg = cohort.ecg(np.array([row]))
    return model.decided(path, [fold.encoded_ports(encode_ehrs(fold, ecg, ehrs)) for fold in model.folds])


def _levels(some: list[Level], at: torch.Tensor) -> list[Level]:
    return [Level(level.tokens[at], level.mask[at]) for level in some]


def _raw(some: Modality, at: torch.Tensor) -> Modality:
    return Modality({name: tensor[at] for name, tensor in some.tensors.items()}, some.present[at])
