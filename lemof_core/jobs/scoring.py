"""Batches of rows in, their predictions and explanations out in the same order: over processes where it pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from lemof_core.batch import CohortArrays, ScaledCohort
from lemof_core.checkpoint import load_model
from lemof_core.explain.scored import Scored, score_samples
from lemof_core.fitting.workers import N_THREADS, n_processes
from lemof_core.fusion.lemof import LemofModel

MANY_BATCHES = 3  # from here on a second process is worth its start

_model: LemofModel
_cohort: ScaledCohort


def score_batches(
    folder: Path, arrays: CohortArrays, batches: Sequence[np.ndarray], *, explain: bool
) -> Iterator[Scored]:
    """Yield what each batch of rows gets from the model in `folder`.

    Every process uses one thread and the same batches, so how many there are changes no digit.
    """
    count = min(n_processes(), len(batches))
    if count < 2 or len(batches) < MANY_BATCHES:
        _prepare(folder, arrays)
        for rows in batches:
            yield _score(rows, explain)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_prepare, initargs=(folder, arrays)) as pool:
        yield from pool.map(_score, batches, [explain] * len(batches))


def _prepare(folder: Path, arrays: CohortArrays) -> None:
    global _model, _cohort
    torch.set_num_threads(N_THREADS)
    _model = load_model(folder)
    _cohort = _model.scaler.transform(arrays)


def _score(rows: np.ndarray, explain: bool) -> Scored:
    return score_samples(_model, _cohort, rows, explain=explain)
