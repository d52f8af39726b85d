"""Stage 1 of every run: preprocessing, level predictors of each fold, and what they predict for the rows they held out.

LeMoF and everything it is compared with start from the same Stage 1: same folds, same encoders, same patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lemof_core.batch import CohortArrays, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake
from lemof_core.fitting.folds import Fold, make_folds
from lemof_core.fitting.joint_stage import FoldSamples, fit_trees, joint_logits
from lemof_core.fitting.level_files import LevelFiles
from lemof_core.fitting.level_stage import FoldLevels, cache_levels, enough, fit_predictor
from lemof_core.fitting.workers import run_all
from lemof_core.fusion.fold_model import refuse_impossible_sizes
from lemof_core.fusion.joint import TEACHER, TREES, Joint, TreeJoint
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
    also: np.ndarray | None = None,
    like: StageOne | None = None,
) -> StageOne:
    """Return the level predictors of every fold of `config.fitting`, and their held-out predictions.

    splits: name -> rows; test is not looked at. Preprocessing is fitted on train.
    kept_in: a folder that trained predictors are taken from and put into.
    also: rows that nothing is fitted on but whose levels are wanted too, computed once for many fits.
    like: another Stage 1 of the same rows; what its predictors are equal to ours in is not computed again.
    Raises ModelMistake where a class is missing from what the networks learn from, or from what they held out.
    """
    setting = Setting.of(arrays, splits, config, kept_in)
    found = setting.train(("ecg", "ehr"), progress)
    folds = enumerate(setting.folds)
    stages = [_fold_levels(fold, found["ecg", number], found["ehr", number]) for number, fold in folds]
    return StageOne(setting.cohort, setting.scaler, stages, setting.splits, also, like)


@dataclass(frozen=True)
class Setting:
    """What level predictors are trained in: scaled cohort, folds, and where trained ones are kept."""

    config: RunConfig
    cohort: ScaledCohort
    scaler: Scaler
    splits: dict[str, np.ndarray]
    folds: list[Fold]
    files: LevelFiles

    @classmethod
    def of(
        cls, arrays: CohortArrays, splits: dict[str, np.ndarray], config: RunConfig, kept_in: Path | None
    ) -> Setting:
        """Return the setting; raise ModelMistake where train, or what the folds hold out, lacks a class."""
        used = {name: splits.get(name, np.empty(0, dtype=np.int64)) for name in ("train", "val", "meta", "cal")}
        labels = arrays.labels[used["train"]]
        if not enough(labels, at_least=2):
            raise ModelMistake(
                f"training needs at least 2 samples of each class in train, however: n = {len(labels)}, "
                f"events = {int(labels.sum())}; ingest more patients"
            )
        scaler = Scaler.fit(arrays, used["train"])
        cohort = scaler.transform(arrays)
        refuse_impossible_sizes(config, cohort, scaler)
        folds = make_folds(arrays, used, config)
        labels = arrays.labels[np.concatenate([fold.held for fold in folds])]
        if not enough(labels, at_least=2):
            raise ModelMistake(
                f"{config.fitting} fitting needs at least 2 samples of each class in meta, however: n = {len(labels)}, "
                f"events = {int(labels.sum())}; ingest more patients, or fit by oof5"
            )
        return cls(config, cohort, scaler, used, folds, LevelFiles(kept_in, cohort, used["val"], config, scaler))

    def train(self, modalities: Sequence[str], progress: Progress) -> dict[tuple[str, int], Fitted]:
        """Return (modality, fold) -> its predictor, trained unless it was kept; new ones are kept."""
        seed, n_folds = self.config.seed, len(self.folds)
        wanted = [(modality, number) for number in range(n_folds) for modality in modalities]
        found: dict[tuple[str, int], Fitted] = {
            (modality, number): self.files.load(modality, self.folds[number], seed + number)
            for modality, number in wanted
        }
        missing = [key for key in wanted if found[key] is None]
        shared = (self.cohort, self.splits["val"], self.config, self.scaler)
        tasks = [
            partial(_fit_one, modality, self.folds[number], number, n_folds, *shared) for modality, number in missing
        ]
        fitted = run_all(tasks, parallel=len(self.splits["train"]) >= MANY, progress=progress)
        for (modality, number), made in zip(missing, fitted, strict=True):
            found[modality, number] = made
            if made is not None:
                self.files.keep(modality, self.folds[number], seed + number, *made)
        return found


def _fit_one(
    modality: str,
    fold: Fold,
    number: int,
    n_folds: int,
    cohort: ScaledCohort,
    val: np.ndarray,
    config: RunConfig,
    scaler: Scaler,
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


def same_weights(first: LevelPredictor, second: LevelPredictor) -> bool:
    """Return whether two predictors are the same network with equal weights."""
    if type(first.encoder) is not type(second.encoder):
        return False
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class StageOne:
    """Level predictors of all folds, the frozen tokens behind them, and held-out ports (columns of ALL_PORTS)."""

    def __init__(
        self,
        cohort: ScaledCohort,
        scaler: Scaler,
        stages: list[FoldLevels],
        splits: dict[str, np.ndarray],
        also: np.ndarray | None = None,
        like: StageOne | None = None,
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
        self.also = np.empty(0, dtype=np.int64) if also is None else also
        known: Sequence[FoldSamples | None] = [None] * len(stages)
        if like is not None and len(like.samples) == len(stages):  # another fitting may have other folds
            known = like.samples
        self.samples: list[FoldSamples] = [
            self._samples(stage, some) for stage, some in zip(stages, known, strict=True)
        ]
        self.ports = np.full((len(self.rows), len(ALL_PORTS)), np.nan)
        self.alone = np.full(len(self.rows), np.nan)  # the port "cross" as if there were no ECG
        for number, stage in enumerate(stages):
            self.ports[self._positions(number), :6] = self.samples[number].level_ports(stage.fold.held)

    def _samples(self, stage: FoldLevels, known: FoldSamples | None) -> FoldSamples:
        parts = [stage.fold.learn, stage.fold.held, self.splits["val"], self.splits["cal"], self.also]
        rows = np.unique(np.concatenate(parts))
        caches = {}
        for modality, predictor in (("ehr", stage.ehr), ("ecg", stage.ecg)):
            if predictor is None:
                continue
            wanted = rows if modality == "ehr" else rows[self.present[rows]]
            theirs = None if known is None else known.of(modality)
            if theirs and set(wanted.tolist()) <= theirs[1].index.keys() and same_weights(predictor, theirs[0]):
                caches[modality] = theirs[1]
            else:
                caches[modality] = cache_levels(predictor, self.cohort, wanted, modality)
        return FoldSamples(stage.ecg, stage.ehr, caches, self.cohort)

    def forget(self, modality: str) -> None:
        """Free what the modality's predictors made of the rows; nothing can be fitted on this Stage 1 any more."""
        for some in self.samples:
            some.caches.pop(modality, None)

    def _positions(self, number: int) -> np.ndarray:
        start = sum(len(stage.fold.held) for stage in self.stages[:number])
        return np.arange(start, start + len(self.stages[number].fold.held))

    @cached_property
    def teachers(self) -> list[TreeJoint]:
        """Boosted trees of every fold that read the record's facts and what was measured from the ECG."""
        val, reads = self.splits["val"], TREES[TEACHER]
        folds = enumerate(zip(self.samples, self.stages, strict=True))
        return [fit_trees(some, stage.fold.learn, val, reads=reads, seed=number) for number, (some, stage) in folds]

    def teacher(self, number: int, config: RunConfig) -> TreeJoint | None:
        """Return who teaches what reads both modalities in a fold; None where it learns the labels."""
        return self.teachers[number] if config.teacher == "trees" else None

    def set_joint(self, number: int, joint: Joint) -> None:
        """Put what fold `number`'s joint says of its held rows in their place, with their ECG and without."""
        at, held, samples = self._positions(number), self.stages[number].fold.held, self.samples[number]
        self.ports[at, 6] = joint_logits(joint, samples, held)
        self.alone[at] = joint_logits(joint, samples, held, alone=True)

    def held(self, path: str, ports: tuple[str, ...]) -> Held:
        """Return the held rows that a path is fitted on, with these ports of theirs."""
        use = np.ones(len(self.rows), dtype=bool) if path == "ehr" else self.present[self.rows]
        known = self.ports.copy()
        if path == "ehr":
            known[:, 6] = self.alone
        columns = [ALL_PORTS.index(port) for port in ports]
        rows = self.rows[use]
        return Held(rows, known[use][:, columns], self.cohort.arrays.labels[rows], self.fold_of[use])

    def fold_ports(self, joints: Sequence[Joint | None], path: str, rows: np.ndarray) -> np.ndarray:
        """Return ports (folds, n, 7) of cached rows that no fold held out; path "ehr" asks for no ECG."""
        out = np.full((len(self.samples), len(rows), len(ALL_PORTS)), np.nan)
        for number, (samples, joint) in enumerate(zip(self.samples, joints, strict=True)):
            out[number, :, :6] = samples.level_ports(rows)
            if joint is not None:
                out[number, :, 6] = joint_logits(joint, samples, rows, alone=path == "ehr")
        return out

    def model_ports(self, joints: Sequence[Joint | None], path: str, rows: np.ndarray) -> np.ndarray:
        """Return ports (n, 7): the mean of `fold_ports` over folds, which is what the model reads."""
        return np.asarray(self.fold_ports(joints, path, rows).mean(0))

    def apart(self, path: str, ports: tuple[str, ...], joints: Sequence[Joint | None]) -> np.ndarray:
        """Return (folds, M, n_ports) of the rows of val and cal: how far folds differ, whatever the labels are."""
        rows = np.concatenate([self.splits["val"], self.splits["cal"]])
        rows = rows if path == "ehr" else rows[self.present[rows]]
        asked = joints if "cross" in ports else [None] * len(self.samples)
        return self.fold_ports(asked, path, rows)[:, :, [ALL_PORTS.index(port) for port in ports]]
