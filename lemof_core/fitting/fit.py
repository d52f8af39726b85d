"""A cohort in, a fitted run out: LeMoF, its modules alone, and every rival, all from the same Stage 1.

They differ in what reads both modalities (the fold's `joint`) and in the decision over the ports; `FUSIONS` has the
names.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig
from lemof_core.decision import PORTS, Decision, fit_decision
from lemof_core.errors import ModelMistake
from lemof_core.fitting.decision_stage import Refit, calibrate, choose_input_background, level_choice_rows
from lemof_core.fitting.joint_stage import fit_joint, fit_trees
from lemof_core.fitting.module_two import fit_module_two
from lemof_core.fitting.pair_choice import PairChoice
from lemof_core.fitting.stage_one import StageOne, fit_stage_one, numbered
from lemof_core.fusion import NETS
from lemof_core.fusion.contract import StagedFusionNet
from lemof_core.fusion.fold_model import FoldModel, make_rival
from lemof_core.fusion.joint import TEACHER, TREES, Joint
from lemof_core.fusion.lemof import LemofModel
from lemof_core.port_stack import BEST_LEVELS, FITTED, STACK_PORTS, PortStack, fit_port_stack, stack_ports
from lemof_core.training import Progress
from lemof_core.typicality import FACTS_OF, FEWEST_CAL, fit_typicality

LEMOF = ("lemof", "lemof_m1", "lemof_m2")
PLAIN = (*STACK_PORTS, BEST_LEVELS)  # they read nothing but level predictions
FUSIONS = (*LEMOF, *PLAIN, *NETS, *TREES)
TUNABLE = ("lemof", "lemof_m2", *NETS)  # the others have nothing that could learn on with the encoders
BETWEEN_STAGES = tuple(name for name, net in NETS.items() if isinstance(net, type) and issubclass(net, StagedFusionNet))


def check_fusion(config: RunConfig) -> None:
    """Raise ModelMistake for a fusion that is not known, or that the run's arm cannot have."""
    if config.fusion not in FUSIONS:
        raise ModelMistake(f"unknown fusion {config.fusion!r}; known: {', '.join(sorted(FUSIONS))}")
    if config.arm == "finetuned" and config.fusion not in TUNABLE:
        raise ModelMistake(f"{config.fusion} has nothing to fine-tune encoders with; take --arm frozen")
    if config.fusion in BETWEEN_STAGES and config.arm == "frozen":
        raise ModelMistake(
            f"{config.fusion} works between its encoders' stages, and the frozen arm keeps only what they end in; "
            "take --arm finetuned"
        )


def quiet(what: str, done: int, total: int) -> None:
    """Report nothing."""


def fit(
    arrays: CohortArrays,
    splits: dict[str, np.ndarray],
    config: RunConfig,
    *,
    progress: Progress = quiet,
    kept_in: Path | None = None,
) -> LemofModel:
    """Return the run's model fitted in stages: levels by fold, what reads both modalities, the stack, Platt on cal.

    splits: name -> rows; train, val, meta and cal are used, test is not looked at. Preprocessing is fitted on train;
    under oof5 all networks learn on train and meta and G on what each fold held out, under holdout networks learn on
    train and G on meta.
    kept_in: a folder of level predictors that runs of the same Stage 1 share.
    Raises ModelMistake where a class is missing from what the networks or the stack learn from, and where a loss is
    not finite.
    """
    check_fusion(config)
    started = time.monotonic()
    stage = fit_stage_one(arrays, splits, config, progress=progress, kept_in=kept_in)
    model = fit_on(stage, config, progress=progress)
    model.report["seconds"] = round(time.monotonic() - started, 1)
    return model


def fit_on(stage: StageOne, config: RunConfig, *, progress: Progress = quiet) -> LemofModel:
    """Return the model of one configuration on a Stage 1 that others may share.

    The stage's cross port belongs to whoever was fitted on it last.
    """
    check_fusion(config)
    started = time.monotonic()
    joints, choice, kept = _fit_joints(stage, config, progress)
    for number, joint in enumerate(joints):
        if joint is not None:
            stage.set_joint(number, joint)
    inputs = {path: _read_ports(stage, config, path, joints) for path in _paths(stage)}
    apart = {path: stage.apart(path, read, joints) for path, read in inputs.items() if _reads_noise(config, read)}
    refits = {path: _refit_of(config, read, apart.get(path)) for path, read in inputs.items()}
    decisions: dict[str, Decision | PortStack] = {}
    for path, read in inputs.items():
        held = stage.held(path, read)
        decisions[path] = refits[path](held.ports, held.labels, held.fold_of, None)
    background = choose_input_background(stage.cohort, stage.scaler, stage.splits, config, has_ecg=stage.has_ecg)
    pairs = zip(stage.stages, joints, strict=True)
    model = LemofModel(
        config=config,
        scaler=stage.scaler,
        folds=[FoldModel(fold.ecg if stage.has_ecg else None, fold.ehr, joint).eval() for fold, joint in pairs],
        decisions=decisions,
        refits={},
        port_background={},
        background_ids={},
        input_background=background,
        calibration={},
    )
    for path in inputs:
        calibrate(model, stage, path, refit=refits[path], progress=progress)
    model.typicality = fit_typicality(stage.cohort.arrays, stage.splits)
    held_of = {path: stage.held(path, decision.ports) for path, decision in decisions.items()}
    model.level_choices = level_choice_rows(model, held_of, apart, choice)
    model.report = _fit_report(model, stage, choice, kept, time.monotonic() - started)
    return model


def _fit_joints(
    stage: StageOne, config: RunConfig, progress: Progress
) -> tuple[list[Joint | None], PairChoice | None, dict[str, int]]:
    """Return each fold's reader of both modalities, the choice of Module 2's levels, and the epochs that were kept."""
    n_folds = len(stage.stages)
    if not stage.has_ecg or config.fusion == "lemof_m1" or config.fusion in PLAIN:
        return [None] * n_folds, None, {}
    if config.fusion in LEMOF:
        return fit_module_two(stage, config, progress)
    joints: list[Joint | None] = []
    kept: dict[str, int] = {}
    for number, samples in enumerate(stage.samples):
        learn, val = stage.stages[number].fold.learn, stage.splits["val"]
        seed, report = config.seed + 100 + number, numbered(progress, number, n_folds)
        if config.fusion in TREES:
            if config.fusion == TEACHER:
                joints.append(stage.teachers[number])
            else:
                joints.append(fit_trees(samples, learn, val, reads=TREES[config.fusion], seed=seed))
            report("boosted trees", 1, 1)
            continue
        torch.manual_seed(seed)
        joint = make_rival(config, samples.ecg_predictor(), samples.ehr, stage.scaler)
        history = fit_joint(
            joint,
            samples,
            learn,
            val,
            config,
            config.net,
            what=config.fusion,
            seed=seed,
            progress=report,
            teacher=stage.teacher(number, config),
        )
        kept[f"fold {number + 1} {config.fusion}"] = history.kept + 1
        joints.append(joint)
    return joints, None, kept


def _paths(stage: StageOne) -> tuple[str, ...]:
    return ("both", "ehr") if stage.has_ecg else ("ehr",)


def _read_ports(stage: StageOne, config: RunConfig, path: str, joints: list[Joint | None]) -> tuple[str, ...]:
    """Return the ports that the run's decision reads on a path."""
    if config.fusion in STACK_PORTS:
        return stack_ports(config.fusion, path)
    if config.fusion == BEST_LEVELS:
        kind = "m1" if path == "both" else "ehr"
        held = stage.held(path, PORTS[kind])
        how: dict[str, Any] = {"config": config.decision, "apart": stage.apart(path, PORTS[kind], ())}
        k_star = fit_decision(held.ports, held.labels, held.fold_of, path=kind, **how).k_star
        return tuple(f"{modality}_{level}" for modality, level in k_star.items())
    if config.fusion in LEMOF:
        of_both = {"lemof": PORTS["both"], "lemof_m1": PORTS["m1"], "lemof_m2": ("cross",)}
        return PORTS["ehr"] if path == "ehr" else of_both[config.fusion]
    handles_missing = all(joint is not None and joint.handles_missing_ecg for joint in joints)
    # A rival that cannot read a stay without an ECG gets LeMoF's stack of the record there: what is compared is fusion.
    return ("cross",) if path == "both" or handles_missing else PORTS["ehr"]


def _is_stack(config: RunConfig, inputs: tuple[str, ...]) -> bool:
    """Return whether the ports are read by a `PortStack`, not by LeMoF's decision."""
    return config.fusion in PLAIN or inputs not in PORTS.values()


def _reads_noise(config: RunConfig, inputs: tuple[str, ...]) -> bool:
    """Return whether weights are fitted to these ports for their mean over folds, which needs to know their noise."""
    return config.decision.for_mean and (not _is_stack(config, inputs) or config.fusion in FITTED)


def _refit_of(config: RunConfig, inputs: tuple[str, ...], apart: np.ndarray | None) -> Refit:
    """Return how the decision on these ports is fitted to held rows: (ports, labels, folds, like) -> decision."""

    def decision(ports: np.ndarray, y: np.ndarray, folds: np.ndarray, like: Any) -> Decision:
        kind = next(name for name, read in PORTS.items() if read == inputs)
        return fit_decision(ports, y, folds, path=kind, config=config.decision, like=like, apart=apart)

    def stack(ports: np.ndarray, y: np.ndarray, folds: np.ndarray, like: Any) -> PortStack:
        how: dict[str, Any] = {"inputs": inputs, "config": config.decision, "like": like, "apart": apart}
        return fit_port_stack(config.fusion, ports, y, folds, **how)

    return stack if _is_stack(config, inputs) else decision


def _fit_report(
    model: LemofModel, stage: StageOne, choice: PairChoice | None, kept: dict[str, int], seconds: float
) -> dict[str, Any]:
    """Return what the model card and the run's row keep of the fit."""
    epochs = {
        f"fold {number + 1} {modality} {phase}": history.kept + 1
        for number, fold in enumerate(stage.stages)
        for modality, phases in fold.histories.items()
        for phase, history in phases.items()
    }
    report: dict[str, Any] = {"seconds": round(seconds, 1), "epochs_kept": epochs | kept, "not_estimable": {}}
    if choice is not None:
        report["pair"] = list(choice.pair)
        report["pair_gains"] = {f"{a}/{b}": gain for (a, b), gain in choice.gains.items()}
        report["pair_frequency"] = {f"{a}/{b}": share for (a, b), share in choice.frequency.items()}
    for path, facts in model.calibration.items():
        report["not_estimable"].update({f"{path}: {k}": v for k, v in facts.pop("not_estimable", {}).items()})
    for modality in FACTS_OF:
        if modality not in model.typicality and (modality == "ehr" or stage.has_ecg):
            n = len(stage.splits["cal"]) if modality == "ehr" else int(stage.present[stage.splits["cal"]].sum())
            report["not_estimable"][f"typical {modality}"] = f"not estimable, n = {n} in cal of {FEWEST_CAL} needed"
    val = stage.splits["val"]
    events = int(stage.cohort.arrays.labels[val].sum())
    if min(events, len(val) - events) < 1:
        how = "every network learns for all its epochs" if len(val) == 0 else "networks stop by the loss on one class"
        report["not_estimable"]["early stopping"] = f"not estimable, n = {len(val)}, events = {events} in val: {how}"
    if not stage.has_ecg:
        n = len(stage.paired)
        report["not_estimable"]["ecg path"] = f"not estimable, n = {n} samples with an ECG to fit on"
        if model.config.fusion in (*NETS, *TREES, "lemof_m2"):
            stands = "the record's level predictions stand for it"
            report["not_estimable"][model.config.fusion] = f"not estimable without ECGs to fit on: {stands}"
    return report
