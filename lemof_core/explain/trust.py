"""Attributions in, what two checks of them measured out: whether the model minds what they name, and they the model.

Deletion (Samek et al., IEEE TNNLS 2017): without the tenth of the input that is named most, the log-odds must move
more than without a random tenth. Weight randomisation (Adebayo et al., NeurIPS 2018): with redrawn weights the
attribution must become another one; an edge detector, or a map that was stored, stays as it was. The third check,
completeness, is the error that travels with the attributions themselves.

The correlation is of signed values, which are what is drawn and summed. Their absolute values correlate by .51 (median
of 24 synthetic stays; signed: -.08): every map that multiplies a gradient by the ECG is large where the ECG is, and of
that the ECG's own size explains all (partial correlation .01).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from lemof_core.batch import ScaledCohort
from lemof_core.explain.gradients import N_BINS, Attributions, attribute, ehr_baseline
from lemof_core.explain.mixing import encode_ecgs, logits_of_records
from lemof_core.fusion.joint import EHR_TENSORS
from lemof_core.fusion.lemof import LemofModel

SHARE = 0.1  # of the bins, or of the variables, that is deleted
N_RANDOM = 10  # random deletions beside it
N_STEPS = 5  # of the integrated gradients on redrawn weights: their rank is all that is asked

TRUST_COLUMNS = (
    "sample_id", "modality", "deleted_salient", "deleted_random", "deleted_random_most", "n_random", "rank_correlation",
)  # fmt: skip

Explainer = Callable[[LemofModel, ScaledCohort, np.ndarray, str], Attributions]


@dataclass(frozen=True)
class Checks:
    """One modality's checks of N samples, each (N,): |change of log-odds|, and Spearman's correlation (NaN: constant).

    deleted_random is the mean over `n_random` draws, deleted_random_most the largest of them.
    """

    deleted_salient: np.ndarray
    deleted_random: np.ndarray
    deleted_random_most: np.ndarray
    rank_correlation: np.ndarray
    n_random: int = N_RANDOM


def few_steps(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, path: str) -> Attributions:
    """Return integrated gradients as `attribute` does, of fewer steps."""
    return attribute(model, cohort, rows, path, n_steps=N_STEPS)


def redrawn(model: LemofModel) -> LemofModel:
    """Return the model with one fold, whose weights are drawn anew, each tensor with the mean and spread it had."""
    generator = torch.Generator().manual_seed(model.config.seed)
    fold = deepcopy(model.folds[0])
    with torch.no_grad():
        for weight in fold.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            spread = weight.std() if weight.numel() > 1 else weight.abs().mean()
            weight.copy_(weight.mean() + spread * noise)
    return replace(model, folds=[fold.eval()])


def trust_checks(
    model: LemofModel,
    cohort: ScaledCohort,
    rows: np.ndarray,
    path: str,
    found: Attributions,
    *,
    explainer: Explainer = few_steps,
    other: LemofModel | None = None,
) -> dict[str, Checks]:
    """Return modality -> the checks of `found`, the attributions of the rows, which all take the path.

    Args:
        explainer: makes attributions like `found`'s of the model with redrawn weights.
        other: that model, where it is there already.
    """
    again = explainer(other or redrawn(model), cohort, rows, path)
    out = {}
    if path == "both":
        maps = found.saliency.reshape(len(rows), -1), again.saliency.reshape(len(rows), -1)
        out["ecg"] = _checks(model, cohort, rows, path, *maps, logits=_ecg_logits)
    out["ehr"] = _checks(model, cohort, rows, path, found.feature, again.feature, logits=_ehr_logits)
    return out


def _checks(
    model: LemofModel,
    cohort: ScaledCohort,
    rows: np.ndarray,
    path: str,
    named: np.ndarray,
    named_again: np.ndarray,
    *,
    logits: Callable[[LemofModel, ScaledCohort, int, str, np.ndarray], np.ndarray],
) -> Checks:
    """named, named_again: (N, K) attributions of the K things that can be deleted."""
    n, k = named.shape
    n_deleted = max(1, round(SHARE * k))
    rng = np.random.default_rng(model.config.seed)
    gone = np.zeros((1 + N_RANDOM, k), dtype=bool)
    for draw in range(1, 1 + N_RANDOM):
        gone[draw, rng.permutation(k)[:n_deleted]] = True
    moved = np.empty((n, 1 + N_RANDOM))
    for i in range(n):
        gone[0] = False
        gone[0, np.argsort(-np.abs(named[i]), kind="stable")[:n_deleted]] = True
        # The whole sample goes along, so that what is subtracted was computed in the same batch.
        marks = np.concatenate([np.zeros((1, k), dtype=bool), gone])
        logit = logits(model, cohort, int(rows[i]), path, marks)
        moved[i] = np.abs(logit[1:] - logit[0])
    return Checks(
        deleted_salient=moved[:, 0],
        deleted_random=moved[:, 1:].mean(1),
        deleted_random_most=moved[:, 1:].max(1),
        rank_correlation=np.array([_rank_correlation(a, b) for a, b in zip(named, named_again, strict=True)]),
    )


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's correlation; NaN where either is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


@torch.no_grad()
def _ecg_logits(model: LemofModel, cohort: ScaledCohort, row: int, path: str, marks: np.ndarray) -> np.ndarray:
    """Return the log-odds (B,) of the sample with the bins of each row of marks (B, 12 * N_BINS) at 0 mV."""
    at, n = np.array([row]), len(marks)
    ecg, ehr = cohort.ecg(np.repeat(at, n)), cohort.ehr(at)
    signal = ecg.tensors["signal"]
    gone = torch.from_numpy(marks).reshape(n, 1, 12, N_BINS).repeat_interleave(signal.shape[-1] // N_BINS, -1)
    ecg = replace(ecg, tensors=ecg.tensors | {"signal": signal.masked_fill(gone, 0.0)})
    return model.decided(path, [fold.encoded_ports(encode_ecgs(fold, ecg, ehr)) for fold in model.folds])


@torch.no_grad()
def _ehr_logits(model: LemofModel, cohort: ScaledCohort, row: int, path: str, marks: np.ndarray) -> np.ndarray:
    """Return the log-odds (B,) of the sample with the variables of each row of marks (B, V + S) as in the baseline."""
    ehr = cohort.ehr(np.repeat(row, len(marks)))
    n_series = ehr.tensors["value"].shape[1]
    baseline = dict(zip(EHR_TENSORS, ehr_baseline(model), strict=True))
    of_series, of_static = torch.from_numpy(marks[:, :n_series])[..., None], torch.from_numpy(marks[:, n_series:])
    tensors = {
        name: torch.where(of_series if tensor.ndim == 3 else of_static, baseline[name], tensor)
        for name, tensor in ehr.tensors.items()
    }
    ehr = replace(ehr, tensors=tensors)
    return logits_of_records(model, path, cohort, row, ehr)


def check_rows(found: dict[str, Checks], sample_ids: np.ndarray) -> list[dict[str, Any]]:
    """Return one row per sample and modality with the columns of the table `trust`."""
    out = []
    for modality, checks in found.items():
        for i, sample_id in enumerate(sample_ids):
            correlation = float(checks.rank_correlation[i])
            out.append(
                {
                    "sample_id": sample_id,
                    "modality": modality,
                    "deleted_salient": float(checks.deleted_salient[i]),
                    "deleted_random": float(checks.deleted_random[i]),
                    "deleted_random_most": float(checks.deleted_random_most[i]),
                    "n_random": checks.n_random,
                    "rank_correlation": None if np.isnan(correlation) else correlation,
                }
            )
    return out
