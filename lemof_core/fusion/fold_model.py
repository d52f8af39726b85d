"""The networks of one fold: level predictors of both modalities, and what reads both at once. Batches in, ports out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import make_encoder
from lemof_core.encoders.ehr_summary import N_STATIC_FACTS
from lemof_core.errors import ModelMistake
from lemof_core.fusion import make_net
from lemof_core.fusion.contract import NetSizes
from lemof_core.fusion.cross_attention import CrossAttention
from lemof_core.fusion.joint import CrossJoint, Encoded, Joint, NetJoint, encode, without_ecg
from lemof_core.level_heads import LevelPredictor


def make_predictor(modality: str, config: RunConfig, scaler: Scaler) -> LevelPredictor:
    """Return an untrained encoder with level heads (and auxiliary heads where the config trains on them)."""
    name, sizes, training = config.encoder(modality)
    if modality == "ecg":
        n_aux = len(scaler.aux_names) if training.pretrain_epochs or training.aux_weight else 0
        encoder = make_encoder("ecg", name, **sizes)
    else:
        n_aux = 0
        encoder = make_encoder("ehr", name, series_names=scaler.series_names, static_names=scaler.static_names, **sizes)
    if config.pooling == "mean":
        low, mid, high = (replace(info, pool="mean") for info in encoder.levels)
        encoder.levels = (low, mid, high)
    if not config.own_transform:
        for transform in encoder.own_transforms:
            transform.requires_grad_(False)
    return LevelPredictor(encoder, n_aux=n_aux, level_weights=training.level_weights)


def refuse_impossible_sizes(config: RunConfig, cohort: ScaledCohort, scaler: Scaler) -> None:
    """Raise ModelMistake where an encoder of the sizes that were set cannot be built, or cannot read a batch."""
    for modality in ("ecg", "ehr"):
        name, sizes, training = config.encoder(modality)
        if not sizes:
            continue
        rows = np.arange(min(training.batch_size, len(cohort.arrays.labels)))
        try:
            given = cohort.ecg(rows) if modality == "ecg" else cohort.ehr(rows)
            predictor = make_predictor(modality, config, scaler)
            predictor.level_logits(predictor.levels(given))
        except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelMistake(f"encoder {name} does not work with the sizes {sizes}: {told}") from error


def make_cross(
    config: RunConfig, ecg: LevelPredictor, ehr: LevelPredictor, pair: tuple[int, int], scaler: Scaler
) -> CrossJoint:
    """Return an untrained Module 2 on the pair (ECG level 1..3, EHR level 0..3; 0 = its own tokens)."""
    cross = CrossAttention(
        config.cross,
        ecg.encoder.levels[pair[0] - 1],
        ehr.encoder.levels[max(pair[1], 1) - 1],
        ehr_level=pair[1],
        n_series=len(scaler.series_names),
        n_static=len(scaler.static_names),
        d_ecg_skip=ecg.d_summary,
    )
    return CrossJoint(cross, pair, _own(config, ecg, ehr))


def make_rival(config: RunConfig, ecg: LevelPredictor, ehr: LevelPredictor, scaler: Scaler) -> NetJoint:
    """Return the untrained network that `config.fusion` names, sized for these encoders."""
    sizes = NetSizes(
        ecg=ecg.encoder.levels,
        ehr=ehr.encoder.levels,
        ecg_gates=ecg.encoder.gate_widths,
        ehr_gates=ehr.encoder.gate_widths,
        d_summary=ecg.d_summary,
        d_raw=2 * len(scaler.series_names) + N_STATIC_FACTS * len(scaler.static_names),
        raw_view=config.net.raw_view,
        multi_level=config.net.multi_level,
        d=config.net.d,
        dropout=config.net.dropout,
    )
    return NetJoint(make_net(config.fusion, sizes), _own(config, ecg, ehr))


def _own(config: RunConfig, ecg: LevelPredictor, ehr: LevelPredictor) -> nn.ModuleDict | None:
    """Return copies of the encoders that will learn on, in the arm that has them."""
    return nn.ModuleDict({"ecg": deepcopy(ecg), "ehr": deepcopy(ehr)}) if config.arm == "finetuned" else None


class FoldModel(nn.Module):
    """The networks of one fold; no `joint` where no port reads both modalities."""

    def __init__(self, ecg: LevelPredictor | None, ehr: LevelPredictor, joint: Joint | None = None) -> None:
        super().__init__()
        self.ecg, self.ehr, self.joint = ecg, ehr, joint

    def encode(self, ecg: Modality, ehr: Modality) -> Encoded:
        """Return the samples with their frozen levels."""
        if self.ecg is None:
            raise ValueError("this model was fitted without ECGs and has no path for both modalities")
        return encode(self.ecg, self.ehr, ecg, ehr)

    def ports(self, ecg: Modality, ehr: Modality) -> Tensor:
        """Return (B, 7) for samples that have both modalities; NaN for the cross port where there is no `joint`."""
        return self.encoded_ports(self.encode(ecg, ehr))

    def encoded_ports(self, encoded: Encoded) -> Tensor:
        """Return (B, 7) of encoded samples, all with an ECG."""
        if self.ecg is None:
            raise ValueError("this model was fitted without ECGs and has no path for both modalities")
        ecg, ehr = self.ecg.level_logits(encoded.ecg_levels), self.ehr.level_logits(encoded.ehr_levels)
        cross = _nothing(ehr) if self.joint is None else self.joint.logit(encoded)
        return torch.cat([ecg, ehr, cross], dim=1)

    def ehr_ports(self, ehr: Modality) -> Tensor:
        """Return (B, 7) of samples as if they had no ECG; NaN for the ports that need one."""
        levels = self.ehr.levels(ehr)
        logits = self.ehr.level_logits(levels)
        cross = _nothing(logits)
        if self.ecg is not None and self.joint is not None and self.joint.handles_missing_ecg:
            cross = self.joint.logit(without_ecg(self.ecg, levels, ehr))
        ports = torch.cat([_nothing(logits).expand(-1, 3), logits, cross], dim=1)
        assert ports.shape[1] == len(ALL_PORTS)
        return ports


def _nothing(like: Tensor) -> Tensor:
    return torch.full((len(like), 1), torch.nan)
