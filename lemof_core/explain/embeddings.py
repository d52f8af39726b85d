"""Samples in, one vector per modality and level out: what patients are compared by when similar ones are sought."""

from __future__ import annotations

import numpy as np
import torch

from lemof_core.batch import ScaledCohort
from lemof_core.encoders import pool_level
from lemof_core.fusion.lemof import LemofModel
from lemof_core.level_heads import LevelPredictor

NOTE = "pooled tokens of the level, mean over folds"


def embedding_widths(model: LemofModel) -> dict[str, int]:
    """Return name of the array -> width of the vector, for every modality and level that the model reads."""
    fold = model.folds[0]
    predictors = {"ecg": fold.ecg if model.has_ecg_path else None, "ehr": fold.ehr}
    return {
        f"embedding_{modality}_{k}": info.d
        for modality, predictor in predictors.items()
        if predictor is not None
        for k, info in enumerate(predictor.encoder.levels, start=1)
    }


@torch.no_grad()
def level_embeddings(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, path: str) -> dict[str, np.ndarray]:
    """Return name of the array -> (N, d) of the rows, which all take the path; without an ECG of the record alone."""
    found: dict[str, list[torch.Tensor]] = {}
    for fold in model.folds:
        pooled = {"ehr": _pooled(fold.ehr, cohort, rows, "ehr")}
        if path == "both" and fold.ecg is not None:
            pooled["ecg"] = _pooled(fold.ecg, cohort, rows, "ecg")
        for modality, vectors in pooled.items():
            for k, vector in enumerate(vectors, start=1):
                found.setdefault(f"embedding_{modality}_{k}", []).append(vector)
    return {name: torch.stack(vectors).mean(0).numpy() for name, vectors in found.items()}


def _pooled(predictor: LevelPredictor, cohort: ScaledCohort, rows: np.ndarray, modality: str) -> list[torch.Tensor]:
    levels = predictor.levels(cohort.ecg(rows) if modality == "ecg" else cohort.ehr(rows))
    return [pool_level(level, info) for level, info in zip(levels, predictor.encoder.levels, strict=True)]
