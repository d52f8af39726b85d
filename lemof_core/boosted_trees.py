"""Plain features in, log-odds of gradient-boosted trees out: the rival that knows no network. Nothing is pickled.

scikit-learn grows the trees; they are kept as arrays and walked here, so that a run stores numbers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from lemof_core.errors import ModelMistake

MAX_TREES = 300
LEARNING_RATE = 0.05
MAX_LEAVES = 15
L2 = 1.0
PATIENCE = 20  # rounds without a lower validation loss before growing stops
_ROWS_AT_ONCE = 4096  # a walk holds rows x trees positions


@dataclass(frozen=True)
class BoostedTrees:
    """T trees of N nodes in all, one after the other; the log-odds are `base` plus the value of each tree's leaf.

    A row goes left where its feature is <= the threshold, and where it is NaN and `missing_left`. A leaf is its own
    left and right child, so that a walk that has arrived stays.
    """

    feature: np.ndarray  # (N,) int32 column of x; 0 at leaves, where it says nothing
    threshold: np.ndarray  # (N,) float64, +inf where only NaN goes right
    missing_left: np.ndarray  # (N,) uint8
    left: np.ndarray  # (N,) int32 index among all nodes
    right: np.ndarray  # (N,) int32
    value: np.ndarray  # (N,) float64 log-odds a leaf adds; 0 elsewhere
    roots: np.ndarray  # (T,) int32 index of each tree's first node
    base: np.ndarray  # () float64 log-odds before the first tree: those of the training rate
    n_features: np.ndarray  # () int64

    @classmethod
    def fit(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        x_val: np.ndarray | None = None,
        y_val: np.ndarray | None = None,
        *,
        seed: int,
    ) -> BoostedTrees:
        """Return trees fitted to x (n, f), NaN where unknown, and y (n,) of 0 and 1.

        With validation rows, growing stops once their log-loss no longer falls, and the trees after its lowest point
        are dropped; without, all 300 trees are kept. The seed matters from 200,000 rows on, where scikit-learn
        draws rows to place its thresholds by. Raises ModelMistake where y has one class only.
        """
        if len(np.unique(y)) < 2:
            raise ModelMistake(
                f"boosted trees need samples of both classes, however: n = {len(y)}, events = {np.sum(y):g}"
            )
        # A column that no row knows is made constant, as scikit-learn cannot place a threshold in it; no tree reads it.
        x = np.where(np.isnan(x).all(axis=0), 0.0, x)
        validated = x_val is not None
        estimator = HistGradientBoostingClassifier(
            max_iter=MAX_TREES,
            learning_rate=LEARNING_RATE,
            max_leaf_nodes=MAX_LEAVES,
            l2_regularization=L2,
            early_stopping=validated,
            n_iter_no_change=PATIENCE,
            random_state=seed,
        )
        estimator.fit(x, np.asarray(y, dtype=np.int64), X_val=x_val, y_val=None if y_val is None else y_val.astype(int))
        # validation_score_ is minus the loss after 0, 1, 2 ... trees; its argmax is how many of them helped.
        n_trees = int(np.argmax(estimator.validation_score_)) if validated else MAX_TREES
        return cls._read_off(estimator, n_trees)

    @classmethod
    def _read_off(cls, estimator: HistGradientBoostingClassifier, n_trees: int) -> BoostedTrees:
        """Return the first trees of a fitted estimator, whose nodes no public attribute shows."""
        trees = [predictors[0].nodes for predictors in estimator._predictors[:n_trees]]
        roots = np.cumsum([0] + [len(nodes) for nodes in trees])
        empty = np.zeros(0, dtype=estimator._predictors[0][0].nodes.dtype)
        nodes = np.concatenate([empty, *trees])
        leaf = nodes["is_leaf"].astype(bool)
        first = np.repeat(roots[:-1], np.diff(roots))  # the children are numbered within their tree
        itself = np.arange(len(nodes))
        return cls(
            feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
            threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
            missing_left=np.where(leaf, 0, nodes["missing_go_to_left"]).astype(np.uint8),
            left=np.where(leaf, itself, first + nodes["left"]).astype(np.int32),
            right=np.where(leaf, itself, first + nodes["right"]).astype(np.int32),
            value=np.where(leaf, nodes["value"], 0.0),
            roots=roots[:-1].astype(np.int32),
            base=np.array(estimator._baseline_prediction, dtype=np.float64).reshape(()),
            n_features=np.array(estimator.n_features_in_, dtype=np.int64),
        )

    def logit(self, x: np.ndarray) -> np.ndarray:
        """Return the log-odds (n,) float64 of x (n, f); raise ModelMistake where f is not that of the fit."""
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.n_features:
            raise ModelMistake(f"these trees read rows of {self.n_features} features, however: shape = {x.shape}")
        starts = range(0, len(x), _ROWS_AT_ONCE)
        added = [self.value[self._leaves(x[start : start + _ROWS_AT_ONCE])].sum(1) for start in starts]
        return self.base + np.concatenate([np.zeros(0), *added])

    def _leaves(self, x: np.ndarray) -> np.ndarray:
        """Return (n, T): the leaf each row of x (n, f) ends in, tree by tree."""
        row = np.arange(len(x))[:, None]
        node = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        while True:
            seen = x[row, self.feature[node]]
            goes_left = np.where(np.isnan(seen), self.missing_left[node], seen <= self.threshold[node])
            following = np.where(goes_left, self.left[node], self.right[node])
            if np.array_equal(following, node):
                return node
            node = following

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the trees by name of field."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> BoostedTrees:
        """Return the trees that `to_arrays` gave; raise ModelMistake where one of its arrays is not there."""
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ModelMistake(f"the stored trees lack {', '.join(missing)}; train again")
        return cls(**{name: arrays[name] for name in names})
