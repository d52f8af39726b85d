"""Changed verdicts: counts by hand, McNemar's p against the binomial test, and what exchange and repetition do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import recall_score

from lemof_core.evaluation.verdict_changes import GROUPS, mcnemar_p, verdict_changes

Y = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
A = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1], dtype=bool)
B = np.array([1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0], dtype=bool)


def test_the_counts_are_those_of_a_hand() -> None:
    long, other, everybody = verdict_changes(Y, A, B)
    assert (long.both, long.first, long.second, long.neither) == (1, 3, 1, 0)
    assert (other.both, other.first, other.second, other.neither) == (1, 1, 2, 2)
    assert (everybody.both, everybody.first, everybody.second, everybody.neither) == (2, 4, 3, 2)
    # A is alone right in three long stays and in the two others where B alone raises an alarm.
    assert (everybody.right_first, everybody.right_second) == (5, 2)
    assert [one.n for one in (long, other, everybody)] == [5, 6, 11]


def test_the_net_gain_is_the_difference_of_sensitivity_specificity_and_accuracy() -> None:
    long, other, everybody = verdict_changes(Y, A, B)
    assert long.net == pytest.approx(recall_score(Y, A) - recall_score(Y, B))
    assert other.net == pytest.approx(recall_score(Y, A, pos_label=0) - recall_score(Y, B, pos_label=0))
    assert everybody.net == pytest.approx(np.mean(A == Y) - np.mean(B == Y))


@pytest.mark.parametrize(("one", "two"), [(0, 0), (0, 1), (3, 7), (12, 12), (40, 20), (300, 400)])
def test_mcnemar_is_the_sign_test_of_the_discordant_pairs(one: int, two: int) -> None:
    wanted = binomtest(one, one + two).pvalue if one + two else 1.0
    assert mcnemar_p(one, two) == pytest.approx(wanted)


def test_exchanging_the_models_exchanges_the_counts_and_keeps_p() -> None:
    for one, other in zip(verdict_changes(Y, A, B), verdict_changes(Y, B, A), strict=True):
        assert (one.first, one.right_first, one.net) == (other.second, other.right_second, -(other.net or 0))
        assert one.p == other.p


def test_a_model_against_itself_changes_nothing() -> None:
    for one in verdict_changes(Y, A, A):
        assert (one.first, one.second, one.net, one.p) == (0, 0, 0, 1)


def test_samples_of_one_patient_are_not_taken_for_independent() -> None:
    assert all(one.p is None for one in verdict_changes(Y, A, B, np.arange(11) // 2))
    assert all(one.p is not None for one in verdict_changes(Y, A, B, np.arange(11)))


def test_an_empty_group_has_neither_share_nor_p() -> None:
    found = verdict_changes(np.zeros(3), A[:3], B[:3])
    assert [one.group for one in found] == list(GROUPS)
    assert (found[0].n, found[0].net, found[0].p) == (0, None, None)
    assert verdict_changes(np.zeros(0), A[:0], B[:0])[2].n == 0
