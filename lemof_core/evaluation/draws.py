"""Samples sorted into cells and their patients in, how many lie in each cell when patients are drawn anew out."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from lemof_core.evaluation.metrics import DRAWS_AT_ONCE, N_DRAWS


def drawn_counts(
    cells: np.ndarray, subject_ids: np.ndarray, n_cells: int, *, n_draws: int = N_DRAWS, seed: int = 0
) -> np.ndarray:
    """Return (n_draws, n_cells) how many samples lie in each cell when patients are drawn with replacement.

    The same law as the columns of `metrics.bootstrap_weights` summed by cell, at a cost that hardly grows with the
    number of samples: patients whose samples lie in the same cells cannot be told apart, so one multinomial draw over
    the different kinds of patients is enough.
    Args:
        cells: (N,) whole numbers in [0, n_cells); subject_ids: (N,).
    """
    if len(cells) == 0:
        return np.zeros((n_draws, n_cells))
    kinds, n_of = _kinds(cells, subject_ids, n_cells)
    rows = np.repeat(np.arange(len(kinds)), kinds.shape[1])
    inside = kinds.ravel() < n_cells
    ones = np.ones(int(inside.sum()))
    holds = csr_array((ones, (rows[inside], kinds.ravel()[inside])), shape=(len(kinds), n_cells))
    rng = np.random.default_rng(seed)
    n_patients = int(n_of.sum())
    parts = []
    for start in range(0, n_draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, n_draws - start)
        parts.append(rng.multinomial(n_patients, n_of / n_patients, size=size) @ holds)
    return np.concatenate(parts)


def _kinds(cells: np.ndarray, subject_ids: np.ndarray, n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of each kind of patient (K, most samples of one), filled up with n_cells, and how many (K,)."""
    subjects, of = np.unique(subject_ids, return_inverse=True)
    if len(subjects) == len(cells):
        found, counts = np.unique(cells, return_counts=True)
        return found[:, None], counts
    order = np.lexsort((cells, of))
    n_of_patient = np.bincount(of)
    first = np.cumsum(n_of_patient) - n_of_patient
    place = np.arange(len(cells)) - first[of[order]]
    table = np.full((len(subjects), int(n_of_patient.max())), n_cells)
    table[of[order], place] = cells[order]
    kinds, counts = np.unique(table, axis=0, return_counts=True)
    return kinds, counts
