"""The decision F (eq. 4, 8, 13) and its Owen values: oracles by enumeration, linearity and hand composition."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from lemof_core.config import DecisionConfig, preset
from lemof_core.decision import PORTS, Decision, fit_decision, fit_platt, noise_of_folds, unions_of
from lemof_core.explain.owen import branch_phi, owen_terms

CONFIGS = {
    "robust": DecisionConfig(penalties=(10.0,)),
    "paper": preset("paper").decision,
}


def ports_and_labels(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    return signal[:, None] * 0.6 + rng.normal(size=(n, 7)) * 0.5, (rng.random(n) < expit(signal)).astype(float)


def decision(name: str, path: str = "both") -> Decision:
    ports, y = ports_and_labels()
    own = ports if path == "both" else ports[:, 3:6]
    found = fit_decision(own, y, np.arange(len(y)) % 5, path=path, config=CONFIGS[name])
    return found.calibrated(fit_platt(found.stages(own)["raw"], y))


@pytest.mark.parametrize("name", CONFIGS)
def test_f_is_the_papers_composition_of_logistic_stages(name: str) -> None:
    d = decision(name)
    a = ports_and_labels(5, seed=9)[0]
    meta_ecg, meta_ehr = d.metas["ecg"].logit(a[:, :3]), d.metas["ehr"].logit(a[:, 3:6])
    best_ecg, best_ehr = a[:, d.k_star["ecg"] - 1], a[:, 3 + d.k_star["ehr"] - 1]
    first = d.aggregate.logit(np.stack([meta_ecg, best_ecg, meta_ehr, best_ehr], 1))
    assert d.final is not None
    raw = d.final.logit(np.stack([first, a[:, 6]], 1))
    np.testing.assert_allclose(d.logit(a), d.platt.weights[0] * raw + d.platt.intercept, atol=1e-12)
    np.testing.assert_allclose(d.logit(torch.from_numpy(a)).numpy(), d.logit(a), atol=1e-12)


@pytest.mark.parametrize("path", ["both", "ehr"])
@pytest.mark.parametrize("name", CONFIGS)
def test_owen_values_sum_to_the_logit_and_the_probability(name: str, path: str) -> None:
    d = decision(name, path)
    columns = slice(0, 7) if path == "both" else slice(3, 6)
    a, background = ports_and_labels(12, seed=1)[0][:, columns], ports_and_labels(64, seed=2)[0][:, columns]
    phi, phi_p, base, base_p = branch_phi(d.logit, a, background, unions_of(d.ports))
    np.testing.assert_allclose(phi.sum(1) + base, d.logit(a), atol=1e-9)
    np.testing.assert_allclose(phi_p.sum(1) + base_p, expit(d.logit(a)), atol=1e-9)


def coherent_orders() -> list[tuple[int, ...]]:
    """Return the 3! x 3! x 3! x 1! orders in which the ports of a union stay together."""
    out = []
    for unions in permutations(unions_of(PORTS["both"])):
        for inner in product(*(permutations(union) for union in unions)):
            out.append(tuple(port for union in inner for port in union))
    return out


@pytest.mark.parametrize("name", CONFIGS)
def test_owen_values_equal_the_mean_over_coherent_orders(name: str) -> None:
    d = decision(name)
    x, background = ports_and_labels(1, seed=4)[0][0], ports_and_labels(16, seed=5)[0]
    orders = coherent_orders()
    assert len(orders) == 216
    cache: dict[frozenset[int], tuple[float, float]] = {}

    def value(coalition: frozenset[int]) -> tuple[float, float]:
        if coalition not in cache:
            mixed = background.copy()
            mixed[:, sorted(coalition)] = x[sorted(coalition)]
            logit = d.logit(mixed)
            cache[coalition] = float(logit.mean()), float(expit(logit).mean())
        return cache[coalition]

    expected = np.zeros((2, 7))
    for order in orders:
        before: frozenset[int] = frozenset()
        for port in order:
            after = before | {port}
            expected[:, port] += np.subtract(value(after), value(before)) / len(orders)
            before = after
    phi, phi_p, _, _ = branch_phi(d.logit, x[None], background, unions_of(PORTS["both"]))
    np.testing.assert_allclose(phi[0], expected[0], atol=1e-9)
    np.testing.assert_allclose(phi_p[0], expected[1], atol=1e-9)


def test_on_the_robust_stack_owen_is_coefficient_times_distance_from_the_mean() -> None:
    d = decision("robust")
    a, background = ports_and_labels(8, seed=6)[0], ports_and_labels(50, seed=7)[0]
    zero = d.logit(np.zeros((1, 7)))[0]
    coefficient = d.logit(np.eye(7)) - zero
    phi, *_ = branch_phi(d.logit, a, background, unions_of(PORTS["both"]))
    np.testing.assert_allclose(phi, coefficient * (a - background.mean(0)), atol=1e-9)


def test_only_56_of_128_coalitions_are_used() -> None:
    used = {c for _, _, without, joined in owen_terms(unions_of(PORTS["both"])) for c in (without, joined)}
    assert len(used) == 56


def test_unions_that_forget_a_port_are_refused() -> None:
    with pytest.raises(ValueError, match="every port once"):
        branch_phi(lambda a: a.sum(-1), np.zeros((1, 3)), np.zeros((2, 3)), ((0, 1),))


def test_the_stack_never_reads_an_in_sample_meta_prediction() -> None:
    ports, y = ports_and_labels()
    folds = np.arange(len(y)) % 5
    plain = fit_decision(ports, y, folds, path="both", config=CONFIGS["robust"])
    # Were y_meta in-sample, cutting the rows into other folds could not change G_O1.
    other = fit_decision(ports, y, np.random.default_rng(0).permutation(folds), path="both", config=CONFIGS["robust"])
    assert not np.array_equal(plain.aggregate.weights, other.aggregate.weights)
    np.testing.assert_array_equal(plain.metas["ecg"].weights, other.metas["ecg"].weights)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_decision_survives_json_and_its_vector(name: str) -> None:
    d = decision(name)
    a = ports_and_labels(5, seed=8)[0]
    assert Decision.from_json(d.to_json()).logit(a).tolist() == d.logit(a).tolist()
    assert d.with_vector(d.vector()).logit(a).tolist() == d.logit(a).tolist()
    assert d.ports == PORTS["both"]


def test_the_calibrator_keeps_the_order_even_of_an_inverted_score() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=300)
    y = (rng.random(300) < expit(-2 * raw)).astype(float)
    assert fit_platt(raw, y).weights[0] > 0
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(-raw[:, None], y)
    assert fit_platt(-raw, y).weights[0] == pytest.approx(theirs.coef_[0, 0], rel=1e-3)


def folds_of_networks(n: int, *, n_folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ports (folds, n, 7) of networks that differ by their noise, and labels (n,); the cross port knows most."""
    rng = np.random.default_rng(seed)
    known, hidden = rng.normal(size=(2, n))
    signal = np.column_stack([known, known, known, known, known, known, known + hidden])
    spread = np.array([0.3] * 6 + [0.9])
    return signal + rng.normal(size=(n_folds, n, 7)) * spread, (rng.random(n) < expit(known + hidden)).astype(float)


def test_a_stack_for_the_mean_over_folds_weighs_ports_as_their_mean_deserves() -> None:
    apart, _ = folds_of_networks(600, n_folds=5, seed=1)
    single, y = folds_of_networks(4000, n_folds=1, seed=2)
    folds = np.arange(len(y)) % 5
    mean_ports, mean_y = folds_of_networks(40_000, n_folds=5, seed=3)
    mean = mean_ports.mean(0)

    def share(config: DecisionConfig, ports: np.ndarray, labels: np.ndarray, cut: np.ndarray) -> float:
        d = fit_decision(ports, labels, cut, path="both", config=config, apart=apart)
        assert d.final is not None
        first, cross = d.final.weights / d.final.scale
        return float(first / cross)

    plain = DecisionConfig(for_mean=False, penalties=(1.0,))
    wanted = share(plain, mean, mean_y, np.arange(len(mean_y)) % 5)
    as_seen = share(plain, single[0], y, folds)
    mended = share(DecisionConfig(penalties=(1.0,)), single[0], y, folds)
    assert as_seen > 2 * wanted  # the single network's noise makes Module 1 look needed
    assert abs(mended - wanted) < 0.35 * (as_seen - wanted)


def test_one_fold_is_its_own_mean() -> None:
    assert noise_of_folds(np.ones((1, 9, 2))) is None
    assert noise_of_folds(np.ones((5, 0, 2))) is None
    assert noise_of_folds(np.ones((5, 29, 2))) is None  # too few rows to tell
    np.testing.assert_allclose(noise_of_folds(np.ones((5, 30, 2))), np.zeros((2, 2)))
    rng = np.random.default_rng(0)
    spread = np.array([[1.0, 0.3], [0.3, 0.5]])
    seen = noise_of_folds(rng.normal(size=(1, 5000, 2)) + rng.multivariate_normal([0, 0], spread, (5, 5000)))
    np.testing.assert_allclose(seen, 0.8 * spread, atol=0.03)  # of a fold S, of the mean of five S / 5


def test_what_few_labels_say_is_drawn_to_module_2() -> None:
    ports, y = ports_and_labels()
    folds = np.arange(len(y)) % 5
    for towards in (True, False):
        config = DecisionConfig(towards_cross=towards, penalties=(1e6,))
        d = fit_decision(ports / ports.std(0), y, folds, path="both", config=config)
        assert d.final is not None
        first, cross = d.final.weights / d.final.scale
        if towards:
            np.testing.assert_allclose((first, cross), (0, 1), atol=0.01)
        else:
            assert d.final.weights[0] == pytest.approx(d.final.weights[1], rel=0.01)
