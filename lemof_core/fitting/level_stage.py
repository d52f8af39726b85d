"""Stage 1: one level predictor per modality and fold; their tokens and held-out level predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lemof_core.batch import ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import Level
from lemof_core.fitting.folds import Fold
from lemof_core.fusion.fold_model import make_predictor
from lemof_core.level_heads import LevelPredictor
from lemof_core.training import History, Progress, train_level_predictor

MIN_PER_CLASS = 5  # samples of each class with an ECG that an ECG path needs


@dataclass
class FoldLevels:
    """One fold after Stage 1."""

    fold: Fold
    ecg: LevelPredictor | None
    ehr: LevelPredictor
    histories: dict[str, dict[str, History]]


def enough(labels: np.ndarray, *, at_least: int = MIN_PER_CLASS) -> bool:
    """Return whether both classes have at least so many samples."""
    return bool(min(labels.sum(), len(labels) - labels.sum()) >= at_least)


def fit_predictor(
    modality: str,
    cohort: ScaledCohort,
    fold: Fold,
    val: np.ndarray,
    config: RunConfig,
    scaler: Scaler,
    *,
    seed: int,
    progress: Progress,
) -> tuple[LevelPredictor, dict[str, History]] | None:
    """Return a fold's trained level predictor and its histories; None where too few of its samples have an ECG."""
    present, labels = cohort.arrays.ecg_present, cohort.arrays.labels
    learn = fold.learn[present[fold.learn]] if modality == "ecg" else fold.learn
    check = val[present[val]] if modality == "ecg" else val
    if modality == "ecg" and not enough(labels[learn]):
        return None
    torch.manual_seed(seed)
    predictor = make_predictor(modality, config, scaler)
    _, _, training = config.encoder(modality)
    histories = train_level_predictor(
        predictor, cohort, modality=modality, train=learn, val=check, config=training, seed=seed, on_epoch=progress
    )
    return predictor, histories


@dataclass(frozen=True)
class LevelCache:
    """Frozen outputs for some rows: level logits (n, 3), the three levels' tokens, and the predictor's summary (n, d);
    `index` maps row to position."""

    index: dict[int, int]
    logits: np.ndarray
    levels: list[Level]
    summary: Tensor

    def positions(self, rows: np.ndarray) -> Tensor:
        """Return where the rows lie (n,)."""
        return torch.tensor([self.index[int(row)] for row in rows], dtype=torch.long)

    def take(self, rows: np.ndarray, k: int) -> Level:
        """Return level k of the rows."""
        at, level = self.positions(rows), self.levels[k - 1]
        return Level(level.tokens[at], level.mask[at])

    def take_logits(self, rows: np.ndarray) -> np.ndarray:
        """Return the level log-odds (n, 3) of the rows."""
        return self.logits[[self.index[int(row)] for row in rows]]


@torch.no_grad()
def cache_levels(predictor: LevelPredictor, cohort: ScaledCohort, rows: np.ndarray, modality: str) -> LevelCache:
    """Return the frozen outputs of the rows, computed once."""
    tokens: list[list[Tensor]] = [[], [], []]
    masks: list[list[Tensor]] = [[], [], []]
    logits, summaries = [], []
    for start in range(0, len(rows), 128):
        part = rows[start : start + 128]
        levels = predictor.levels(cohort.ecg(part) if modality == "ecg" else cohort.ehr(part))
        logits.append(predictor.level_logits(levels).double().numpy())
        summaries.append(predictor.summary(levels))
        for k, level in enumerate(levels):
            tokens[k].append(level.tokens)
            masks[k].append(level.mask)
    levels = [Level(torch.cat(t), torch.cat(m)) for t, m in zip(tokens, masks, strict=True)]
    return LevelCache({int(row): i for i, row in enumerate(rows)}, np.concatenate(logits), levels, torch.cat(summaries))
