"""Facts and errors in, every conjunction of up to three facts that enough stays satisfy, with its sums, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_NONE = -1  # in place of a fact that a slice does not have
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Candidates:
    """K slices: facts (K, 3) as columns of `holds`, -1 for none; n (K,) stays; sum1, sum2 (K,) of error, its square."""

    facts: np.ndarray
    n: np.ndarray
    sum1: np.ndarray
    sum2: np.ndarray

    def facts_of(self, index: int) -> tuple[int, ...]:
        """The facts of a slice."""
        return tuple(int(fact) for fact in self.facts[index] if fact != _NONE)

    def members(self, holds: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Which stays (M, stop - start) are in these slices, as 0 and 1 in the type of `holds` (M, F)."""
        one = np.ones((len(holds), 1), dtype=holds.dtype)
        # The column that -1 points at is true of everybody.
        columns = np.hstack([holds, one])
        first, second, third = self.facts[start:stop].T
        return columns[:, first] * columns[:, second] * columns[:, third]


def enumerate_slices(
    holds: np.ndarray, factors: np.ndarray, error: np.ndarray, *, depth: int, fewest: int
) -> Candidates:
    """Every slice with at least `fewest` stays inside and outside, level by level.

    A slice joins facts of different factors. One that has as many stays as with a fact less is left out: it is the same
    stays. What is too small is not extended, for nothing inside it is larger.
    Args:
        holds (N, F) bool; factors (F,); error (N,); depth: 1 to 3.
    """
    n, n_facts = holds.shape
    beside = _sums_beside(holds, error)
    everybody = np.ones((n, 1), dtype=np.float32)
    singles = _sums(everybody, beside)[:, 0]
    fits = (singles[0] >= fewest) & (singles[0] <= n - fewest)
    parts = [(_facts(np.flatnonzero(fits)), singles[:, fits])]
    pairs = np.zeros((n_facts, n_facts), dtype=bool)
    if depth >= 2 and fits.any():
        both = _sums(beside[0], beside)
        size = np.minimum.outer(singles[0], singles[0])
        apart = np.not_equal.outer(factors, factors) & np.logical_and.outer(fits, fits)
        pairs = apart & (both[0] >= fewest) & (both[0] < size)
        first, second = np.nonzero(np.triu(pairs, 1))
        parts.append((_facts(first, second), both[:, first, second]))
        if depth == 3:
            parts += list(_triples(pairs, both[0], beside, fewest))
    facts, sums = np.concatenate([part for part, _ in parts]), np.hstack([part for _, part in parts])
    return Candidates(facts, sums[0], sums[1], sums[2])


def _triples(
    pairs: np.ndarray, size: np.ndarray, beside: np.ndarray, fewest: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The slices of three facts whose pairs are slices all, by their middle fact."""
    for middle in range(1, len(pairs) - 1):
        firsts, thirds = np.flatnonzero(pairs[:middle, middle]), np.flatnonzero(pairs[middle, middle + 1 :])
        thirds = thirds + middle + 1
        if not len(firsts) or not len(thirds):
            continue
        inside = beside[0][:, firsts] * beside[0][:, [middle]]
        sums = _sums(inside, beside[:, :, thirds])
        n = sums[0]
        smallest = np.minimum(
            np.minimum(size[firsts, middle][:, None], size[middle, thirds][None]), size[np.ix_(firsts, thirds)]
        )
        kept = pairs[np.ix_(firsts, thirds)] & (n >= fewest) & (n < smallest)
        a, c = np.nonzero(kept)
        yield _facts(firsts[a], np.full(len(a), middle), thirds[c]), sums[:, a, c]


def _sums_beside(holds: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return (3, N, F) each fact, times 1, the error and its square: a product with it counts and adds at once.

    In single precision: counts below 2^24 are exact in it, and the sums only have to find what is near the threshold.
    """
    columns = holds.astype(np.float32)
    values = error.astype(np.float32)[:, None]
    return np.stack([columns, columns * values, columns * values**2])


def _sums(inside: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Return (3, A, B) count, error and squared error of the stays in inside (N, A) and in beside (3, N, B).

    Some rows at a time, added in double precision.
    """
    out = np.zeros((3, inside.shape[1], beside.shape[2]))
    for start in range(0, len(inside), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        out += np.matmul(inside[start:stop].T[None], beside[:, start:stop])
    return out


def _facts(*columns: np.ndarray) -> np.ndarray:
    """Return (K, 3) facts, filled up with -1."""
    rest = [np.full(len(columns[0]), _NONE)] * (3 - len(columns))
    return np.stack([*columns, *rest], axis=1).astype(np.int32)
