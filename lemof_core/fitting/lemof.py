"""The staged fit of LeMoF: cohort and splits in, `LemofModel` out. No row of test is read."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from lemof_core.batch import CohortArrays, ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.decision import PORTS, Decision, fit_decision, fit_with_held_out
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake
from lemof_core.fitting.cross_stage import (
    N_SEARCH_FOLDS,
    PairChoice,
    candidate_pairs,
    choose_pair,
    cross_logits,
    fit_cross,
)
from lemof_core.fitting.decision_stage import calibrate, choose_input_background, level_choice_rows
from lemof_core.fitting.folds import Fold, make_folds
from lemof_core.fitting.level_stage import FoldLevels, LevelCache, cache_levels, enough, fit_levels
from lemof_core.fitting.workers import run_all
from lemof_core.fusion.lemof import FoldModel, LemofModel
from lemof_core.training import Progress

MANY = 400  # training samples from which on folds are worth a process each


def quiet(what: str, done: int, total: int) -> None:
    """Report nothing."""


def fit_lemof(
    arrays: CohortArrays, splits: dict[str, np.ndarray], config: RunConfig, *, progress: Progress = quiet
) -> LemofModel:
    """Return the model fitted in stages: levels and Module 2 by fold, the stack on held-out rows, Platt on cal.

    splits: name -> rows; train, val, meta and cal are used, test is not looked at. Preprocessing is fitted on train;
    under oof5 encoders, Module 2 and G learn on train and meta, under holdout encoders on train and G on meta.
    Raises ModelMistake where a class is missing from what the networks learn from.
    """
    started = time.monotonic()
    used = {name: rows for name, rows in splits.items() if name != "test"}
    for name in ("train", "val", "meta", "cal"):
        used.setdefault(name, np.empty(0, dtype=np.int64))
    labels = arrays.labels[used["train"]]
    if not enough(labels, at_least=2):
        raise ModelMistake(
            f"training needs at least 2 samples of each class in train, however: n = {len(labels)}, "
            f"events = {int(labels.sum())}; ingest more patients"
        )
    scaler = Scaler.fit(arrays, used["train"])
    cohort = scaler.transform(arrays)
    folds = make_folds(arrays, used, config)
    tasks = [
        partial(_fit_fold, cohort, fold, used["val"], config, scaler, number, len(folds))
        for number, fold in enumerate(folds)
    ]
    stages = run_all(tasks, parallel=len(used["train"]) >= MANY, progress=progress)
    stack = _Stack(cohort, stages, used["val"])
    has_ecg = all(stage.ecg is not None for stage in stages) and enough(arrays.labels[stack.paired])
    models: list[FoldModel] = [FoldModel(None, stage.ehr, None, None) for stage in stages]
    decisions: dict[str, Decision] = {}
    choice: PairChoice | None = None
    if has_ecg:
        models, choice, decisions["both"] = _fit_both(stack, config, scaler, progress)
    rows, ports, fold_of = stack.held_ports("ehr")
    decisions["ehr"] = fit_decision(ports, arrays.labels[rows], fold_of, path="ehr", config=config.decision)
    model = LemofModel(
        config=config,
        scaler=scaler,
        folds=models,
        decisions=decisions,
        refits={},
        port_background={},
        background_ids={},
        input_background=choose_input_background(cohort, scaler, used, config, has_ecg=has_ecg),
        calibration={},
    )
    for path in decisions:
        calibrate(model, cohort, used["cal"], stack.held_rows(path), path, meta=used["meta"], progress=progress)
    model.level_choices = level_choice_rows(model, {path: stack.held_rows(path) for path in decisions}, choice)
    model.report = _fit_report(model, stages, choice, time.monotonic() - started)
    if not has_ecg:
        n = len(stack.paired)
        model.report["not_estimable"]["ecg path"] = f"not estimable, n = {n} samples with an ECG to fit on"
    return model


def _fit_fold(
    cohort: ScaledCohort,
    fold: Fold,
    val: np.ndarray,
    config: RunConfig,
    scaler: Scaler,
    number: int,
    n_folds: int,
    progress: Progress,
) -> FoldLevels:
    """Return Stage 1 of one fold; a function of its own, so that another process can be asked."""
    report = _numbered(progress, number, n_folds)
    return fit_levels(cohort, fold, val, config, scaler, seed=config.seed + number, progress=report)


class _Stack:
    """Held-out level predictions of all folds, and the frozen tokens behind them."""

    def __init__(self, cohort: ScaledCohort, stages: list[FoldLevels], val: np.ndarray) -> None:
        self.cohort, self.stages = cohort, stages
        self.present = cohort.arrays.ecg_present
        self.val = val
        held = [stage.fold.held for stage in stages]
        self.rows = np.concatenate(held)
        self.fold_of = np.concatenate([np.full(len(part), number) for number, part in enumerate(held)])
        if len(stages) == 1:  # one fold: the stack needs inner folds of its own to cross-fit over
            self.fold_of = np.random.default_rng(0).permutation(len(self.rows)) % 5
        self.paired = self.rows[self.present[self.rows]]
        self.caches = [self._cache(stage) for stage in stages]
        self.logits = np.full((len(self.rows), 7), np.nan)
        start = 0
        for stage, cache in zip(stages, self.caches, strict=True):
            some = stage.fold.held
            at = np.arange(start, start + len(some))
            self.logits[at, 3:6] = cache["ehr"].take_logits(some)
            if "ecg" in cache:
                has = self.present[some]
                self.logits[at[has], :3] = cache["ecg"].take_logits(some[has])
            start += len(some)

    def _cache(self, stage: FoldLevels) -> dict[str, LevelCache]:
        rows = np.unique(np.concatenate([stage.fold.learn, stage.fold.held, self.val]))
        caches = {"ehr": cache_levels(stage.ehr, self.cohort, rows, "ehr")}
        if stage.ecg is not None:
            caches["ecg"] = cache_levels(stage.ecg, self.cohort, rows[self.present[rows]], "ecg")
        return caches

    def set_cross(self, number: int, rows: np.ndarray, logits: np.ndarray) -> None:
        """Put y_Omega2 of fold `number`'s held rows in its place."""
        at = self._positions(number)
        has = self.present[self.rows[at]]
        if not np.array_equal(self.rows[at][has], rows):
            raise ValueError("cross-attention must predict the fold's held rows in their order")
        self.logits[at[has], 6] = logits

    def _positions(self, number: int) -> np.ndarray:
        start = sum(len(stage.fold.held) for stage in self.stages[:number])
        return np.arange(start, start + len(self.stages[number].fold.held))

    def held_ports(self, path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (rows, ports, fold of each) of the held rows that a path is fitted on."""
        columns = [
            (["ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3", "cross"]).index(port) for port in PORTS[path]
        ]
        use = np.ones(len(self.rows), dtype=bool) if path == "ehr" else self.present[self.rows]
        return self.rows[use], self.logits[use][:, columns], self.fold_of[use]

    def held_rows(self, path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return (rows, ports, labels, fold of each)."""
        rows, ports, fold_of = self.held_ports(path)
        return rows, ports, self.cohort.arrays.labels[rows], fold_of


def _fit_both(
    stack: _Stack, config: RunConfig, scaler: Scaler, progress: Progress
) -> tuple[list[FoldModel], PairChoice, Decision]:
    """Return the fold models with Module 2, the choice of its levels, and the uncalibrated decision."""
    cohort, present = stack.cohort, stack.present
    _, _, y, fold_of = stack.held_rows("m1")
    ports = stack.held_ports("m1")[1]
    first, held_first = fit_with_held_out(ports, y, fold_of, path="m1", config=config.decision)
    val = stack.val[present[stack.val]]

    def train(number: int, pair: tuple[int, int]) -> tuple[FoldModel, np.ndarray, np.ndarray]:
        stage, caches = stack.stages[number], stack.caches[number]
        learn = stage.fold.learn[present[stage.fold.learn]]
        report = _numbered(progress, number, len(stack.stages))
        seed = config.seed + 100 + number
        cross, _ = fit_cross(stage, caches, cohort, learn, val, config, pair, scaler, seed=seed, progress=report)
        held = stage.fold.held[present[stage.fold.held]]
        return FoldModel(stage.ecg, stage.ehr, cross, pair), held, cross_logits(cross, caches, cohort, held, pair)

    if config.level_choice == "k_star":
        pair = (first.k_star["ecg"], first.k_star["ehr"])
        choice = PairChoice(pair, {}, {pair: 1.0})
    else:
        choice = _search_pair(stack, held_first, config, train)
    models = []
    for number in range(len(stack.stages)):
        model, held, logits = train(number, choice.pair)
        stack.set_cross(number, held, logits)
        models.append(model)
    _, ports, y, fold_of = stack.held_rows("both")
    return models, choice, fit_decision(ports, y, fold_of, path="both", config=config.decision)


def _search_pair(stack: _Stack, held_first: np.ndarray, config: RunConfig, train: Any) -> PairChoice:
    """Return the pair of levels with the best cross-validated gain over M1 in the first folds.

    held_first: y_O1 of the held rows, cross-fitted: an in-sample M1 would make every pair look useless.
    """
    numbers = range(min(N_SEARCH_FOLDS, len(stack.stages)))
    rows, _, labels, _ = stack.held_rows("m1")
    position = {int(row): index for index, row in enumerate(rows)}
    at, candidates = np.empty(0, dtype=np.int64), {}
    for pair in candidate_pairs(config):
        found = [train(number, pair)[1:] for number in numbers]
        at = np.array([position[int(row)] for held, _ in found for row in held])
        candidates[pair] = np.concatenate([logits for _, logits in found])
    return choose_pair(held_first[at], candidates, labels[at], n_draws=config.decision.n_bootstrap, seed=config.seed)


def _numbered(progress: Progress, number: int, total: int) -> Progress:
    return lambda what, done, of: progress(f"fold {number + 1}/{total}: {what}", done, of)


def _fit_report(
    model: LemofModel, stages: list[FoldLevels], choice: PairChoice | None, seconds: float
) -> dict[str, Any]:
    """Return what the model card and the run's row keep of the fit."""
    kept = {
        f"fold {number + 1} {modality} {phase}": history.kept + 1
        for number, stage in enumerate(stages)
        for modality, phases in stage.histories.items()
        for phase, history in phases.items()
    }
    report: dict[str, Any] = {"seconds": round(seconds, 1), "epochs_kept": kept, "not_estimable": {}}
    if choice is not None:
        report["pair"] = list(choice.pair)
        report["pair_gains"] = {f"{a}/{b}": gain for (a, b), gain in choice.gains.items()}
        report["pair_frequency"] = {f"{a}/{b}": share for (a, b), share in choice.frequency.items()}
    for path, facts in model.calibration.items():
        report["not_estimable"].update({f"{path}: {k}": v for k, v in facts.pop("not_estimable", {}).items()})
    return report
