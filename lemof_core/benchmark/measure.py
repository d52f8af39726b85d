"""Cells that share a Stage 1 in, what each fitted model says of the test rows out: levels are computed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from lemof_core.batch import CohortArrays
from lemof_core.benchmark.cells import Cell
from lemof_core.fitting.fit import TUNABLE, fit_on
from lemof_core.fitting.stage_one import StageOne, fit_stage_one
from lemof_core.fusion.joint import TEACHER, TreeJoint
from lemof_core.fusion.lemof import LemofModel
from lemof_core.training import Progress


@dataclass(frozen=True)
class Outcome:
    """What one cell says of the n test rows: calibrated log-odds and the tuned cut of each row's path (NaN: none)."""

    logit: np.ndarray
    threshold: np.ndarray
    seconds: float  # of the fit; Stage 1 and its teachers, whom all share, left out
    n_parameters: int  # of one fold's networks
    epochs: float  # mean over folds of the epochs kept by what reads both modalities; NaN where nothing is trained
    not_estimable: dict[str, str] = field(default_factory=dict)  # what of the model there is not, and why


def measure_groups(
    arrays: CohortArrays,
    splits: dict[str, np.ndarray],
    groups: Sequence[Sequence[Cell]],
    kept_in: Path,
    keep: Callable[[Cell, Outcome], None],
    progress: Progress,
) -> int:
    """Hand each cell's outcome to `keep` once it is there, and return how many; a group's cells share a Stage 1.

    The levels of an encoder that two groups one after the other have in common are computed once.
    """
    stage: StageOne | None = None
    for cells in groups:
        if stage is not None:
            stage.forget("ehr")  # groups are sorted by their ECG's encoder: this one's would only take up memory
        stage = fit_stage_one(
            arrays, splits, cells[0].config(), progress=progress, kept_in=kept_in, also=splits["test"], like=stage
        )
        _measure(stage, splits["test"], cells, keep, progress)
    return sum(len(cells) for cells in groups)


def _measure(
    stage: StageOne,
    test: np.ndarray,
    cells: Sequence[Cell],
    keep: Callable[[Cell, Outcome], None],
    progress: Progress,
) -> None:
    if stage.has_ecg and any(cell.fusion in (*TUNABLE, TEACHER) and cell.config().teacher == "trees" for cell in cells):
        n_grown = len(stage.teachers)  # grown at their first use: here, so that no cell's seconds hold it
        progress("teachers", n_grown, n_grown)
    for done, cell in enumerate(cells):
        what = f"{cell.ecg_encoder} + {cell.ehr_encoder}: {cell.fusion} {cell.arm}".rstrip()
        started = time.monotonic()
        model = fit_on(stage, cell.config(), progress=partial(_inside, progress, what))
        seconds = time.monotonic() - started
        keep(cell, _outcome(stage, model, test, seconds))
        progress(what, done + 1, len(cells))


def _inside(progress: Progress, cell: str, what: str, done: int, total: int) -> None:
    """Report a step within a cell under the cell's name."""
    progress(f"{cell}, {what}", done, total)


def _outcome(stage: StageOne, model: LemofModel, test: np.ndarray, seconds: float) -> Outcome:
    joints = [fold.joint for fold in model.folds]
    ports = np.full((len(test), 7), np.nan)
    threshold = np.full(len(test), np.nan)
    for path, at in model.paths(stage.present[test]).items():
        ports[at] = stage.model_ports(joints, path, test[at])
        cut = model.calibration[path]["threshold"]
        threshold[at] = np.nan if cut is None else cut
    kept = [n for name, n in model.report["epochs_kept"].items() if not name.endswith(("label", "pretrain"))]
    return Outcome(
        logit=model.decide(ports).logits[:, 0],
        threshold=threshold,
        seconds=round(seconds, 1),
        n_parameters=parameters_read(model),
        epochs=float(np.mean(kept)) if kept else float("nan"),
        not_estimable=_of_predictions(model.report["not_estimable"]),
    )


def parameters_read(model: LemofModel) -> int:
    """Return how many network parameters of one fold the prediction of a sample with an ECG hangs on (trees: nodes)."""
    fold, ports = model.folds[0], model.decisions.get("both", model.decisions["ehr"]).ports
    reads_cross = "cross" in ports and fold.joint is not None
    frozen_joint = reads_cross and fold.joint is not None and fold.joint.tuned is None
    modules: list[nn.Module | None] = []
    if frozen_joint or any(port.startswith("ecg") for port in ports):
        modules.append(fold.ecg)
    if frozen_joint or any(port.startswith("ehr") for port in ports):
        modules.append(fold.ehr)
    if reads_cross:
        modules.append(fold.joint)
    total = sum(tensor.numel() for module in modules if module is not None for tensor in module.parameters())
    if isinstance(fold.joint, TreeJoint):
        reads = fold.ecg if fold.joint.reads == "summary" else None
        total = fold.joint.n_nodes + sum(tensor.numel() for tensor in (reads.parameters() if reads else ()))
    return total


def _of_predictions(not_estimable: Mapping[str, str]) -> dict[str, str]:
    """Return what bears on a prediction; who would be called unusual is asked by no table."""
    return {what: why for what, why in not_estimable.items() if not what.startswith("typical ")}
