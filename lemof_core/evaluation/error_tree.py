"""Facts and errors in, a small tree that parts the stays by how wrong they are out, with honest numbers.

The splits are chosen on one half of the patients, and every number is from the other half (Athey and Imbens 2016): a
tree that is shown on the patients it was grown on makes chance look like a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_ind
from sklearn.tree import DecisionTreeRegressor
from statsmodels.stats.multitest import multipletests

from lemof_core.evaluation.losses import Mean, mean_error
from lemof_core.evaluation.metrics import MIN_EVENTS

MOST_GROWN = 20_000  # stays; more change no split of three levels, and take longer


@dataclass(frozen=True)
class Node:
    """A node of the tree.

    path: (fact, whether it holds) from the root on; n: stays of everybody; held_out: their mean error in the half that
    did not choose the splits; split: the fact that parts the node, None for a leaf; p: of the difference between its
    two parts in the held-out half (Welch's test of the patients' means), adjusted over all splits of the tree
    (Benjamini and Hochberg 1995); NaN where a part is too small, or for a leaf.
    """

    path: tuple[tuple[int, bool], ...]
    n: int
    held_out: Mean
    split: int | None
    p: float


def grow_tree(
    holds: np.ndarray,
    error: np.ndarray,
    subject_ids: np.ndarray,
    *,
    depth: int = 3,
    fewest: int = 20,
    seed: int = 0,
) -> list[Node]:
    """The nodes from the root on, each followed by its parts: first the one that the fact holds for.

    A root alone where there are too few stays for two leaves, or where no fact parts them.
    Args:
        holds (N, F) bool; error (N,); subject_ids (N,): a patient's stays fall into one half.
        fewest: stays of the growing half in a leaf.
    """
    grows = _half(subject_ids, seed)
    root = [_node(holds, error, subject_ids, grows, (), None)]
    own = np.random.default_rng(seed).permutation(np.flatnonzero(grows))[:MOST_GROWN]
    if not holds.shape[1] or len(own) < 2 * fewest:
        return root
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=fewest, random_state=seed)
    tree.fit(holds[own].astype(np.float32), error[own])
    nodes = [_node(holds, error, subject_ids, grows, path, split) for path, split in _walk(tree.tree_, 0, ())]
    return _with_p(nodes, holds, error, subject_ids, grows)


def in_node(holds: np.ndarray, path: tuple[tuple[int, bool], ...]) -> np.ndarray:
    """Which stays (N,) the path of a node leads to."""
    inside = np.ones(len(holds), dtype=bool)
    for fact, is_true in path:
        inside &= holds[:, fact] == is_true
    return inside


def _half(subject_ids: np.ndarray, seed: int) -> np.ndarray:
    """Return which stays (N,) are of the random half of the patients that chooses the splits."""
    patients, whose = np.unique(subject_ids, return_inverse=True)
    chosen = np.zeros(len(patients), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(patients))[: len(patients) // 2]] = True
    return chosen[whose]


def _walk(
    tree: object, at: int, path: tuple[tuple[int, bool], ...]
) -> Iterator[tuple[tuple[tuple[int, bool], ...], int | None]]:
    """Yield path and split of each node of scikit-learn's arrays; a fact that holds, 1, goes to the right."""
    left, right, feature = (getattr(tree, name) for name in ("children_left", "children_right", "feature"))
    if left[at] == right[at]:
        yield path, None
        return
    fact = int(feature[at])
    yield path, fact
    yield from _walk(tree, int(right[at]), (*path, (fact, True)))
    yield from _walk(tree, int(left[at]), (*path, (fact, False)))


def _node(
    holds: np.ndarray,
    error: np.ndarray,
    subject_ids: np.ndarray,
    grows: np.ndarray,
    path: tuple[tuple[int, bool], ...],
    split: int | None,
) -> Node:
    inside = in_node(holds, path)
    told = inside & ~grows
    return Node(path, int(inside.sum()), mean_error(error[told], subject_ids[told]), split, float("nan"))


def _with_p(
    nodes: list[Node], holds: np.ndarray, error: np.ndarray, subject_ids: np.ndarray, grows: np.ndarray
) -> list[Node]:
    """Return the nodes with the adjusted p-values of their splits: Welch's t of the patients' mean errors."""
    raw: dict[int, float] = {}
    for index, node in enumerate(nodes):
        if node.split is None:
            continue
        told = in_node(holds, node.path) & ~grows
        sides = [told & (holds[:, node.split] == is_true) for is_true in (True, False)]
        first, second = (_by_patient(error[side], subject_ids[side]) for side in sides)
        if min(len(first), len(second)) >= MIN_EVENTS and (np.ptp(first) > 0 or np.ptp(second) > 0):
            raw[index] = float(ttest_ind(first, second, equal_var=False).pvalue)
    if not raw:
        return nodes
    adjusted = dict(zip(raw, multipletests(list(raw.values()), method="fdr_bh")[1], strict=True))
    return [
        Node(node.path, node.n, node.held_out, node.split, float(adjusted.get(index, np.nan)))
        for index, node in enumerate(nodes)
    ]


def _by_patient(error: np.ndarray, subject_ids: np.ndarray) -> np.ndarray:
    """Return each patient's mean error (P,): stays of one patient are no independent looks."""
    patients, whose = np.unique(subject_ids, return_inverse=True)
    return np.bincount(whose, weights=error, minlength=len(patients)) / np.bincount(whose, minlength=len(patients))
