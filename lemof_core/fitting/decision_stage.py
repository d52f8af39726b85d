"""The last steps of a fit: calibration on cal, bootstrap refits, the background of the explanations, level choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score, roc_curve

from lemof_core.batch import ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.conformal import class_cutoffs
from lemof_core.decision import IDENTITY_PLATT, fit_platt, noise_of_folds
from lemof_core.ehr_series import Scaler
from lemof_core.fitting.level_stage import enough
from lemof_core.fitting.pair_choice import PairChoice
from lemof_core.fitting.stage_one import Held, StageOne
from lemof_core.fusion.lemof import LemofModel
from lemof_core.level_importance import choice_frequency, mean_abs_phi
from lemof_core.logistic import Logistic, fit_logistic
from lemof_core.port_stack import PortStack
from lemof_core.training import Progress

# (ports, labels, fold of each, the decision to be like) -> the decision fitted to these rows
Refit = Callable[[np.ndarray, np.ndarray, np.ndarray, Any], Any]
_FEWEST_BACKGROUND = 4  # patients: fewer have no standard error worth the name


def calibrate(model: LemofModel, stage: StageOne, path: str, *, refit: Refit, progress: Progress) -> None:
    """Leave the path with its Platt calibrator, threshold, conformal cut-offs, background and bootstrap refits.

    Every cal sample calibrates the path without ECG (its own ECG is not looked at there); those with an ECG the other.

    Args:
        refit: how the path's decision is fitted to other draws of the held rows, like the one that is there.
    """
    config = model.config.decision
    arrays, cal = stage.cohort.arrays, stage.splits["cal"]
    held = stage.held(path, model.decisions[path].ports)
    labels = held.labels
    # A decision that reads no port is one constant, whatever the path.
    use = cal if path == "ehr" or not model.decisions[path].ports else cal[arrays.ecg_present[cal]]
    y = arrays.labels[use]
    facts: dict[str, Any] = {"n": len(use), "events": int(y.sum()), "not_estimable": {}}
    cal_ports = stage.model_ports([fold.joint for fold in model.folds], path, use)[:, model.columns(path)]
    raw = model.decisions[path].stages(cal_ports)["raw"] if len(use) else np.empty(0)
    platt, threshold = IDENTITY_PLATT, None
    if enough(y):
        platt = fit_platt(raw, y)
        threshold = _youden(y, expit(platt.logit(raw[:, None])))
    else:
        facts["not_estimable"]["calibration"] = f"not estimable, n = {len(use)}, events = {int(y.sum())} in cal"
    decision = model.decisions[path] = model.decisions[path].calibrated(platt)
    facts["conformal"] = class_cutoffs(y, expit(platt.logit(raw[:, None])))
    facts |= {"threshold": threshold, "base_rate": float(labels.mean()), "n_base": len(labels)}
    _keep_background(model, stage, held, path)
    background = model.port_background[path]
    facts |= {"base_logit": float(decision.logit(background).mean())}
    facts["base_p"] = float(expit(decision.logit(background)).mean())
    model.calibration[path] = facts
    model.refits[path] = (
        _refits(model, held, (raw, y, cal_ports), path, refit, progress) if config.n_bootstrap else np.empty((0, 0))
    )


def _youden(y: np.ndarray, p: np.ndarray) -> float:
    """Return the cut that maximises sensitivity + specificity - 1; 0.5 where none tells the classes apart."""
    false_rate, true_rate, cuts = roc_curve(y, p)
    best = int(np.argmax(true_rate - false_rate))
    return float(min(cuts[best], 1.0)) if true_rate[best] > false_rate[best] else 0.5


def _keep_background(model: LemofModel, stage: StageOne, held: Held, path: str) -> None:
    """Leave port rows of meta patients (of all held rows where meta is too small) as the path's background.

    The ports are those of fold models that never saw the patient, so that the base value is no in-sample number.
    """
    config = model.config.decision
    rows, ports = held.rows, held.ports
    from_meta = np.flatnonzero(np.isin(rows, stage.splits["meta"]))
    pool = from_meta if len(from_meta) >= 20 else np.arange(len(rows))
    rng = np.random.default_rng(model.config.seed)
    chosen = np.sort(rng.permutation(pool)[: config.n_background])
    model.port_background[path] = ports[chosen]
    model.background_ids[path] = tuple(stage.cohort.arrays.sample_ids[int(row)] for row in rows[chosen])


def choose_input_background(
    cohort: ScaledCohort, scaler: Scaler, splits: dict[str, np.ndarray], config: RunConfig, *, has_ecg: bool
) -> ScaledCohort:
    """Return whole patients that no network learnt on: they stand in for an absent modality in `input_phi`.

    They come from cal; where it holds fewer than four that will do, from val, then meta, then train.
    """
    for name in ("cal", "val", "meta", "train"):
        pool = splits[name]
        pool = pool[cohort.arrays.ecg_present[pool]] if has_ecg else pool
        if len(pool) >= _FEWEST_BACKGROUND or name == "train":
            break
    chosen = np.random.default_rng(config.seed + 2).permutation(pool)[: config.decision.n_input_background]
    return scaler.transform(cohort.arrays.take(np.sort(chosen)))


def _refits(
    model: LemofModel,
    held: Held,
    cal: tuple[np.ndarray, np.ndarray, np.ndarray],
    path: str,
    refit: Refit,
    progress: Progress,
) -> np.ndarray:
    """Return (n_bootstrap, n_weights): the decision refitted on draws of the held and the cal samples."""
    config, decision = model.config.decision, model.decisions[path]
    _, ports, labels, fold_of = held
    _, cal_y, cal_ports = cal
    rng = np.random.default_rng(model.config.seed + 1)
    vectors = []
    for draw in range(config.n_bootstrap):
        some = rng.integers(0, len(labels), len(labels))
        some_cal = rng.integers(0, len(cal_y), len(cal_y)) if len(cal_y) else np.empty(0, dtype=np.int64)
        if len(np.unique(labels[some])) < 2:
            continue
        again = refit(ports[some], labels[some], fold_of[some], decision)
        platt = decision.platt
        if enough(cal_y) and len(np.unique(cal_y[some_cal])) == 2:
            platt = fit_platt(again.stages(cal_ports[some_cal])["raw"], cal_y[some_cal])
        vectors.append(again.calibrated(platt).vector())
        if (draw + 1) % 20 == 0:
            progress(f"refits of the {path} decision", draw + 1, config.n_bootstrap)
    return np.array(vectors)


def level_choice_rows(
    model: LemofModel, held: dict[str, Held], apart: dict[str, np.ndarray], choice: PairChoice | None
) -> list[dict[str, Any]]:
    """Return a row for every level: importance, weight, bootstrap frequency as k* and as M2's level, AUROC.

    held, apart: path -> the rows that its decision was fitted to, and (folds, M, n_ports) as in `fit_decision`.
    Nothing for a plain rival, which chooses no level.
    """
    config = model.config.decision
    path = "both" if "both" in held else "ehr"
    _, ports, labels, _ = held[path]
    decision = model.decisions[path]
    out: list[dict[str, Any]] = []
    if isinstance(decision, PortStack):
        return out
    for index, modality in enumerate(decision.metas):
        meta = decision.metas[modality]
        own = slice(3 * index, 3 * index + 3)
        levels, noise = ports[:, own], noise_of_folds(apart[path][:, :, own]) if path in apart else None
        how: dict[str, Any] = {"link": config.link, "nonnegative": config.nonnegative, "noise": noise}

        def refit(x: np.ndarray, y: np.ndarray, like: Logistic = meta, how: dict[str, Any] = how) -> Logistic:
            return fit_logistic(x, y, inputs=like.inputs, penalty=like.penalty, **how)

        frequency = choice_frequency(levels, labels, refit, n_draws=config.n_bootstrap, seed=model.config.seed)
        importance = mean_abs_phi(meta, levels)
        lowest = min(pair[1] for pair in choice.gains) if modality == "ehr" and choice and choice.gains else 1
        for level in range(lowest, 4):
            known = level > 0
            row: dict[str, Any] = {"modality": modality, "level": level}
            row["mean_abs_phi"] = float(importance[level - 1]) if known else None
            row["weight"] = float(meta.weights[level - 1]) if known else None
            row["frequency"] = float(frequency[level - 1]) if known and config.n_bootstrap else None
            row["is_k_star"] = bool(known and decision.k_star[modality] == level)
            row["is_cross_level"] = bool(choice and choice.pair[0 if modality == "ecg" else 1] == level)
            row["cross_frequency"] = _pair_share(choice, modality, level)
            row["auroc"] = float(roc_auc_score(labels, levels[:, level - 1])) if known else None
            out.append(row)
    return out


def _pair_share(choice: PairChoice | None, modality: str, level: int) -> float | None:
    if choice is None:
        return None
    at = 0 if modality == "ecg" else 1
    return float(sum(share for pair, share in choice.frequency.items() if pair[at] == level))
