"""The checks of an explanation: what they measure by hand, and that explainers which ignore the weights fail them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_support import fitted, made_up_cohort, parts

from lemof_core.batch import ScaledCohort
from lemof_core.explain.gradients import N_BINS, Attributions, attribute, ehr_baseline
from lemof_core.explain.trust import TRUST_COLUMNS, check_rows, redrawn, trust_checks
from lemof_core.fusion.joint import EHR_TENSORS
from lemof_core.fusion.lemof import LemofModel


@pytest.fixture(scope="module")
def cohort() -> ScaledCohort:
    return fitted().scaler.transform(made_up_cohort())


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    test = parts()["test"]
    return test[made_up_cohort().ecg_present[test]][:3]


def flat(map_of: np.ndarray) -> Attributions:
    """An explanation whose saliency is (N, 12, N_BINS) `map_of`, and nothing else."""
    n = len(map_of)
    return Attributions(np.zeros((n, 8)), map_of, np.ones(n), np.zeros(n))


def energy(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, path: str) -> Attributions:
    """|ECG|: an explainer that never asks the model."""
    signal = np.abs(cohort.arrays.ecg_uv[rows].astype(float))
    return flat(signal.reshape(len(rows), 12, N_BINS, -1).sum(-1))


def stored(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, path: str) -> Attributions:
    """One map for everybody."""
    return flat(np.random.default_rng(0).normal(size=(1, 12, N_BINS)).repeat(len(rows), 0))


def test_deleting_the_named_bins_is_what_a_changed_ecg_would_give(cohort: ScaledCohort, rows: np.ndarray) -> None:
    model = fitted()
    saliency = np.random.default_rng(5).normal(size=(len(rows), 12, N_BINS))
    found = trust_checks(model, cohort, rows, "both", flat(saliency), explainer=stored)["ecg"]
    arrays = made_up_cohort()
    ecg = arrays.ecg_uv.copy()
    for row, own in zip(rows, np.abs(saliency), strict=True):
        most = np.argsort(-own.ravel())[: own.size // 10]
        gone = np.zeros(own.size, dtype=bool)
        gone[most] = True
        ecg[row][gone.reshape(12, N_BINS).repeat(1000 // N_BINS, 1)] = 0
    changed = model.scaler.transform(replace(arrays, ecg_uv=ecg))
    before, after = (model.predict(one, rows).logits[:, 0] for one in (cohort, changed))
    np.testing.assert_allclose(found.deleted_salient, np.abs(after - before), atol=1e-5)


@pytest.mark.parametrize("path", ["both", "ehr"])
def test_deleting_a_variable_makes_it_the_baselines(cohort: ScaledCohort, rows: np.ndarray, path: str) -> None:
    model = fitted()
    named = np.zeros((len(rows), 8))
    named[:, 0] = 1.0  # of eight variables a tenth is one
    explanation = Attributions(named, np.zeros((len(rows), 12, N_BINS)), np.ones(len(rows)), np.zeros(len(rows)))
    found = trust_checks(model, cohort, rows, path, explanation, explainer=lambda *_: explanation)["ehr"]
    baseline = dict(zip(EHR_TENSORS, ehr_baseline(model), strict=True))
    ehr = cohort.ehr(rows)
    tensors = {name: tensor.clone() for name, tensor in ehr.tensors.items()}
    for name in ("value", "mask", "since"):
        tensors[name][:, 0] = baseline[name][:, 0]

    def logit(modality: object) -> np.ndarray:
        with torch.no_grad():
            ports = [
                fold.ports(cohort.ecg(rows), modality) if path == "both" else fold.ehr_ports(modality)  # type: ignore[arg-type]
                for fold in model.folds
            ]
        mean = torch.stack(ports).double().mean(0).numpy()[:, model.columns(path)]
        return np.asarray(model.decisions[path].logit(mean))

    expected = np.abs(logit(replace(ehr, tensors=tensors)) - logit(ehr))
    np.testing.assert_allclose(found.deleted_salient, expected, atol=1e-5)
    assert (found.deleted_random <= found.deleted_random_most).all()


@pytest.mark.parametrize("explainer", [energy, stored])
def test_an_explainer_that_ignores_the_weights_stays_as_it_was(
    cohort: ScaledCohort, rows: np.ndarray, explainer: object
) -> None:
    model = fitted()
    found = explainer(model, cohort, rows, "both")  # type: ignore[operator]
    checks = trust_checks(model, cohort, rows, "both", found, explainer=explainer)["ecg"]  # type: ignore[arg-type]
    np.testing.assert_allclose(checks.rank_correlation, 1.0)


def test_redrawn_weights_are_others_of_the_same_size_and_leave_the_model_alone(rows: np.ndarray) -> None:
    model = fitted()
    before = {name: tensor.clone() for name, tensor in model.folds[0].state_dict().items()}
    other = redrawn(model)
    for name, tensor in model.folds[0].state_dict().items():
        assert torch.equal(tensor, before[name])
    weights = dict(other.folds[0].named_parameters())
    largest = max(model.folds[0].named_parameters(), key=lambda item: item[1].numel())
    assert not torch.allclose(weights[largest[0]], largest[1])
    assert float(weights[largest[0]].detach().std()) == pytest.approx(float(largest[1].detach().std()), rel=0.1)
    again = dict(redrawn(model).folds[0].named_parameters())
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_a_constant_map_has_no_correlation_and_travels_as_absent(cohort: ScaledCohort, rows: np.ndarray) -> None:
    model = fitted()
    constant = flat(np.zeros((len(rows), 12, N_BINS)))
    found = trust_checks(model, cohort, rows, "both", constant, explainer=lambda *_: constant)
    out = check_rows(found, np.array(["a", "b", "c"], dtype=object))
    assert [row["rank_correlation"] for row in out if row["modality"] == "ecg"] == [None] * 3
    assert all(set(row) == set(TRUST_COLUMNS) for row in out)


def test_integrated_gradients_of_redrawn_weights_are_another_map(cohort: ScaledCohort, rows: np.ndarray) -> None:
    model = fitted()
    found = trust_checks(model, cohort, rows, "both", attribute(model, cohort, rows, "both"))["ecg"]
    assert (np.abs(found.rank_correlation) < 0.5).all()
