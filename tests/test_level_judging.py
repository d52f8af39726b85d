"""What judges levels, beside brute force and other people's libraries: means, AUROCs, agreement, leave one out."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import bootstrap, friedmanchisquare, spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from statsmodels.stats.outliers_influence import variance_inflation_factor

from dashboard.level_judges import Judged, agreement_in_words, judged, judged_table, verdict
from lemof_core.config import DecisionConfig
from lemof_core.decision import PORTS, Decision, fit_decision
from lemof_core.evaluation.auroc_influence import auroc
from lemof_core.evaluation.collinearity import condition_number, variance_inflation
from lemof_core.evaluation.delong import delong
from lemof_core.evaluation.group_means import FEWEST, group_means
from lemof_core.evaluation.level_removal import best_levels, stack_logits
from lemof_core.evaluation.metrics import MIN_EVENTS, bootstrap_weights, weighted_auroc
from lemof_core.evaluation.rank_agreement import agreement, ranks
from lemof_core.logistic import Logistic

RNG = np.random.default_rng(5)


# Means of groups


def test_the_mean_of_a_group_is_its_mean_and_small_groups_have_none() -> None:
    values = RNG.normal(size=(60, 3))
    members = np.column_stack([np.ones(60), np.arange(60) < 25, np.arange(60) < FEWEST - 1, np.zeros(60)]).astype(bool)
    found = group_means(values, members, np.arange(60))
    np.testing.assert_allclose(found.value[0], values.mean(0))
    np.testing.assert_allclose(found.value[1], values[:25].mean(0))
    assert found.n.tolist() == [60, 25, FEWEST - 1, 0]
    assert np.isnan(found.value[2:]).all() and np.isnan(found.lo[2:]).all() and np.isnan(found.hi[2:]).all()
    assert (found.lo[:2] < found.value[:2]).all() and (found.value[:2] < found.hi[:2]).all()
    assert np.isnan(found.lead(2, 0, 1)).all()


def test_the_interval_of_a_mean_is_the_bootstraps() -> None:
    values = RNG.normal(1.0, 2.0, size=(300, 1))
    found = group_means(values, np.ones((300, 1), dtype=bool), np.arange(300), n_draws=4000)
    theirs = bootstrap((values[:, 0],), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    se = 2 / np.sqrt(300)
    assert found.lo[0, 0] == pytest.approx(theirs.low, abs=0.12 * se)
    assert found.hi[0, 0] == pytest.approx(theirs.high, abs=0.12 * se)


def test_patients_are_drawn_and_not_their_stays() -> None:
    # Everything four times by the same patients says no more than once.
    values, subjects = RNG.normal(size=(80, 2)), np.arange(80)
    everybody = np.ones((80, 1), dtype=bool)
    once = group_means(values, everybody, subjects)
    again = group_means(np.tile(values, (4, 1)), np.tile(everybody, (4, 1)), np.tile(subjects, 4))
    np.testing.assert_allclose([again.lo, again.hi], [once.lo, once.hi], rtol=1e-4)
    assert (again.n[0], again.patients[0]) == (320, 80)
    few = group_means(np.tile(values[:5], (40, 1)), np.ones((200, 1), dtype=bool), np.tile(np.arange(5), 40))
    assert np.isnan(few.value).all(), "two hundred stays of five patients are five patients"


def test_a_lead_is_paired_and_nobody_at_all_has_no_mean() -> None:
    base = RNG.normal(0, 5, 100)
    values = np.column_stack([base + 0.1, base])
    value, low, high = group_means(values, np.ones((100, 1), dtype=bool), np.arange(100)).lead(0, 0, 1)
    assert value == pytest.approx(0.1) and low == pytest.approx(0.1, abs=1e-5) and high == pytest.approx(0.1, abs=1e-5)
    nobody = group_means(np.empty((0, 3)), np.empty((0, 2), dtype=bool), np.empty(0))
    assert nobody.n.tolist() == [0, 0] and np.isnan(nobody.value).all()


# AUROC without draws


def test_an_auroc_is_scikit_learns_and_its_variance_delongs() -> None:
    y = (RNG.random(90) < 0.4).astype(int)
    first = np.round(RNG.normal(size=90) + y, 1)  # with ties
    second = RNG.normal(size=90) + 0.5 * y
    a, b = (auroc(y, score, np.arange(90)) for score in (first, second))
    assert a.value == pytest.approx(roc_auc_score(y, first))
    assert (a - b).value == pytest.approx(roc_auc_score(y, first) - roc_auc_score(y, second))
    wins = (first[y == 1][:, None] > first[y == 0]) + 0.5 * (first[y == 1][:, None] == first[y == 0])
    own, others = wins.mean(1), wins.mean(0)
    half = 1.959964 * np.sqrt(own.var(ddof=1) / len(own) + others.var(ddof=1) / len(others))
    np.testing.assert_allclose(a.interval(), [a.value - half, a.value + half], rtol=1e-6)
    test = delong(y, first, second)
    assert test is not None
    np.testing.assert_allclose((a - b).interval(), [test.lo, test.hi], rtol=1e-9)


def test_the_interval_of_a_difference_is_near_the_bootstraps_also_for_patients_with_several_stays() -> None:
    subjects = np.repeat(np.arange(150), 2)
    y = np.repeat((RNG.random(150) < 0.5).astype(int), 2)
    shared = np.repeat(RNG.normal(size=150), 2)
    first, second = shared + y + RNG.normal(0, 0.3, 300), shared + 0.6 * y + RNG.normal(0, 0.3, 300)
    weights = bootstrap_weights(subjects, n_draws=2000)
    draws = weighted_auroc(y, first, weights) - weighted_auroc(y, second, weights)
    gap = auroc(y, first, subjects) - auroc(y, second, subjects)
    low, high = gap.interval()
    assert (high - low) == pytest.approx(2 * 1.96 * draws.std(), rel=0.12)
    own, as_if_apart = auroc(y, first, subjects), auroc(y, first, np.arange(300))
    assert np.ptp(own.interval()) == pytest.approx(2 * 1.96 * weighted_auroc(y, first, weights).std(), rel=0.12)
    assert np.ptp(as_if_apart.interval()) < 0.85 * np.ptp(own.interval()), "stays of a patient are no new patients"


def test_too_few_of_a_class_and_a_single_patient_have_no_interval() -> None:
    y = np.r_[np.ones(MIN_EVENTS - 1), np.zeros(20)].astype(int)
    few = auroc(y, np.arange(len(y), dtype=float), np.arange(len(y)))
    assert np.isnan(few.value) and np.isnan(few.interval()).all()
    y = np.tile([0, 1], MIN_EVENTS)
    alone = auroc(y, np.arange(len(y), dtype=float), np.zeros(len(y)))
    assert alone.value == pytest.approx(roc_auc_score(y, np.arange(len(y)))) and np.isnan(alone.interval()).all()
    same = auroc(y, np.ones(len(y)), np.arange(len(y)))
    assert same.value == 0.5 and same.interval() == (0.5, 0.5)


# Collinearity


def test_variance_inflation_is_that_of_statsmodels() -> None:
    x = RNG.normal(size=(200, 3)) @ np.array([[1, 0.9, 0.2], [0, 0.3, 0.1], [0, 0, 1]]) + 5
    with_intercept = np.column_stack([np.ones(200), x])
    theirs = [variance_inflation_factor(with_intercept, k) for k in (1, 2, 3)]
    np.testing.assert_allclose(variance_inflation(x), theirs)
    z = (x - x.mean(0)) / x.std(0)
    assert condition_number(x) == pytest.approx(np.linalg.cond(z))
    r2 = LinearRegression().fit(x[:, 1:], x[:, 0]).score(x[:, 1:], x[:, 0])
    assert variance_inflation(x)[0] == pytest.approx(1 / (1 - r2))


def test_levels_that_are_the_same_are_infinitely_alike_and_few_rows_tell_nothing() -> None:
    x = RNG.normal(size=(50, 3))
    copied = np.column_stack([x[:, 0], 2 * x[:, 0] + 1, x[:, 1]])
    assert np.isinf(variance_inflation(copied)[:2]).all() and variance_inflation(copied)[2] < 1.3
    assert condition_number(copied) == float("inf")
    for useless in (x[:4], x[:1], x[:0], np.column_stack([x[:, :2], np.ones(50)])):
        assert np.isnan(variance_inflation(useless)).all() and np.isnan(condition_number(useless))


# Agreement of ranks


def test_kendalls_w_follows_friedman_and_the_mean_of_spearman() -> None:
    values = RNG.normal(size=(4, 6))
    found = agreement(ranks(values))
    chi2 = friedmanchisquare(*values.T).statistic
    assert found.w == pytest.approx(chi2 / (4 * 5))
    pairs = [spearmanr(values[i], values[j]).statistic for i in range(4) for j in range(i)]
    assert np.mean(pairs) == pytest.approx((4 * found.w - 1) / 3)
    tied = np.round(values)
    assert agreement(ranks(tied)).w == pytest.approx(friedmanchisquare(*tied.T).statistic / (4 * 5))


def test_the_chance_of_agreement_goes_through_all_rankings() -> None:
    same = agreement(ranks(np.tile([3.0, 2.0, 1.0], (4, 1))))
    assert (same.w, same.p) == (1.0, pytest.approx(1 / 216))
    assert ranks(np.array([[3.0, 1.0, 2.0]])).tolist() == [[1, 3, 2]]
    some = np.array([[1.0, 2, 3], [1, 3, 2], [2, 1, 3]])
    spreads = [((np.sum(rows, axis=0) - 6) ** 2).sum() for rows in product(permutations([1, 2, 3]), repeat=3)]
    assert agreement(some).p == pytest.approx(np.mean(np.array(spreads) >= ((some.sum(0) - 6) ** 2).sum()))
    assert np.isnan(agreement(ranks(np.ones((3, 3)))).w), "judges who tell nothing apart agree on nothing"
    assert np.isnan(agreement(np.empty((0, 3))).w) and np.isnan(agreement(np.array([[1.0, 2, 3]])).w)
    assert np.isnan(agreement(ranks(RNG.normal(size=(5, 6)))).p), "too many rankings to go through"


# Leave one level out


def _stage(names: list[str], link: str) -> Logistic:
    n = len(names)
    standardised = link == "logit"
    mean = RNG.normal(size=n) if standardised else np.zeros(n)
    scale = RNG.uniform(0.5, 2, n) if standardised else np.ones(n)
    return Logistic(tuple(names), RNG.normal(0.5, 1, n), float(RNG.normal()), mean, scale, link)


def _decision(path: str, link: str) -> Decision:
    modalities = ("ehr",) if path == "ehr" else ("ecg", "ehr")
    return Decision(
        path,
        {m: _stage([f"{m}_{k}" for k in (1, 2, 3)], link) for m in modalities},
        {m: k for m, k in (("ecg", 2), ("ehr", 3)) if m in modalities},
        _stage([f"{kind}_{m}" for m in modalities for kind in ("meta", "best")], link),
        _stage(["O1", "O2"], link) if path == "both" else None,
        _stage(["raw"], "logit"),
    )


def _stored(decision: Decision) -> pd.DataFrame:
    rows = []
    for stage, one in decision.logistics().items():
        names, values = [*one.inputs, "intercept"], [*one.weights, one.intercept]
        means, scales = [*one.mean, 0.0], [*one.scale, 1.0]
        rows += [(stage, *row) for row in zip(names, values, means, scales, strict=True)]
    return pd.DataFrame(rows, columns=["stage", "input", "weight", "mean", "scale"]).sample(frac=1, random_state=1)


@pytest.mark.parametrize("link", ["logit", "prob"])
@pytest.mark.parametrize("path", ["both", "m1", "ehr"])
def test_a_stack_from_stored_weights_says_what_the_model_says_with_and_without_a_level(path: str, link: str) -> None:
    decision = _decision(path, link)
    ports = RNG.normal(size=(40, len(PORTS[path])))
    frame = pd.DataFrame(ports, columns=list(PORTS[path]))
    for held in (None, "ehr_1", "ehr_3"):  # ehr_3 is k*, and so it is y_best too
        changed = ports.copy()
        if held is not None:
            column = changed[:, PORTS[path].index(held)]
            mean = expit(column).mean() if link == "prob" else column.mean()
            column[:] = np.log(mean / (1 - mean)) if link == "prob" else mean
        wanted = decision.stages(changed)
        found = stack_logits(frame, _stored(decision), decision.k_star, link=link, held=() if held is None else (held,))
        np.testing.assert_allclose(found["final"], wanted["final"], atol=1e-12)
        np.testing.assert_allclose(found["ehr"], wanted["meta_ehr"], atol=1e-12)
    assert set(found) == {*decision.metas, "final"}


def test_k_star_of_a_path_is_read_off_its_weights_where_they_tell() -> None:
    ports, y = RNG.normal(size=(60, 7)), np.tile([0, 1], 30)
    for path in ("both", "ehr"):
        columns = ports if path == "both" else ports[:, 3:6]
        fitted = fit_decision(columns, y, np.arange(60) % 5, path=path, config=DecisionConfig(n_bootstrap=0))
        assert best_levels(_stored(fitted)) == fitted.k_star
    assert best_levels(_stored(_decision("both", "prob"))) == {}, "a plain probability has no mark of its level"


# The four ways side by side


def _known(n: int = 200) -> tuple[pd.DataFrame, pd.DataFrame, Decision]:
    """Stays whose ECG level 2 alone says anything, and a stack that listens to level 3 most."""
    decision = _decision("both", "logit")
    y = (RNG.random(n) < 0.5).astype(int)
    ports = pd.DataFrame(RNG.normal(size=(n, 7)), columns=list(PORTS["both"]))
    ports["ecg_2"] += 2.0 * y
    known = ports.assign(label=y, subject_id=np.arange(n))
    weights = _stored(decision).assign(lo=np.nan, hi=np.nan, path="both")
    for name, weight in (("ecg_1", -0.1), ("ecg_2", 0.5), ("ecg_3", 1.0)):
        weights.loc[weights["input"] == name, ["weight", "mean", "scale"]] = weight, 0.0, 1.0
    return known, weights, decision


def test_four_ways_judge_the_same_stays_and_their_disagreement_is_named() -> None:
    known, weights, decision = _known()
    phi = known[["ecg_1", "ecg_2", "ecg_3"]].to_numpy() * np.array([-0.1, 0.5, 1.0])
    found = judged(known, phi, weights, decision.k_star, "ecg", "logit")
    y = known["label"]
    np.testing.assert_allclose(found.of["phi"][:, 0], np.abs(phi).mean(0))
    for at, name in enumerate(("ecg_1", "ecg_2", "ecg_3")):
        assert found.of["alone"][at, 0] == pytest.approx(roc_auc_score(y, known[name]))
        lost = roc_auc_score(y, phi.sum(1)) - roc_auc_score(y, np.delete(phi, at, axis=1).sum(1))
        assert found.of["without"][at, 0] == pytest.approx(lost)
    assert (found.first("alone"), found.first("without"), found.first("weight")) == (2, 2, 3)
    told = verdict(found, "ecg")
    assert told.startswith("ECG: the ways disagree.") and "Level 2 is first by AUROC alone and AUROC lost" in told
    assert "1st" in judged_table(found).set_index("Judged by").loc["AUROC alone", "Level 2"]
    assert "AUROC alone" in agreement_in_words(found).split("clearly ahead of the second by")[1]
    assert (found.n, found.events) == (200, int(y.sum()))


def test_ways_without_a_number_do_not_vote() -> None:
    known, weights, decision = _known(12)
    known["label"] = np.r_[1, np.zeros(11, dtype=int)]
    found = judged(known, np.tile([0.1, 0.2, 0.3], (12, 1)), weights, decision.k_star, "ecg", "logit")
    assert found.ways == ["phi", "weight"]
    assert verdict(found, "ecg") == "ECG: all 2 ways put level 3 first"
    assert "AUROC is not estimable, n = 12, 1 long." in agreement_in_words(found)
    assert judged_table(found).set_index("Judged by").loc["AUROC alone", "Level 1"] == "not estimable"


def test_a_tie_puts_no_level_first() -> None:
    same = np.tile([0.2, 0.1, 0.3], (3, 1))
    tied = Judged(dict.fromkeys(("phi", "weight", "alone", "without", "whole"), same), {}, 50, 20)
    assert verdict(tied, "ehr") == "EHR: no way of judging puts a level first, n = 50"
    assert "not estimable" in agreement_in_words(tied)
    apart = np.array([[0.3, 0, 0], [0.2, 0, 0], [0.1, 0, 0]])
    one = Judged(tied.of | {"phi": apart}, {}, 50, 20)
    assert verdict(one, "ehr").startswith("EHR: 1 of 4 ways puts level 1 first; a tie by weight")
