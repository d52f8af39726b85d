"""Samples in, `feature_attribution` and `saliency` out: integrated gradients of the calibrated final log-odds.

Sundararajan et al. 2017, by captum, along the straight line from a baseline patient: no ECG signal (0 mV), and the
mean of the background patients' EHR. The completeness error (how far the sum misses F(x) - F(baseline)) travels along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.fusion.joint import EHR_TENSORS
from lemof_core.fusion.lemof import LemofModel

N_STEPS = 10  # Gauss-Legendre points: the median error is then below 1 % of the median gap on the demo
N_BINS = 250  # saliency bins a lead: 40 ms each
METHOD = (
    f"integrated gradients, {N_STEPS} Gauss-Legendre steps, of the calibrated log-odds; "
    "baseline: 0 mV ECG, mean EHR of the background patients"
)


@dataclass(frozen=True)
class Attributions:
    """feature (N, V + S) and saliency (N, 12, 250; zeros without an ECG), in log-odds; they sum to
    `gap` = F(x) - F(baseline) up to `error`, both (N,)."""

    feature: np.ndarray
    saliency: np.ndarray
    gap: np.ndarray
    error: np.ndarray


def _forward(model: LemofModel, path: str) -> Any:
    """Return the function of raw tensors that captum integrates: calibrated log-odds (B,)."""

    def ehr_of(tensors: tuple[Tensor, ...]) -> Modality:
        present = torch.ones(len(tensors[0]), dtype=torch.bool)
        return Modality(dict(zip(EHR_TENSORS, tensors, strict=True)), present)

    def both(signal: Tensor, *tensors: Tensor) -> Tensor:
        present = torch.ones(len(signal), dtype=torch.bool)
        ecg = Modality({"signal": signal[:, None], "record_present": present[:, None]}, present)
        ports = torch.stack([fold.ports(ecg, ehr_of(tensors)) for fold in model.folds]).mean(0)
        return model.decisions["both"].logit(ports.double()[:, model.columns("both")])

    def ehr_only(*tensors: Tensor) -> Tensor:
        ports = torch.stack([fold.ehr_ports(ehr_of(tensors)) for fold in model.folds]).mean(0)
        return model.decisions["ehr"].logit(ports.double()[:, model.columns("ehr")])

    return both if path == "both" else ehr_only


def ehr_baseline(model: LemofModel) -> tuple[Tensor, ...]:
    """Return the baseline EHR, one row a tensor: the background patients' mean."""
    ehr = model.input_background.ehr(np.arange(len(model.input_background)))
    return tuple(ehr.tensors[name].mean(0, keepdim=True) for name in EHR_TENSORS)


def attribute(
    model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, path: str, *, n_steps: int = N_STEPS
) -> Attributions:
    """Return the attributions of rows that take the given path, four at a time."""
    method = IntegratedGradients(_forward(model, path))
    baseline = ehr_baseline(model)
    parts = [_attribute_some(method, cohort, rows[i : i + 4], path, baseline, n_steps) for i in range(0, len(rows), 4)]
    return Attributions(*(np.concatenate([getattr(p, name) for p in parts]) for name in Attributions.__annotations__))


def _attribute_some(
    method: IntegratedGradients,
    cohort: ScaledCohort,
    rows: np.ndarray,
    path: str,
    baseline: tuple[Tensor, ...],
    n_steps: int,
) -> Attributions:
    ehr = cohort.ehr(rows)
    inputs = tuple(ehr.tensors[name] for name in EHR_TENSORS)
    baselines = tuple(tensor.expand_as(full).contiguous() for tensor, full in zip(baseline, inputs, strict=True))
    if path == "both":
        signal = cohort.ecg(rows).tensors["signal"][:, 0]
        inputs, baselines = (signal, *inputs), (torch.zeros_like(signal), *baselines)
    found = method.attribute(inputs, baselines, n_steps=n_steps, method="gausslegendre")
    with torch.no_grad():
        gap = (method.forward_func(*inputs) - method.forward_func(*baselines)).double().numpy()
    saliency = np.zeros((len(rows), 12, N_BINS))
    if path == "both":
        saliency = found[0].double().reshape(len(rows), 12, N_BINS, -1).sum(-1).numpy()
        found = found[1:]
    value, mask, since, static, static_mask = (part.double().numpy() for part in found)
    feature = np.concatenate([(value + mask + since).sum(-1), static + static_mask], axis=1)
    error = np.abs(feature.sum(1) + saliency.sum((1, 2)) - gap)
    return Attributions(feature, saliency, gap, error)
