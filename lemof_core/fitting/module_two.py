"""Module 2 of LeMoF: which pair of levels it reads, and its training on each fold (eq. 9 to 12)."""

from __future__ import annotations

import numpy as np
import torch

from lemof_core.config import RunConfig
from lemof_core.decision import PORTS, Decision, fit_with_held_out
from lemof_core.fitting.joint_stage import fit_joint, joint_logits
from lemof_core.fitting.pair_choice import N_SEARCH_FOLDS, PairChoice, candidate_pairs, choose_pair
from lemof_core.fitting.stage_one import StageOne, numbered
from lemof_core.fusion.fold_model import make_cross
from lemof_core.fusion.joint import CrossJoint, Joint
from lemof_core.training import History, Progress


def fit_module_two(
    stage: StageOne, config: RunConfig, progress: Progress
) -> tuple[list[Joint | None], PairChoice, dict[str, int]]:
    """Return Module 2 of every fold, the choice of its levels, and the epochs that were kept."""
    choice = _choose(stage, config, progress)
    joints: list[Joint | None] = []
    kept = {}
    for number in range(len(stage.stages)):
        joint, history = _train(stage, config, progress, number, choice.pair)
        joints.append(joint)
        kept[f"fold {number + 1} module 2"] = history.kept + 1
    return joints, choice, kept


def _choose(stage: StageOne, config: RunConfig, progress: Progress) -> PairChoice:
    """Return the pair that `config.level_choice` asks for, with the share of bootstrap draws that choose it."""
    if config.level_choice == "cv_gain":
        return _search(stage, config, progress)
    if config.level_choice == "fixed":
        pair = (3, 3)
    elif config.level_choice == "random":
        drawn = np.random.default_rng(config.seed).integers(1, 4, 2)
        pair = (int(drawn[0]), int(drawn[1]))
    else:
        first, _ = _module_one(stage, config)
        pair = (first.k_star["ecg"], first.k_star["ehr"])
    return PairChoice(pair, {}, {pair: 1.0})


def _module_one(stage: StageOne, config: RunConfig) -> tuple[Decision, np.ndarray]:
    """Return M1 on the held rows with an ECG, and their cross-fitted y_O1 as log-odds."""
    held, apart = stage.held("both", PORTS["m1"]), stage.apart("both", PORTS["m1"], ())
    return fit_with_held_out(*held[1:], path="m1", config=config.decision, apart=apart)


def _train(
    stage: StageOne, config: RunConfig, progress: Progress, number: int, pair: tuple[int, int]
) -> tuple[CrossJoint, History]:
    """Return Module 2 of one fold on the pair."""
    samples, seed = stage.samples[number], config.seed + 100 + number
    torch.manual_seed(seed)
    joint = make_cross(config, samples.ecg_predictor(), samples.ehr, pair, stage.scaler)
    history = fit_joint(
        joint,
        samples,
        stage.stages[number].fold.learn,
        stage.splits["val"],
        config,
        config.cross,
        what=f"cross-attention {pair}",
        seed=seed,
        progress=numbered(progress, number, len(stage.stages)),
        teacher=stage.teacher(number, config),
    )
    return joint, history


def _search(stage: StageOne, config: RunConfig, progress: Progress) -> PairChoice:
    """Return the pair of levels with the best cross-validated gain over M1 in the first folds, encoders frozen.

    y_O1 is cross-fitted: an in-sample M1 would make every pair look useless.
    """
    frozen = config.with_arm("frozen")
    held = stage.held("both", PORTS["m1"])
    _, first = _module_one(stage, config)
    position = {int(row): index for index, row in enumerate(held.rows)}
    numbers = range(min(N_SEARCH_FOLDS, len(stage.stages)))
    parts = [stage.stages[number].fold.held for number in numbers]
    rows = [part[stage.present[part]] for part in parts]
    candidates = {}
    for pair in candidate_pairs(config):
        joints = [_train(stage, frozen, progress, number, pair)[0] for number in numbers]
        found = [joint_logits(joints[number], stage.samples[number], rows[number]) for number in numbers]
        candidates[pair] = np.concatenate(found)
    at = np.array([position[int(row)] for row in np.concatenate(rows)])
    n_draws = config.decision.n_bootstrap
    return choose_pair(first[at], candidates, held.labels[at], n_draws=n_draws, seed=config.seed)
