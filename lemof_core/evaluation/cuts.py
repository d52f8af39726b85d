"""Outcomes and probabilities in, alarms at every hundredth as a threshold out, on all patients and on drawn ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lemof_core.evaluation.draws import drawn_counts
from lemof_core.evaluation.metrics import N_DRAWS

CUTS = np.arange(101) / 100  # what a threshold can be set to


@dataclass(frozen=True)
class CutCounts:
    """Alarms at p >= each of CUTS; every array may have a leading axis of draws.

    hits: (..., 101) long stays with an alarm; false: (..., 101) other stays with one; every stay has one at cut 0.
    """

    hits: np.ndarray
    false: np.ndarray

    @property
    def long(self) -> np.ndarray:
        """All long stays (..., 1)."""
        return self.hits[..., :1]

    @property
    def other(self) -> np.ndarray:
        """All other stays (..., 1)."""
        return self.false[..., :1]

    @property
    def n(self) -> np.ndarray:
        """All stays (..., 1)."""
        return self.long + self.other


def cut_counts(y: np.ndarray, p: np.ndarray) -> CutCounts:
    """The alarms among these stays; y (N,) holds 0 and 1, p (N,) lies in [0, 1]."""
    return _above(np.bincount(_cells(y, p), minlength=2 * len(CUTS))[None].astype(float), draws=False)


def drawn_cut_counts(
    y: np.ndarray, p: np.ndarray, subject_ids: np.ndarray, *, n_draws: int = N_DRAWS, seed: int = 0
) -> CutCounts:
    """The same on patients drawn with replacement: hits and false are (n_draws, 101)."""
    drawn = drawn_counts(_cells(y, p), subject_ids, 2 * len(CUTS), n_draws=n_draws, seed=seed)
    return _above(drawn, draws=True)


def _cells(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the highest cut that p reaches (N,), long stays after the others."""
    # Compared with the cuts themselves: 100 * p rounded down puts 0.29 below the cut 0.29.
    return np.asarray(np.searchsorted(CUTS, p, side="right") - 1 + len(CUTS) * (y == 1))


def _above(counts: np.ndarray, *, draws: bool) -> CutCounts:
    other, long = counts[:, : len(CUTS)], counts[:, len(CUTS) :]
    hits, false = (np.cumsum(part[:, ::-1], axis=1)[:, ::-1] for part in (long, other))
    return CutCounts(hits, false) if draws else CutCounts(hits[0], false[0])
