"""Similar stays: neighbours are those of a brute-force search, the patient's own are named and not counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from dashboard.case_similar import neighbours_of, summary
from dashboard.neighbours import SPACES, nearest, reads_ecg, standardised
from dashboard.queries_similar import Space
from dashboard.wording import Definition


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 10_000))
def test_the_nearest_are_those_of_a_library(n: int, d: int, seed: int) -> None:
    vectors = standardised(np.random.default_rng(seed).normal(size=(n, d)))
    own = seed % n
    rows, distances = nearest(vectors, own, 5)
    found = NearestNeighbors(n_neighbors=min(6, n)).fit(vectors)
    expected, at = found.kneighbors(vectors[own : own + 1])
    others = [(far, row) for far, row in zip(expected[0], at[0], strict=True) if row != own][: len(rows)]
    np.testing.assert_allclose(distances, [far / np.sqrt(d) for far, _ in others], atol=1e-5)
    assert own not in rows and len(set(rows.tolist())) == len(rows)


def test_strangers_are_about_the_root_of_two_apart() -> None:
    vectors = standardised(np.random.default_rng(0).normal(size=(400, 200)) * 50 + 3)
    gap = np.sqrt(((vectors - vectors[0]) ** 2).mean(1))[1:]
    assert gap.mean() == pytest.approx(np.sqrt(2), abs=0.05)


def test_a_column_that_never_varies_separates_nobody() -> None:
    vectors = standardised(np.column_stack([np.full(5, 7.0), np.arange(5.0)]))
    assert np.isfinite(vectors).all() and (vectors[:, 0] == 0).all()


def test_one_stay_alone_has_no_neighbour() -> None:
    rows, distances = nearest(np.zeros((1, 3)), 0, 10)
    assert len(rows) == len(distances) == 0


def test_which_spaces_need_an_ecg() -> None:
    assert [reads_ecg(space) for space in ("Both, fused", "ECG, all levels", "Record, low level")] == [
        True,
        True,
        False,
    ]
    assert len(SPACES) == 9


def people() -> Space:
    frame = pd.DataFrame(
        {
            "sample_id": [f"los-{n}" for n in range(5)],
            "stay_id": range(5),
            "subject_id": [1, 1, 2, 3, 4],
            "p": 0.5,
            "label": pd.array([1, 1, 1, 0, None], dtype="Int64"),
            "died_before_cut": False,
            "split": "test",
            "outcome_hours": 80.0,
        }
    )
    return Space(np.zeros((5, 2), np.float32), frame)


def test_own_records_and_unknown_outcomes_are_named_and_not_counted() -> None:
    found = neighbours_of(people(), np.array([1, 2, 3, 4]), np.arange(4.0), subject_id=1)
    assert found["same_patient"].tolist() == [True, False, False, False]
    words = summary(found, Definition(24, 72))
    assert words.startswith("1 of the 2 most similar stays were still in the ICU after 72 h: 0.50 [")
    only_own = neighbours_of(people(), np.array([1, 4]), np.arange(2.0), subject_id=1)
    assert "No similar stay" in summary(only_own, Definition(24, 72))
