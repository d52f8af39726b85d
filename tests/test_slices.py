"""The search for slices: what is enumerated, what passes by chance, what is planted is found, numbers recounted."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_ind

from lemof_core.evaluation import slice_null
from lemof_core.evaluation.slice_candidates import enumerate_slices
from lemof_core.evaluation.slice_null import contrast, critical_value, extremes_by_chance, moderated_t, permuted_rows
from lemof_core.evaluation.slices import ALPHA, RANKS, find_slices, members_of, ratio_interval, smallest_slice


def cohort(n: int, seed: int, *, n_factors: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(holds (N, F), factors (F,), a skewed error (N,) that knows no fact): two or three bands a factor."""
    rng = np.random.default_rng(seed)
    columns, factors = [], []
    for factor in range(n_factors):
        bands = 2 + factor % 2
        value = rng.integers(bands, size=n)
        columns += [value == band for band in range(bands)]
        factors += [factor] * bands
    p = rng.uniform(0.05, 0.95, n)
    y = rng.uniform(size=n) < p
    return np.column_stack(columns), np.array(factors), -np.log(np.where(y, p, 1 - p))


# Enumeration


@given(n=st.integers(0, 40), seed=st.integers(0, 5), depth=st.integers(1, 3), fewest=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_the_slices_are_all_conjunctions_that_are_large_enough_and_their_own(
    n: int, seed: int, depth: int, fewest: int
) -> None:
    holds, factors, error = cohort(n, seed, n_factors=3)
    found = enumerate_slices(holds, factors, error, depth=depth, fewest=fewest)
    wanted = {}
    for size in range(1, depth + 1):
        for facts in combinations(range(len(factors)), size):
            inside = holds[:, facts].all(1)
            larger = [holds[:, some].all(1).sum() for some in combinations(facts, size - 1)] if size > 1 else []
            own = all(inside.sum() < one for one in larger)
            whole = all(fewest <= holds[:, one].sum() <= n - fewest for one in facts)
            # A slice that is missed for a parent that is no slice of its own is the same stays as a smaller one.
            if len(set(factors[list(facts)])) == size and own and whole and fewest <= inside.sum() <= n - fewest:
                wanted[facts] = (inside.sum(), error[inside].sum(), (error[inside] ** 2).sum())
    told = {found.facts_of(k): (found.n[k], found.sum1[k], found.sum2[k]) for k in range(len(found.n))}
    assert told.keys() == wanted.keys()
    for facts, numbers in wanted.items():
        assert told[facts] == pytest.approx(numbers, rel=1e-5)
    if len(found.n):
        members = found.members(holds.astype(np.float32), 0, len(found.n))
        expected = np.column_stack([members_of(holds, found.facts_of(k)) for k in range(len(found.n))])
        np.testing.assert_array_equal(members.astype(bool), expected)


# The statistic and its null


def test_the_statistic_is_welchs_t_but_for_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    own, others = rng.exponential(1.2, 40), rng.exponential(1, 200)
    error = np.concatenate([own, others])
    both = [len(own), own.sum(), (own**2).sum(), len(error), error.sum(), (error**2).sum()]
    assert float(moderated_t(*both)) == pytest.approx(contrast(own, others, error.var())[0])
    monkeypatch.setattr(slice_null, "PRIOR", 0)
    # numpy's and scipy's variances differ by n / (n - 1), of either part
    assert float(moderated_t(*both)) == pytest.approx(ttest_ind(own, others, equal_var=False).statistic, rel=0.02)
    assert float(moderated_t(5, 5.0, 5.0, 20, 20.0, 20.0)) == 0, "all errors are the same: nothing is worse"


def test_patients_change_places_whole() -> None:
    whose = np.array([0, 0, 1, 2, 2, 3, 3, 3, 4])
    rows = permuted_rows(whose, 200, np.random.default_rng(0))
    assert (np.sort(rows, axis=1) == np.arange(len(whose))).all(), "everybody's error is given once"
    for own in (np.flatnonzero(whose == patient) for patient in range(5)):
        given_to = whose[rows[:, own]]
        assert (given_to == given_to[:, :1]).all(), "the stays of a patient stay together"
    assert {tuple(row) for row in whose[rows[:, :2]]} == {(0, 0), (2, 2)}, "and go to one with as many"


@pytest.mark.parametrize(("n_draws", "allowed"), [(19, 0), (399, 19)])
def test_the_critical_value_is_where_p_reaches_alpha(n_draws: int, allowed: int) -> None:
    maxima = np.random.default_rng(0).normal(size=n_draws)
    critical = critical_value(maxima, ALPHA)
    assert (maxima > critical).sum() == allowed
    assert (1 + (maxima >= critical + 1e-9).sum()) / (1 + n_draws) <= ALPHA
    assert critical_value(maxima[:10], ALPHA) == np.inf, "ten draws cannot tell one in twenty"


@pytest.mark.parametrize("patients", [600, 100])
def test_normal_draws_come_to_the_largest_of_normals(patients: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six independent halves: the largest t of them is known, and the smallest is its mirror image."""
    rng = np.random.default_rng(0)
    holds = rng.uniform(size=(20_000, 6)) < 0.5
    monkeypatch.setattr(slice_null, "MOST_EXACT", patients)
    candidates = enumerate_slices(holds, np.arange(6), np.ones(20_000), depth=1, fewest=10)
    extremes, exact = extremes_by_chance(holds, candidates, np.ones(20_000), np.arange(20_000), n_draws=4000, seed=0)
    assert not exact
    wanted = norm.ppf(0.95 ** (1 / 6))
    for tail in (extremes[0], -extremes[1]):
        assert np.quantile(tail, 0.95) == pytest.approx(wanted, rel=0.06)


def false_discoveries(n: int, n_cohorts: int, **how: object) -> int:
    found = 0
    for seed in range(n_cohorts):
        holds, factors, error = cohort(n, 1000 + seed)
        found += bool(find_slices(holds, factors, error, np.arange(n), n_draws=99, **how).found)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("kind", ["log", "wrong"])
def test_a_cohort_without_a_slice_yields_none_as_often_as_promised(kind: str) -> None:
    """At most 2.5 % of searches find anything. Of 200, 12 or more would be expected once in a hundred such tests."""
    found = 0
    for seed in range(200):
        holds, factors, error = cohort(150, seed)
        error = error if kind == "log" else (error > 0.69).astype(float)
        found += bool(find_slices(holds, factors, error, np.arange(150), n_draws=99, seed=seed).found)
    assert found <= 11


def test_the_promise_holds_for_three_facts_and_small_slices() -> None:
    assert false_discoveries(150, 60, depth=3, fewest=5) <= 5  # more: once in a hundred


def test_the_promise_holds_for_large_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_null, "MOST_EXACT", 500)
    assert false_discoveries(4000, 60) <= 5


def test_the_promise_holds_where_patients_have_several_stays() -> None:
    """The stays of a patient share facts and errors; taken for independent they would find a slice in every other."""
    found = 0
    for seed in range(60):
        holds, factors, error = cohort(60, seed)
        several = np.repeat(np.arange(60), 4)
        found += bool(find_slices(holds[several], factors, error[several], several, n_draws=99).found)
    assert found <= 5


# What is found


def planted(n: int = 600, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A cohort whose errors are three times as large where facts 0 and 2 hold, and who that is."""
    holds, factors, error = cohort(n, seed)
    inside = holds[:, 0] & holds[:, 2]
    return holds, factors, np.where(inside, 3 * error + 0.5, error), inside


@pytest.mark.parametrize("rank", RANKS)
def test_a_planted_slice_comes_first_and_alone(rank: str) -> None:
    holds, factors, error, _ = planted()
    found = find_slices(holds, factors, error, np.arange(len(error)), rank=rank)
    first = found.found[0]
    assert first.facts == (0, 2)
    assert first.lo > 1 and first.p <= ALPHA and found.exact
    assert all(one.folded_into is not None for one in found.folded)
    assert len(found.found) == 1, "what overlaps it says nothing of its own"


def test_every_number_is_that_of_a_recount() -> None:
    holds, factors, error, _ = planted()
    frame = pd.DataFrame(holds).assign(error=error)
    search = find_slices(holds, factors, error, np.arange(len(error)), depth=3, weight=0.9)
    assert search.found and search.n == len(frame) and search.error == pytest.approx(frame["error"].mean())
    for one in (*search.found, *search.folded):
        inside = frame[list(one.facts)].all(axis=1)
        assert one.n == inside.sum()
        assert one.error == pytest.approx(frame.loc[inside, "error"].mean())
        assert one.rest == pytest.approx(frame.loc[~inside, "error"].mean())
        assert one.lift == pytest.approx(one.error / one.rest)
        assert one.lo < one.lift < one.hi and one.t > search.critical
        # Equation 1 of Sagadeeva and Boehm
        score = 0.9 * (one.error / search.error - 1) - 0.1 * (len(frame) / one.n - 1)
        assert one.score == pytest.approx(score)
        mended = frame["error"].where(~inside, one.rest).mean()
        assert one.gain == pytest.approx(frame["error"].mean() - mended)


def test_slices_apart_are_all_listed_and_copies_are_folded() -> None:
    """Two planted slices without a stay in common, and a fact that is nearly the first."""
    holds, factors, error = cohort(900, 5)
    first, second = holds[:, 0] & holds[:, 2], holds[:, 1] & holds[:, 5]
    copy = first ^ (np.arange(900) % 97 == 0)
    holds, factors = np.column_stack([holds, first, copy]), np.append(factors, [90, 91])
    error = error + 1.5 * first + 1.5 * second
    search = find_slices(holds, factors, error, np.arange(900))
    listed = [members_of(holds, one.facts) for one in search.found]
    likeness = [[(one & truth).sum() / (one | truth).sum() for one in listed] for truth in (first, second)]
    assert [round(max(row), 1) for row in likeness] == [1.0, 1.0]
    for one, other in combinations(listed, 2):
        assert (one & other).sum() <= 0.8 * (one | other).sum()


def test_the_worst_slice_is_told_where_none_passes() -> None:
    holds, factors, error = cohort(200, 0)
    search = find_slices(holds, factors, error, np.arange(200))
    assert not search.found and search.nearest is not None
    assert search.nearest.t <= search.critical and search.nearest.p > ALPHA


@pytest.mark.parametrize("case", ["nobody", "one", "no facts", "all right", "all wrong", "too small"])
def test_what_cannot_be_searched_finds_nothing(case: str) -> None:
    holds, factors, error = cohort({"nobody": 0, "one": 1, "too small": 30}.get(case, 200), 0)
    if case == "no facts":
        holds, factors = holds[:, :0], factors[:0]
    if case in ("all right", "all wrong"):
        error = np.full(200, float(case == "all wrong"))
    search = find_slices(holds, factors, error, np.arange(len(error)), depth=3)
    assert (search.found, search.folded, search.n_passed, search.nearest) == ((), (), 0, None)


@pytest.mark.parametrize("how", [{"depth": 0}, {"depth": 4}, {"rank": "beauty"}])
def test_a_search_that_there_is_not_is_refused(how: dict[str, object]) -> None:
    holds, factors, error = cohort(50, 0)
    with pytest.raises(ValueError, match="depth is 1, 2 or 3"):
        find_slices(holds, factors, error, np.arange(50), **how)  # type: ignore[arg-type]


@given(
    m=st.floats(0.01, 3),
    r=st.floats(0.01, 3),
    a=st.floats(1e-4, 0.1),
    b=st.floats(1e-4, 0.1),
    c=st.floats(1, 5),
    d=st.floats(1, 5),
)
@settings(max_examples=200, deadline=None)
def test_the_interval_of_the_lift_holds_the_ratios_that_the_t_does_not_refuse(
    m: float, r: float, a: float, b: float, c: float, d: float
) -> None:
    lift, low, high = ratio_interval((m, a), (r, b), c, d)
    assert low <= lift <= high
    for ratio in np.append(np.geomspace(1e-3, 1e3, 50), 1.0):
        t = (m - ratio * r) / np.sqrt(a + ratio**2 * b)
        if min(abs(t - c), abs(t + d)) > 1e-6:
            assert (low <= ratio <= high) == (-d < t < c)


def test_the_usual_smallest_slice_is_a_hundredth_and_at_least_twenty() -> None:
    assert [smallest_slice(n) for n in (0, 85, 2000, 2001, 93_200)] == [20, 20, 20, 21, 932]
