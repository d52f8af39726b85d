"""Boosted trees kept as arrays: every number against scikit-learn's own, and by hand on a tree of two splits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from lemof_core.boosted_trees import L2, LEARNING_RATE, MAX_LEAVES, MAX_TREES, PATIENCE, BoostedTrees
from lemof_core.errors import ModelMistake


def rows(n: int = 600, *, seed: int = 0, share_unknown: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return x (n, 6) with unknown cells and a constant column, and labels that need the first three."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    y = (rng.random(n) < expit(2 * x[:, 0] * x[:, 1] + x[:, 2])).astype(np.float64)
    x[rng.random(x.shape) < share_unknown] = np.nan
    x[:, 5] = 1.0
    return x, y


def theirs(**how: object) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=MAX_TREES, learning_rate=LEARNING_RATE, max_leaf_nodes=MAX_LEAVES, l2_regularization=L2, **how
    )


@pytest.fixture(scope="module")
def fitted() -> BoostedTrees:
    return BoostedTrees.fit(*rows(), *rows(300, seed=1), seed=0)


def test_without_validation_rows_it_is_scikit_learns_own_model() -> None:
    x, y = rows()
    ours, oracle = BoostedTrees.fit(x, y, seed=0), theirs(early_stopping=False).fit(x, y)
    assert len(ours.roots) == MAX_TREES
    for seen in (x, rows(5000, seed=2)[0], rows(200, seed=3, share_unknown=0.0)[0], x.astype(np.float32)):
        found = ours.logit(seen)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, oracle.decision_function(seen), atol=1e-9, rtol=0)


def test_unknown_where_training_knew_everything_goes_where_scikit_learn_sends_it() -> None:
    x, y = rows(share_unknown=0.0)
    ours, oracle = BoostedTrees.fit(x, y, seed=0), theirs(early_stopping=False).fit(x, y)
    unknown = rows(400, seed=4, share_unknown=0.5)[0]
    np.testing.assert_allclose(ours.logit(unknown), oracle.decision_function(unknown), atol=1e-9, rtol=0)


def test_a_column_that_training_never_knew_is_as_if_it_were_not_there() -> None:
    (x, y), (x_val, y_val) = rows(), rows(300, seed=1)
    without = BoostedTrees.fit(x, y, x_val, y_val, seed=0)
    never = np.column_stack([x, np.full(len(x), np.nan)])
    later = np.column_stack([x_val, np.arange(300.0)])
    ours = BoostedTrees.fit(never, y, later, y_val, seed=0)
    np.testing.assert_array_equal(ours.logit(later), without.logit(x_val))
    np.testing.assert_array_equal(ours.logit(never), without.logit(x))
    assert np.isnan(never[:, 6]).all(), "the caller's rows are left as they were"


def test_a_label_that_only_missingness_tells_is_learnt() -> None:
    x, _ = rows(400)
    y = np.isnan(x[:, 3]).astype(float)
    ours = BoostedTrees.fit(x, y, seed=0)
    assert np.isinf(ours.threshold).any(), "a split between known and unknown"
    np.testing.assert_array_equal(ours.logit(x) > 0, y == 1)


def test_validation_rows_choose_how_many_trees_stay(fitted: BoostedTrees) -> None:
    (x, y), (x_val, y_val) = rows(), rows(300, seed=1)
    oracle = theirs(early_stopping=False).fit(x, y)
    staged = list(oracle.staged_decision_function(x_val))
    losses = [log_loss(y_val, expit(np.full(len(y_val), logit(y.mean()))))]
    losses += [log_loss(y_val, expit(stage)) for stage in staged]
    best = int(np.argmin(losses))
    assert 0 < best < MAX_TREES - PATIENCE and len(fitted.roots) == best
    np.testing.assert_allclose(fitted.logit(x_val), staged[best - 1], atol=1e-9, rtol=0)


def test_validation_rows_that_no_tree_helps_leave_the_base_rate() -> None:
    x, y = rows()
    x_val, y_val = rows(300, seed=1)
    against = BoostedTrees.fit(x, y, x_val, 1 - y_val, seed=0)
    assert len(against.roots) == 0
    np.testing.assert_allclose(against.logit(x_val), logit(y.mean()), atol=1e-9)
    np.testing.assert_array_equal(BoostedTrees.from_arrays(load(save(against.to_arrays()))).logit(x), against.logit(x))


def test_validation_rows_of_one_class_are_no_hindrance() -> None:
    x_val = rows(50, seed=1)[0]
    assert np.isfinite(BoostedTrees.fit(*rows(), x_val, np.ones(50), seed=0).logit(x_val)).all()


def test_a_tree_of_two_splits_by_hand() -> None:
    tree = BoostedTrees(
        feature=np.array([1, 0, 0, 0, 0], dtype=np.int32),
        threshold=np.array([0.5, 0.0, 0.0, 2.0, 0.0]),
        missing_left=np.array([0, 0, 0, 1, 0], dtype=np.uint8),
        left=np.array([1, 1, 2, 2, 4], dtype=np.int32),
        right=np.array([3, 1, 2, 4, 4], dtype=np.int32),
        value=np.array([0.0, -1.0, 0.25, 0.0, 3.0]),
        roots=np.array([0], dtype=np.int32),
        base=np.array(0.5),
        n_features=np.array(2),
    )
    nan = np.nan
    x = np.array([[9.0, 0.5], [2.0, 0.6], [2.1, 0.6], [nan, 0.6], [nan, nan], [5.0, nan]])
    np.testing.assert_array_equal(tree.logit(x), [-0.5, 0.75, 3.5, 0.75, 0.75, 3.5])
    twice = replace(tree, roots=np.array([0, 3], dtype=np.int32))
    np.testing.assert_array_equal(twice.logit(x[:3]), [0.5 - 1.0 + 3.0, 0.5 + 0.25 + 0.25, 0.5 + 3.0 + 3.0])


def test_one_row_is_the_row_of_many_and_no_row_is_none(fitted: BoostedTrees) -> None:
    x = rows(5000, seed=5)[0]
    many = fitted.logit(x)
    for row in (0, 4095, 4096, 4999):
        assert fitted.logit(x[[row]]).tolist() == [many[row]]
    assert fitted.logit(x[:0]).shape == (0,)


def test_constant_features_tell_nothing_but_the_rate() -> None:
    x, y = np.ones((200, 3)), np.arange(200) % 4 == 0
    np.testing.assert_allclose(BoostedTrees.fit(x, y, seed=0).logit(x), logit(0.25), atol=1e-9)


def test_what_is_stored_predicts_the_same(fitted: BoostedTrees, tmp_path: Path) -> None:
    x = rows(seed=6)[0]
    arrays = fitted.to_arrays()
    np.savez(tmp_path / "trees.npz", **arrays)
    with np.load(tmp_path / "trees.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(BoostedTrees.from_arrays(stored).logit(x), fitted.logit(x))
    again = BoostedTrees.from_arrays(load(save(arrays)))
    np.testing.assert_array_equal(again.logit(x), fitted.logit(x))
    del arrays["missing_left"]
    with pytest.raises(ModelMistake, match="the stored trees lack missing_left"):
        BoostedTrees.from_arrays(arrays)


def test_the_same_rows_and_seed_grow_the_same_trees(fitted: BoostedTrees) -> None:
    again = BoostedTrees.fit(*rows(), *rows(300, seed=1), seed=0)
    for name, array in fitted.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[name])


@pytest.mark.parametrize("y", [np.zeros(10), np.ones(10)], ids=["no event", "events only"])
def test_one_class_is_a_mistake_with_n_and_events(y: np.ndarray) -> None:
    with pytest.raises(ModelMistake, match=f"of both classes, however: n = 10, events = {y.sum():g}$"):
        BoostedTrees.fit(rows(10)[0], y, seed=0)


def test_rows_of_another_width_are_a_mistake(fitted: BoostedTrees) -> None:
    for x in (np.zeros((2, 5)), np.zeros((2, 7)), np.zeros(6)):
        with pytest.raises(ModelMistake, match="rows of 6 features, however: shape"):
            fitted.logit(x)
