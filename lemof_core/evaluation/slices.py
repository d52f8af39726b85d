"""Facts and errors of stays in, the groups of stays that are worse than the rest by more than chance out.

Every conjunction of up to three facts is a slice (SliceLine: Sagadeeva and Boehm, SIGMOD 2021). Slices below a smallest
size are pruned with all that lie inside them. SliceLine's bound on the score would prune more, but then nobody could
say how many were looked at; here all are, by matrix products, because the promise below needs them.

The paper lists the best scores, however many slices were tried. Here a slice is listed if its statistic
beats the largest of ALL slices in 97.5 % of draws in which errors have nothing to do with facts (Westfall and Young
1993, max-T), because the search picks the worst of thousands of overlapping groups, of which some are bad by chance.
The chance that anything at all is listed where there is nothing to find is then at most 2.5 %, so the false-discovery
rate is too; it holds for any way of choosing among the slices, rank and score included, and for any overlap. The other
2.5 % are for the smallest statistic, so that the 95 % interval of a listed slice never holds a lift of 1. Benjamini and
Hochberg on half of the patients promises less with half of the data.

The draws give whole patients each other's errors, which is exact. The statistic is Welch's t, so that it asks for the
mean and not for the spread (Chung and Romano 2013), with both variances drawn towards the common one by PRIOR stays
(Smyth 2004), as a dozen stays that are all wrong have no spread of their own. Beyond MOST_EXACT patients every slice is
so large that its t is normal: then the draws are normal numbers, given to a random part of the patients, which carry
the overlaps of the slices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lemof_core.evaluation.slice_candidates import Candidates, enumerate_slices
from lemof_core.evaluation.slice_null import contrast, critical_value, extremes_by_chance, moderated_t

ALPHA = 0.05  # of both tails; half of it is the chance of listing anything where there is nothing
WEIGHT = 0.95  # SliceLine's alpha: how much the error counts against the size
RANKS = {"score": "SliceLine score", "lift": "Lift", "gain": "Gain if mended"}
MOST_LISTED = 25
MOST_COMPARED = 300  # slices that are looked at for saying the same, the best first
ALIKE = 0.8  # Jaccard


@dataclass(frozen=True)
class Slice:
    """A group of stays.

    facts: its columns of `holds`; n; error and rest: mean error inside and outside; lift: error / rest, with an
    95 % interval (lo, hi) that holds for all slices at once (Fieller 1954, max-T critical values; hi may be infinite);
    t and p: statistic and p-value, adjusted for the whole search; score: SliceLine's; gain: by how much the mean
    error of everybody would fall if the slice were as good as the rest; folded_into: the place in `Search.found` of the
    slice that says the same.
    """

    facts: tuple[int, ...]
    n: int
    error: float
    rest: float
    lift: float
    lo: float
    hi: float
    t: float
    p: float
    score: float
    gain: float
    folded_into: int | None = None


@dataclass(frozen=True)
class Search:
    """What a search found: `found` in rank order, `folded` those that say nothing beyond one of them; n_passed is
    how many are worse by more than chance, of which only the first are compared; `nearest` is the worst slice that did
    not pass where none did. n and error are everybody's; n_slices is how many were looked at;
    `exact` whether patients were permuted, or normal draws taken."""

    found: tuple[Slice, ...]
    folded: tuple[Slice, ...]
    n_passed: int
    nearest: Slice | None
    n: int
    error: float
    fewest: int
    n_slices: int
    critical: float
    exact: bool


def smallest_slice(n: int) -> int:
    """The usual smallest slice among n stays: 1 %, and at least 20."""
    return max(20, -(-n // 100))


def find_slices(
    holds: np.ndarray,
    factors: np.ndarray,
    error: np.ndarray,
    subject_ids: np.ndarray,
    *,
    depth: int = 2,
    fewest: int | None = None,
    rank: str = "score",
    weight: float = WEIGHT,
    n_draws: int = 499,
    seed: int = 0,
) -> Search:
    """The slices whose mean error differs upwards from the rest's, the highest rank first.

    Args:
        holds (N, F) bool: facts; factors (F,): facts of the same factor are never joined; error (N,), 0 is best.
        depth: most facts of a slice, 1 to 3; fewest: stays in the smallest slice; rank: a key of RANKS.
    Raises: ValueError for a depth or a rank that there is not.
    """
    if depth not in (1, 2, 3) or rank not in RANKS:
        raise ValueError(f"depth is 1, 2 or 3 and rank one of {', '.join(RANKS)}, not {depth} and {rank!r}")
    fewest = fewest or smallest_slice(len(error))
    candidates = enumerate_slices(holds, factors, error, depth=depth, fewest=fewest)
    overall = float(error.mean()) if len(error) else float("nan")
    if not len(candidates.n) or np.ptp(error) == 0:
        return Search((), (), 0, None, len(error), overall, fewest, len(candidates.n), float("inf"), True)
    extremes, exact = extremes_by_chance(holds, candidates, error, subject_ids, n_draws=n_draws, seed=seed)
    critical = critical_value(extremes[0], ALPHA / 2)
    t = moderated_t(candidates.n, candidates.sum1, candidates.sum2, len(error), error.sum(), (error**2).sum())
    passing = np.flatnonzero(t > critical)
    ordered = passing[np.argsort(-_worth(candidates, error, rank, weight)[passing], kind="stable")][:MOST_COMPARED]
    weighed = [_slice(holds, error, candidates, int(index), extremes, weight) for index in ordered]
    found, folded = _fold(holds, error, weighed, critical)
    worst = int(np.argmax(t))
    nearest = None if found else _slice(holds, error, candidates, worst, extremes, weight)
    return Search(
        tuple(found),
        tuple(folded),
        len(passing),
        nearest,
        len(error),
        overall,
        fewest,
        len(candidates.n),
        critical,
        exact,
    )


def members_of(holds: np.ndarray, facts: tuple[int, ...]) -> np.ndarray:
    """Which stays (N,) are in the slice."""
    return np.asarray(holds[:, list(facts)].all(axis=1))


def ratio_interval(
    inside: tuple[float, float], outside: tuple[float, float], above: float, below: float
) -> tuple[float, float, float]:
    """Return (ratio, low, high) of two independent means, each given with the variance of the mean (Fieller 1954).

    The interval leaves out 1 exactly where the t of the difference, inside less outside, exceeds `above` or lies under
    -`below`. high is infinite where the mean outside may be 0.
    """
    ratio = inside[0] / outside[0] if outside[0] > 0 else float("inf")
    return ratio, _ends(inside, outside, above)[0], _ends(inside, outside, below)[1]


def _ends(inside: tuple[float, float], outside: tuple[float, float], critical: float) -> tuple[float, float]:
    """Return both ends of Fieller's interval for one critical value of either tail."""
    (m, a), (r, b) = inside, outside
    leading, apart = r * r - critical**2 * b, m * m - critical**2 * a
    inner = m * m * r * r - leading * apart
    if inner < 0 or m == 0 or not np.isfinite(critical):
        return 0.0, float("inf")
    root = float(np.sqrt(inner))
    high = (m * r + root) / leading if leading > 0 else float("inf")
    # The product of both ends is apart / leading, and leading may be 0.
    return max(0.0, apart / (m * r + root)), high


def _worth(candidates: Candidates, error: np.ndarray, rank: str, weight: float) -> np.ndarray:
    """Return the rank's quantity (K,) of every candidate."""
    n, overall = candidates.n, error.mean()
    mean, rest = candidates.sum1 / n, (error.sum() - candidates.sum1) / (len(error) - n)
    if rank == "score":
        return np.asarray(weight * (mean / overall - 1) - (1 - weight) * (len(error) / n - 1))
    with np.errstate(divide="ignore"):
        return np.asarray(mean / rest if rank == "lift" else overall - rest)


def _slice(
    holds: np.ndarray,
    error: np.ndarray,
    candidates: Candidates,
    index: int,
    extremes: np.ndarray,
    weight: float,
) -> Slice:
    """One candidate with its numbers in double precision."""
    facts = candidates.facts_of(index)
    inside = members_of(holds, facts)
    n, everybody = int(inside.sum()), len(error)
    own, others = error[inside], error[~inside]
    t, own_variance, others_variance = contrast(own, others, float(error.var()))
    mean, rest, overall = float(own.mean()), float(others.mean()), float(error.mean())
    critical = [critical_value(tail, ALPHA / 2) for tail in (extremes[0], -extremes[1])]
    lift, low, high = ratio_interval((mean, own_variance), (rest, others_variance), *critical)
    score = weight * (mean / overall - 1) - (1 - weight) * (everybody / n - 1)
    # Two-sided by doubling, so that it is at most ALPHA where the interval leaves out 1.
    p = min(1.0, 2 * float((1 + (extremes[0] >= t).sum()) / (1 + extremes.shape[1])))
    return Slice(facts, n, mean, rest, lift, low, high, t, p, score, overall - rest)


def _fold(
    holds: np.ndarray, error: np.ndarray, passed: list[Slice], critical: float
) -> tuple[list[Slice], list[Slice]]:
    """Part the slices, best first, into those that say something of their own and those that a better one says.

    A slice says the same as a better one if their Jaccard similarity exceeds ALIKE, or if it is worse neither among
    the better one's members nor among the others, held to the same critical value.
    """
    if not passed:
        return [], []
    inside = np.column_stack([members_of(holds, one.facts) for one in passed]).astype(np.float32)
    said_by = np.full(len(passed), -1)
    found: list[Slice] = []
    for index, one in enumerate(passed):
        if said_by[index] >= 0 or len(found) == MOST_LISTED:
            continue
        same = _says_the_same(inside, inside[:, index], error, critical)
        said_by[(said_by < 0) & same & (np.arange(len(passed)) > index)] = len(found)
        found.append(one)
    folded = [replace(one, folded_into=int(by)) for one, by in zip(passed, said_by, strict=True) if by >= 0]
    return found, folded


def _says_the_same(inside: np.ndarray, better: np.ndarray, error: np.ndarray, critical: float) -> np.ndarray:
    """Whether each of the slices inside (N, K), 0 and 1, says no more than the better one (N,) does."""
    n_both, n_either = better @ inside, (better.sum() + inside.sum(0)) - better @ inside
    more = np.zeros(inside.shape[1], dtype=bool)
    for among in (better, 1 - better):
        values = np.stack([among, among * error, among * error**2]).astype(np.float32)
        n, sum1, sum2 = np.asarray(values @ inside, dtype=float)
        all_n, all_sum1, all_sum2 = values.sum(1, dtype=float)
        apart = (n > 0) & (n < all_n)
        t = moderated_t(n[apart], sum1[apart], sum2[apart], all_n, all_sum1, all_sum2)
        more[apart] |= t > critical
    return np.asarray((n_both > ALIKE * n_either) | ~more)
