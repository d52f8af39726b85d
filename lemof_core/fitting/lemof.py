"""LeMoF after Stage 1: held-out level predictions in, `LemofModel` out. M1 alone, M2 alone, and plain rivals too.

All of them read ports (inner predictions), so they differ in the decision alone; see `RunConfig.fusion` for the names.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig
from lemof_core.decision import PORTS, Decision, fit_decision, fit_with_held_out
from lemof_core.fitting.cross_stage import (
    N_SEARCH_FOLDS,
    PairChoice,
    candidate_pairs,
    choose_pair,
    cross_logits,
    fit_cross,
)
from lemof_core.fitting.decision_stage import Refit, calibrate, choose_input_background, level_choice_rows
from lemof_core.fitting.stage_one import StageOne, fit_stage_one, numbered
from lemof_core.fusion.lemof import FoldModel, LemofModel
from lemof_core.port_stack import STACK_PORTS, PortStack, fit_port_stack, stack_ports
from lemof_core.training import Progress

LEMOF = ("lemof", "lemof_m1", "lemof_m2")
PORT_FUSIONS = (*LEMOF, *STACK_PORTS)


def quiet(what: str, done: int, total: int) -> None:
    """Report nothing."""


def fit_lemof(
    arrays: CohortArrays,
    splits: dict[str, np.ndarray],
    config: RunConfig,
    *,
    progress: Progress = quiet,
    kept_in: Path | None = None,
) -> LemofModel:
    """Return the model fitted in stages: levels and Module 2 by fold, the stack on held-out rows, Platt on cal.

    splits: name -> rows; train, val, meta and cal are used, test is not looked at. Preprocessing is fitted on train;
    under oof5 encoders, Module 2 and G learn on train and meta, under holdout encoders on train and G on meta.
    kept_in: a folder of level predictors that runs of the same Stage 1 share.
    Raises ModelMistake where a class is missing from what the networks learn from.
    """
    started = time.monotonic()
    stage = fit_stage_one(arrays, splits, config, progress=progress, kept_in=kept_in)
    models = [FoldModel(fold.ecg if stage.has_ecg else None, fold.ehr, None, None) for fold in stage.stages]
    choice: PairChoice | None = None
    if stage.has_ecg and config.fusion in ("lemof", "lemof_m2"):
        models, choice = _fit_module_two(stage, config, progress)
    decisions: dict[str, Decision | PortStack] = {}
    refits: dict[str, Refit] = {}
    for path in ("both", "ehr") if stage.has_ecg else ("ehr",):
        refits[path] = _refit_of(config, path)
        held = stage.held(path, _read_ports(config, path))
        decisions[path] = refits[path](held.ports, held.labels, held.fold_of, None)
    model = LemofModel(
        config=config,
        scaler=stage.scaler,
        folds=models,
        decisions=decisions,
        refits={},
        port_background={},
        background_ids={},
        input_background=choose_input_background(
            stage.cohort, stage.scaler, stage.splits, config, has_ecg=stage.has_ecg
        ),
        calibration={},
    )
    held_of = {path: stage.held(path, decision.ports) for path, decision in decisions.items()}
    cal, meta = stage.splits["cal"], stage.splits["meta"]
    for path, held in held_of.items():
        calibrate(model, stage.cohort, cal, held, path, meta=meta, refit=refits[path], progress=progress)
    model.level_choices = level_choice_rows(model, held_of, choice)
    model.report = _fit_report(model, stage, choice, time.monotonic() - started)
    if not stage.has_ecg:
        n = len(stage.paired)
        model.report["not_estimable"]["ecg path"] = f"not estimable, n = {n} samples with an ECG to fit on"
    return model


def _read_ports(config: RunConfig, path: str) -> tuple[str, ...]:
    """Return the ports that the run's decision reads on a path."""
    if config.fusion in STACK_PORTS:
        return stack_ports(config.fusion, path)
    if path == "ehr":
        return PORTS["ehr"]
    return {"lemof": PORTS["both"], "lemof_m1": PORTS["m1"], "lemof_m2": ("cross",)}[config.fusion]


def _refit_of(config: RunConfig, path: str) -> Refit:
    """Return how the run's decision on a path is fitted to held rows: (ports, labels, folds, like) -> decision."""
    inputs = _read_ports(config, path)

    def decision(ports: np.ndarray, y: np.ndarray, folds: np.ndarray, like: Any) -> Decision:
        kind = next(name for name, read in PORTS.items() if read == inputs)
        return fit_decision(ports, y, folds, path=kind, config=config.decision, like=like)

    def stack(ports: np.ndarray, y: np.ndarray, folds: np.ndarray, like: Any) -> PortStack:
        return fit_port_stack(config.fusion, ports, y, folds, inputs=inputs, config=config.decision, like=like)

    return decision if config.fusion in LEMOF and inputs in PORTS.values() else stack


def _fit_module_two(stage: StageOne, config: RunConfig, progress: Progress) -> tuple[list[FoldModel], PairChoice]:
    """Return the fold models with Module 2 and the choice of its levels; the stage knows the cross port afterwards."""
    first, held_first = fit_with_held_out(*stage.held("both", PORTS["m1"])[1:], path="m1", config=config.decision)
    if config.level_choice == "k_star":
        pair = (first.k_star["ecg"], first.k_star["ehr"])
        choice = PairChoice(pair, {}, {pair: 1.0})
    else:
        choice = _search_pair(stage, held_first, config, progress)
    models = []
    for number in range(len(stage.stages)):
        model, held, logits = _train_cross(stage, config, progress, number, choice.pair)
        stage.set_cross(number, held, logits)
        models.append(model)
    return models, choice


def _train_cross(
    stage: StageOne, config: RunConfig, progress: Progress, number: int, pair: tuple[int, int]
) -> tuple[FoldModel, np.ndarray, np.ndarray]:
    """Return (fold model with Module 2 on the pair, the fold's held rows with an ECG, y_Omega2 of these)."""
    fold, caches, present = stage.stages[number], stage.caches[number], stage.present
    learn, val = (rows[present[rows]] for rows in (fold.fold.learn, stage.splits["val"]))
    report = numbered(progress, number, len(stage.stages))
    fit = partial(fit_cross, fold, caches, stage.cohort, learn, val, config, pair, stage.scaler)
    cross, _ = fit(seed=config.seed + 100 + number, progress=report)
    held = fold.fold.held[present[fold.fold.held]]
    return FoldModel(fold.ecg, fold.ehr, cross, pair), held, cross_logits(cross, caches, stage.cohort, held, pair)


def _search_pair(stage: StageOne, held_first: np.ndarray, config: RunConfig, progress: Progress) -> PairChoice:
    """Return the pair of levels with the best cross-validated gain over M1 in the first folds.

    held_first: y_O1 of the held rows, cross-fitted: an in-sample M1 would make every pair look useless.
    """
    numbers = range(min(N_SEARCH_FOLDS, len(stage.stages)))
    all_held = stage.held("both", PORTS["m1"])
    position = {int(row): index for index, row in enumerate(all_held.rows)}
    at, candidates = np.empty(0, dtype=np.int64), {}
    for pair in candidate_pairs(config):
        found = [_train_cross(stage, config, progress, number, pair)[1:] for number in numbers]
        at = np.array([position[int(row)] for held, _ in found for row in held])
        candidates[pair] = np.concatenate([logits for _, logits in found])
    n_draws = config.decision.n_bootstrap
    return choose_pair(held_first[at], candidates, all_held.labels[at], n_draws=n_draws, seed=config.seed)


def _fit_report(model: LemofModel, stage: StageOne, choice: PairChoice | None, seconds: float) -> dict[str, Any]:
    """Return what the model card and the run's row keep of the fit."""
    kept = {
        f"fold {number + 1} {modality} {phase}": history.kept + 1
        for number, fold in enumerate(stage.stages)
        for modality, phases in fold.histories.items()
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
