"""Stage 1 of every run: preprocessing, level predictors of each fold, and what they predict for the rows they held out.

LeMoF and everything it is compared with start from the same Stage 1: same folds, same encoders, same patients.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lemof_core.batch import CohortArrays, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake
from lemof_core.fitting.folds import Fold, make_folds
from lemof_core.fitting.level_files import LevelFiles
from lemof_core.fitting.level_stage import FoldLevels, LevelCache, cache_levels, enough, fit_predictor
from lemof_core.fitting.workers import run_all
from lemof_core.level_heads import LevelPredictor
from lemof_core.training import History, Progress

MANY = 400  # training samples from which on folds are worth a process each
Fitted = tuple[LevelPredictor, dict[str, History]] | None


class Held(NamedTuple):
    """Rows that the stack is fitted on: rows (n,), their ports (n, n_ports), labels (n,) and the fold of each (n,)."""

    rows: np.ndarray
    ports: np.ndarray
    labels: np.ndarray
    fold_of: np.ndarray


def fit_stage_one(
    arrays: CohortArrays,
    splits: dict[str, np.ndarray],
    config: RunConfig,
    *,
    progress: Progress,
    kept_in: Path | None = None,
) -> StageOne:
    """Return the level predictors of every fold of `config.fitting`, and their held-out predictions.

    splits: name -> rows; test is not looked at. Preprocessing is fitted on train.
    kept_in: a folder that trained predictors are taken from and put into.
    Raises ModelMistake where a class is missing from what the networks learn from.
    """
    used = {name: splits.get(name, np.empty(0, dtype=np.int64)) for name in ("train", "val", "meta", "cal")}
    labels = arrays.labels[used["train"]]
    if not enough(labels, at_least=2):
        raise ModelMistake(
            f"training needs at least 2 samples of each class in train, however: n = {len(labels)}, "
            f"events = {int(labels.sum())}; ingest more patients"
        )
    scaler = Scaler.fit(arrays, used["train"])
    cohort = scaler.transform(arrays)
    folds = make_folds(arrays, used, config)
    files = LevelFiles(kept_in, cohort, used["val"], config, scaler)
    wanted = [(modality, number) for number in range(len(folds)) for modality in ("ecg", "ehr")]
    found: dict[tuple[str, int], Fitted] = {
        (modality, number): files.load(modality, folds[number], config.seed + number) for modality, number in wanted
    }
    missing = [key for key in wanted if found[key] is None]
    tasks = [
        partial(_fit_one, modality, cohort, folds[number], used["val"], config, scaler, number, len(folds))
        for modality, number in missing
    ]
    fitted = run_all(tasks, parallel=len(used["train"]) >= MANY, progress=progress)
    for (modality, number), made in zip(missing, fitted, strict=True):
        found[modality, number] = made
        if made is not None:
            files.keep(modality, folds[number], config.seed + number, *made)
    stages = [_fold_levels(fold, found["ecg", number], found["ehr", number]) for number, fold in enumerate(folds)]
    return StageOne(cohort, scaler, stages, used)


def _fit_one(
    modality: str,
    cohort: ScaledCohort,
    fold: Fold,
    val: np.ndarray,
    config: RunConfig,
    scaler: Scaler,
    number: int,
    n_folds: int,
    progress: Progress,
) -> Fitted:
    """Return a predictor of one fold; a function of its own, so that another process can be asked."""
    report = numbered(progress, number, n_folds)
    return fit_predictor(modality, cohort, fold, val, config, scaler, seed=config.seed + number, progress=report)


def _fold_levels(fold: Fold, ecg: Fitted, ehr: Fitted) -> FoldLevels:
    if ehr is None:
        raise ValueError("an EHR predictor is always fitted, however: None")
    histories = {"ecg": ecg[1]} if ecg is not None else {}
    return FoldLevels(fold, None if ecg is None else ecg[0], ehr[0], histories | {"ehr": ehr[1]})


def numbered(progress: Progress, number: int, total: int) -> Progress:
    """Return the progress report of one fold among several."""
    return lambda what, done, of: progress(f"fold {number + 1}/{total}: {what}", done, of)


class StageOne:
    """Level predictors of all folds, the frozen tokens behind them, and held-out ports (columns of ALL_PORTS)."""

    def __init__(
        self, cohort: ScaledCohort, scaler: Scaler, stages: list[FoldLevels], splits: dict[str, np.ndarray]
    ) -> None:
        self.cohort, self.scaler, self.stages, self.splits = cohort, scaler, stages, splits
        self.present = cohort.arrays.ecg_present
        held = [stage.fold.held for stage in stages]
        self.rows = np.concatenate(held)
        self.fold_of = np.concatenate([np.full(len(part), number) for number, part in enumerate(held)])
        if len(stages) == 1:  # one fold: the stack needs inner folds of its own to cross-fit over
            self.fold_of = np.random.default_rng(0).permutation(len(self.rows)) % 5
        self.paired = self.rows[self.present[self.rows]]
        self.has_ecg = all(stage.ecg is not None for stage in stages) and enough(cohort.arrays.labels[self.paired])
        self.caches = [self._cache(stage) for stage in stages]
        self.ports = np.full((len(self.rows), len(ALL_PORTS)), np.nan)
        for number, (stage, cache) in enumerate(zip(stages, self.caches, strict=True)):
            some, at = stage.fold.held, self._positions(number)
            self.ports[at, 3:6] = cache["ehr"].take_logits(some)
            if "ecg" in cache:
                has = self.present[some]
                self.ports[at[has], :3] = cache["ecg"].take_logits(some[has])

    def _cache(self, stage: FoldLevels) -> dict[str, LevelCache]:
        rows = np.unique(np.concatenate([stage.fold.learn, stage.fold.held, self.splits["val"]]))
        caches = {"ehr": cache_levels(stage.ehr, self.cohort, rows, "ehr")}
        if stage.ecg is not None:
            caches["ecg"] = cache_levels(stage.ecg, self.cohort, rows[self.present[rows]], "ecg")
        return caches

    def _positions(self, number: int) -> np.ndarray:
        start = sum(len(stage.fold.held) for stage in self.stages[:number])
        return np.arange(start, start + len(self.stages[number].fold.held))

    def set_cross(self, number: int, rows: np.ndarray, logits: np.ndarray) -> None:
        """Put y_Omega2 of fold `number`'s held rows in its place."""
        at = self._positions(number)
        has = self.present[self.rows[at]]
        if not np.array_equal(self.rows[at][has], rows):
            raise ValueError("cross-attention must predict the fold's held rows in their order")
        self.ports[at[has], 6] = logits

    def held(self, path: str, ports: tuple[str, ...]) -> Held:
        """Return the held rows that a path is fitted on, with these ports of theirs."""
        use = np.ones(len(self.rows), dtype=bool) if path == "ehr" else self.present[self.rows]
        columns = [ALL_PORTS.index(port) for port in ports]
        rows = self.rows[use]
        return Held(rows, self.ports[use][:, columns], self.cohort.arrays.labels[rows], self.fold_of[use])
