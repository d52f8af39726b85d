"""The four explanations on a fitted model: what each must sum to, and what must not move it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_support import fitted, made_up_cohort, parts, quick
from scipy.special import expit

from lemof_core.explain.attention import attention_axes, attention_maps
from lemof_core.explain.gradients import EHR_TENSORS, N_BINS, attribute, ehr_baseline
from lemof_core.explain.modalities import input_effects
from lemof_core.explain.scored import array_specs, score_samples
from lemof_core.fitting.fit import fit

PRESETS = ["robust", "paper"]


def rows_with_ecg(n: int = 4) -> np.ndarray:
    test = parts()["test"]
    return test[made_up_cohort().ecg_present[test]][:n]


@pytest.mark.parametrize("name", PRESETS)
def test_branch_values_sum_to_the_stored_logit_and_probability(name: str) -> None:
    model = fitted(name)
    cohort = model.scaler.transform(made_up_cohort())
    scored = score_samples(model, cohort, parts()["test"], explain=False)
    assert set(scored.predictions["path"]) == {"both", "ehr"}
    sums = scored.branch_values.groupby("sample_id")[["phi_logit", "phi_prob"]].sum()
    for row in scored.predictions.itertuples():
        base = model.calibration[row.path]
        assert sums.loc[row.sample_id, "phi_logit"] + base["base_logit"] == pytest.approx(row.logit, abs=1e-9)
        assert sums.loc[row.sample_id, "phi_prob"] + base["base_p"] == pytest.approx(row.p, abs=1e-9)
        assert row.p == pytest.approx(expit(row.logit), abs=1e-12)
        assert row.p_lo <= row.p_hi


def test_input_effects_are_a_shapley_game_of_two() -> None:
    model = fitted()
    cohort = model.scaler.transform(made_up_cohort())
    rows = rows_with_ecg()
    found = input_effects(model, cohort, rows)
    np.testing.assert_allclose(found.phi_ecg + found.phi_ehr, found.v_both - found.v_none, atol=1e-12)
    np.testing.assert_allclose(found.v_both, model.predict(cohort, rows).logits[:, 0], atol=1e-5)
    np.testing.assert_allclose(found.interaction, found.v_both - found.v_ecg - found.v_ehr + found.v_none, atol=1e-12)
    # v(ECG) knows nothing of the patient's own EHR.
    arrays = made_up_cohort()
    arrays.series[rows] = np.roll(arrays.series[rows], 3, axis=1)
    other = input_effects(model, model.scaler.transform(arrays), rows)
    np.testing.assert_allclose(other.v_ecg, found.v_ecg, atol=1e-6)
    assert np.abs(other.v_ehr - found.v_ehr).max() > 1e-6


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_decided_of_each_folds_ports_is_the_prediction(name: str) -> None:
    model = fitted(name)
    cohort, rows = model.scaler.transform(made_up_cohort()), rows_with_ecg()
    with torch.no_grad():
        each = [fold.ports(cohort.ecg(rows), cohort.ehr(rows)) for fold in model.folds]
    decided = model.decided("both", each)
    assert decided.dtype == np.float64
    np.testing.assert_allclose(decided, model.predict(cohort, rows).logits[:, 0], atol=1e-5)
    stacked = [torch.stack([ports, ports.flip(0)]) for ports in each]
    np.testing.assert_array_equal(model.decided("both", stacked), [decided, decided[::-1]])


def test_the_background_of_whole_patients_was_learnt_by_no_network() -> None:
    model = fitted()
    cal = {made_up_cohort().sample_ids[row] for row in parts()["cal"]}
    assert set(model.input_background.arrays.sample_ids) <= cal
    assert model.input_background.arrays.ecg_present.all()


def test_standard_errors_are_those_of_a_mean_over_single_background_patients() -> None:
    model = fitted()
    cohort, rows = model.scaler.transform(made_up_cohort()), rows_with_ecg(2)
    found = input_effects(model, cohort, rows)
    whole = model.input_background.arrays
    each = [
        input_effects(replace(model, input_background=model.scaler.transform(whole.take(np.array([k])))), cohort, rows)
        for k in range(len(whole))
    ]
    assert found.n_background == len(each) > 1
    of_one = {
        "se_ecg": [one.v_ecg - one.v_none for one in each],
        "se_ehr": [one.v_ehr - one.v_none for one in each],
        "se_joint": [one.interaction for one in each],
    }
    for name, draws in of_one.items():
        expected = np.std(draws, axis=0, ddof=1) / np.sqrt(len(each))
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-6)
        assert (expected > 0).all()
    np.testing.assert_allclose(found.v_ecg, np.mean([one.v_ecg for one in each], axis=0), atol=1e-6)
    assert np.all(each[0].se_ecg == 0)


def test_a_model_without_ecgs_has_the_mean_patient_as_baseline_too() -> None:
    arrays = made_up_cohort(ecg_share=0.0)
    model = fit(arrays, parts(), replace(quick(), fitting="holdout"))
    cohort = model.scaler.transform(arrays)
    background = model.input_background
    assert len(background) == model.config.decision.n_input_background
    for name, tensor in zip(EHR_TENSORS, ehr_baseline(model), strict=True):
        np.testing.assert_allclose(tensor[0].numpy(), getattr(background, name).mean(0), atol=1e-6)
    assert np.isfinite(attribute(model, cohort, parts()["test"][:2], "ehr").feature).all()


@pytest.mark.parametrize("path", ["both", "ehr"])
@pytest.mark.parametrize("name", PRESETS)
def test_attributions_sum_to_the_gap_up_to_the_stated_error(name: str, path: str) -> None:
    model = fitted(name)
    cohort = model.scaler.transform(made_up_cohort())
    found = attribute(model, cohort, rows_with_ecg(), path)
    assert found.saliency.shape == (4, 12, N_BINS)
    total = found.feature.sum(1) + found.saliency.sum((1, 2))
    np.testing.assert_allclose(np.abs(total - found.gap), found.error, atol=1e-9)
    assert found.error.max() < 0.1 * max(1.0, np.abs(found.gap).max())
    if path == "ehr":
        assert (found.saliency == 0).all()


def test_a_variable_that_was_never_charted_and_is_not_in_the_baseline_gets_nothing() -> None:
    arrays = made_up_cohort()
    arrays.series[:, 5] = np.nan
    from core_support import quick

    from lemof_core.fitting.fit import fit

    model = fit(arrays, parts(), quick("robust", fitting="holdout"))
    found = attribute(model, model.scaler.transform(arrays), rows_with_ecg(2), "both")
    assert (found.feature[:, 5] == 0).all() and (found.feature[:, 0] != 0).all()


def test_attention_rows_sum_to_one_and_axes_name_every_token() -> None:
    model = fitted()
    maps = attention_maps(model, model.scaler.transform(made_up_cohort()), rows_with_ecg())
    edges, names = attention_axes(model)
    assert maps.ecg_from_ehr.shape == (4, len(edges) - 1, len(names))
    np.testing.assert_allclose(maps.ecg_from_ehr.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(maps.ehr_from_ecg.sum(-1), 1, atol=1e-5)
    assert (maps.effect >= 0).all() and edges[0] == 0 and edges[-1] == pytest.approx(10)


def test_what_is_stored_has_the_declared_shapes_and_is_finite() -> None:
    model = fitted()
    cohort = model.scaler.transform(made_up_cohort())
    rows = np.concatenate([rows_with_ecg(2), np.flatnonzero(~cohort.arrays.ecg_present)[:2]])
    scored = score_samples(model, cohort, rows)
    for name, spec in array_specs(model).items():
        assert scored.arrays[name].shape == (4, *spec.shape)
        assert np.isfinite(scored.arrays[name]).all()
    assert (scored.arrays["saliency"][2:] == 0).all()
    for k in (1, 2, 3):  # without an ECG nothing stands for it, and the record's own level is there
        assert (scored.arrays[f"embedding_ecg_{k}"][2:] == 0).all() and (
            scored.arrays[f"embedding_ecg_{k}"][:2] != 0
        ).any()
        assert (scored.arrays[f"embedding_ehr_{k}"] != 0).any(1).all()
    assert len(scored.input_effects) == 2
    assert len(scored.branch_values) == 2 * 7 + 2 * 3
