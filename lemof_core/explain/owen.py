"""A decision F and port rows in, `branch_phi` out: exact Owen values of the ports, the case waterfall.

Unions are {ECG levels}, {EHR levels}, {cross-modal branch}: levels sum to their modality, all sum to F(x) - v(empty).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import comb

import numpy as np
from scipy.special import expit


def coalition_values(
    f: Callable[[np.ndarray], np.ndarray],
    ports: np.ndarray,
    background: np.ndarray,
    coalitions: Sequence[frozenset[int]],
    *,
    chunk: int = 64,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (v, v_p), each (N, n_coalitions): mean over background rows b of F(a_S, b_rest), and of sigma of it.

    Absent ports come from whole background rows (M, P), so that they keep their correlation.
    """
    logit = np.empty((len(ports), len(coalitions)))
    prob = np.empty_like(logit)
    for start in range(0, len(ports), chunk):
        part = ports[start : start + chunk]
        for column, coalition in enumerate(coalitions):
            mixed = np.broadcast_to(background[None], (len(part), *background.shape)).copy()
            inside = sorted(coalition)
            mixed[:, :, inside] = part[:, None, inside]
            score = f(mixed)
            logit[start : start + chunk, column] = score.mean(1)
            prob[start : start + chunk, column] = expit(score).mean(1)
    return logit, prob


def _subsets(players: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for size in range(len(players) + 1):
        yield from combinations(players, size)


def owen_terms(unions: Sequence[Sequence[int]]) -> list[tuple[int, float, frozenset[int], frozenset[int]]]:
    """Return (player, weight, coalition without, coalition with) of the Owen value (Owen 1977).

    Only coalitions with at most one union split are used: 56 of 128 for unions of 3, 3 and 1.
    """
    terms = []
    for home, union in enumerate(unions):
        others = [u for u in range(len(unions)) if u != home]
        for joined in _subsets(others):
            outer = 1 / (len(unions) * comb(len(unions) - 1, len(joined)))
            whole = frozenset(player for u in joined for player in unions[u])
            for player in union:
                rest = [p for p in union if p != player]
                for inner in _subsets(rest):
                    weight = outer / (len(union) * comb(len(union) - 1, len(inner)))
                    without = whole | frozenset(inner)
                    terms.append((player, weight, without, without | {player}))
    return terms


def branch_phi(
    f: Callable[[np.ndarray], np.ndarray],
    ports: np.ndarray,
    background: np.ndarray,
    unions: Sequence[Sequence[int]],
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return (phi (N, P) in log-odds, phi_p (N, P) in probability, v(empty), v_p(empty)).

    Raises ValueError where the unions are no partition of the ports.
    """
    if sorted(p for union in unions for p in union) != list(range(ports.shape[1])):
        raise ValueError(f"unions must hold every port once, however: {unions=} for {ports.shape[1]} ports")
    terms = owen_terms(unions)
    coalitions = sorted({c for _, _, without, joined in terms for c in (without, joined)}, key=sorted)
    index = {coalition: column for column, coalition in enumerate(coalitions)}
    logit, prob = coalition_values(f, ports, background, coalitions)
    phi, phi_p = np.zeros(ports.shape), np.zeros(ports.shape)
    for player, weight, without, joined in terms:
        phi[:, player] += weight * (logit[:, index[joined]] - logit[:, index[without]])
        phi_p[:, player] += weight * (prob[:, index[joined]] - prob[:, index[without]])
    base = f(background)
    return phi, phi_p, float(base.mean()), float(expit(base).mean())
