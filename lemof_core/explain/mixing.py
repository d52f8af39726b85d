"""Encoded samples in, other samples out whose ECG and record come from different places; nothing is encoded twice."""

from __future__ import annotations

import torch

from lemof_core.batch import Modality
from lemof_core.encoders import Level
from lemof_core.fusion.fold_model import FoldModel
from lemof_core.fusion.joint import Encoded


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


def _levels(some: list[Level], at: torch.Tensor) -> list[Level]:
    return [Level(level.tokens[at], level.mask[at]) for level in some]


def _raw(some: Modality, at: torch.Tensor) -> Modality:
    return Modality({name: tensor[at] for name, tensor in some.tensors.items()}, some.present[at])
