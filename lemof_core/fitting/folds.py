"""Which rows each fold's networks learn from, and which rows they then predict for the stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig
from lemof_core.errors import ModelMistake


@dataclass(frozen=True)
class Fold:
    """Rows that the networks learn from, and rows that only the stack learns from."""

    learn: np.ndarray
    held: np.ndarray


def make_folds(arrays: CohortArrays, splits: dict[str, np.ndarray], config: RunConfig) -> list[Fold]:
    """Return the folds of `config.fitting`; patients never lie on both sides of a fold.

    oof5: K parts of train + meta, each held out once. holdout: learn on train, hold out meta.
    naive: the held rows ARE the learnt rows; kept only to show the leak.
    """
    train, meta = splits["train"], splits["meta"]
    if config.fitting == "naive":
        return [Fold(train, train)]
    if config.fitting == "holdout":
        return [Fold(train, meta)]
    rows = np.concatenate([train, meta])
    labels = arrays.labels[rows]
    fewest = int(min(labels.sum(), len(labels) - labels.sum()))
    n_folds = min(config.n_folds, fewest)
    if n_folds < 2:
        raise ModelMistake(
            f"out-of-fold fitting needs at least 2 samples of each class in train and meta, however: "
            f"n = {len(rows)}, events = {int(labels.sum())}; ingest more patients"
        )
    # Strata keep ECG presence balanced too, so that each fold can fit both paths; the classes alone where all are tiny.
    strata = labels.astype(int) * 2 + arrays.ecg_present[rows]
    if np.bincount(strata).max() < n_folds:
        strata = labels.astype(int)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=config.seed)
    parts = splitter.split(rows, strata, groups=arrays.subject_ids[rows])
    return [Fold(rows[learn], rows[held]) for learn, held in parts]
