"""The contract of every fusion that `lemof train` knows, in both arms: fitted, asked, stored, asked again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from core_support import made_up_cohort, parts, quick

from lemof_core.checkpoint import load_model, save_model
from lemof_core.decision import ALL_PORTS
from lemof_core.errors import ModelMistake
from lemof_core.explain.scored import array_specs, score_samples
from lemof_core.fitting.fit import BETWEEN_STAGES, FUSIONS, LEMOF, fit, fit_on
from lemof_core.fitting.stage_one import StageOne, fit_stage_one
from lemof_core.fusion import NETS
from lemof_core.fusion.joint import TREES, CrossJoint, encode
from lemof_core.fusion.lemof import LemofModel
from lemof_core.port_stack import STACK_PORTS

BASE = quick(ehr_encoder="baseline")
TUNABLE = ("lemof", "lemof_m2", *NETS)
EVERY = [(name, "frozen") for name in FUSIONS if name not in BETWEEN_STAGES] + [(n, "finetuned") for n in TUNABLE]
EVERY_FUSION = pytest.mark.parametrize(("fusion", "arm"), EVERY)
TEST = parts()["test"]
_models: dict[tuple[str, str], LemofModel] = {}


@pytest.fixture(scope="module")
def stage() -> StageOne:
    return fit_stage_one(made_up_cohort(), parts(), BASE, progress=lambda *_: None, also=TEST)


def model_of(stage: StageOne, fusion: str, arm: str) -> LemofModel:
    if (fusion, arm) not in _models:
        _models[fusion, arm] = fit_on(stage, replace(BASE, fusion=fusion, arm=arm))
    return _models[fusion, arm]


def test_the_registry_is_what_the_papers_table_compares_and_more() -> None:
    assert {"lemof", "daft", "medfuse", "drfuse", "mmtm", "hyperfusion"} <= set(FUSIONS)
    assert {"lemof_m1", "lemof_m2", "ecg_only", "ehr_only", "early", "late", "late_logistic"} <= set(FUSIONS)
    assert {"level_mean", "majority", "boosted", "boosted_ecg", "mlp", "daft_reverse"} <= set(FUSIONS)
    assert len(FUSIONS) == len(set(FUSIONS))


@EVERY_FUSION
def test_every_sample_gets_a_probability_that_its_batch_mates_do_not_change(
    stage: StageOne, fusion: str, arm: str
) -> None:
    model, cohort = model_of(stage, fusion, arm), stage.cohort
    together = model.predict(cohort, TEST).logits[:, 0]
    assert np.isfinite(together).all()
    order = np.random.default_rng(0).permutation(len(TEST))
    assert not stage.present[TEST[order[:20]]].all(), "rows with an ECG and without one change places"
    np.testing.assert_allclose(model.predict(cohort, TEST[order]).logits[:, 0], together[order], atol=1e-5)
    np.testing.assert_allclose(model.predict(cohort, TEST[order[:9]]).logits[:, 0], together[order[:9]], atol=1e-5)


@EVERY_FUSION
def test_a_batch_of_one_is_that_row_of_a_batch_of_many(stage: StageOne, fusion: str, arm: str) -> None:
    """Unpadded, as no scoring batch is: a squeeze too many, or statistics of the batch, would show."""
    model, cohort = model_of(stage, fusion, arm), stage.cohort
    rows = TEST[stage.present[TEST]]
    for path in model.decisions:
        many = model.path_ports(path, cohort.batch(rows))
        for position in (0, 4):
            one = model.path_ports(path, cohort.batch(rows[position : position + 1]))
            np.testing.assert_allclose(one[0], many[position], atol=1e-5)


@EVERY_FUSION
def test_what_stands_in_the_place_of_an_absent_ecg_changes_nothing(stage: StageOne, fusion: str, arm: str) -> None:
    model, arrays = model_of(stage, fusion, arm), made_up_cohort()
    absent = TEST[~arrays.ecg_present[TEST]]
    assert len(absent) > 2
    plain = model.predict(stage.cohort, TEST).logits
    arrays.ecg_uv[~arrays.ecg_present] = 12345
    np.testing.assert_array_equal(model.predict(model.scaler.transform(arrays), TEST).logits, plain)


@EVERY_FUSION
def test_a_stored_model_says_the_same_bit_for_bit(stage: StageOne, fusion: str, arm: str, tmp_path: Path) -> None:
    model = model_of(stage, fusion, arm)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.config == model.config
    np.testing.assert_array_equal(again.predict(stage.cohort, TEST).logits, model.predict(stage.cohort, TEST).logits)


@EVERY_FUSION
def test_cached_levels_give_the_ports_of_the_model(stage: StageOne, fusion: str, arm: str) -> None:
    """What a benchmark computes once for many fusions is what the stored model computes."""
    model = model_of(stage, fusion, arm)
    joints = [fold.joint for fold in model.folds]
    rows = TEST[stage.present[TEST]]
    for path in model.decisions:
        whole = model.path_ports(path, stage.cohort.batch(rows))
        columns = model.columns(path)
        np.testing.assert_allclose(stage.model_ports(joints, path, rows)[:, columns], whole[:, columns], atol=2e-5)


@EVERY_FUSION
def test_scoring_explains_what_can_be_explained(stage: StageOne, fusion: str, arm: str) -> None:
    model = model_of(stage, fusion, arm)
    found = score_samples(model, stage.cohort, TEST[:3])
    assert len(found.predictions) == 3 and set(found.arrays) == set(array_specs(model))
    assert model.differentiable == (fusion not in TREES)
    assert ("attention_effect" in found.arrays) == (fusion in ("lemof", "lemof_m2"))
    if model.differentiable:
        gap, error = found.arrays["completeness"].T
        given = found.arrays["feature_attribution"].sum(1)
        if "saliency" in found.arrays:
            given = given + found.arrays["saliency"].astype(np.float64).sum((1, 2))
        np.testing.assert_allclose(np.abs(given - gap), error, atol=2e-3)
    if model.decisions["both"].ports:
        logit = found.predictions.set_index("sample_id")["logit"]
        base = {path: facts["base_logit"] for path, facts in model.calibration.items()}
        total = found.branch_values.groupby("sample_id")["phi_logit"].sum().reindex(logit.index, fill_value=0.0)
        paths = found.predictions.set_index("sample_id")["path"]
        np.testing.assert_allclose(total + paths.map(base), logit, atol=1e-9)


@pytest.fixture(scope="module")
def stage_beside_other_test_rows() -> StageOne:
    """A second Stage 1 of the same seed, on a cohort of which the test rows alone are others."""
    arrays = made_up_cohort()
    arrays.series[TEST], arrays.static[TEST], arrays.aux[TEST] = 1e3, -1e3, 50.0
    arrays.ecg_uv[TEST] = 32000
    arrays.labels[TEST] = 1 - arrays.labels[TEST]
    return fit_stage_one(arrays, parts(), BASE, progress=lambda *_: None, also=TEST)


@pytest.mark.slow
@EVERY_FUSION
def test_a_second_fit_of_one_seed_is_bit_equal_whatever_the_test_rows_are(
    stage: StageOne, stage_beside_other_test_rows: StageOne, fusion: str, arm: str
) -> None:
    first = model_of(stage, fusion, arm)
    again = fit_on(stage_beside_other_test_rows, replace(BASE, fusion=fusion, arm=arm))
    assert again.scaler.to_json() == first.scaler.to_json()
    for one, other in zip(first.folds, again.folds, strict=True):
        state = other.state_dict()
        assert set(state) == set(one.state_dict())
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, state[name]), name
    for path, decision in first.decisions.items():
        np.testing.assert_array_equal(decision.vector(), again.decisions[path].vector())
        np.testing.assert_array_equal(first.refits[path], again.refits[path])
    assert again.calibration == first.calibration and again.level_choices == first.level_choices


def test_a_batch_in_which_some_have_no_ecg_is_row_by_row_what_each_is_alone(stage: StageOne) -> None:
    """Cached levels of those who have an ECG are put in their own rows, not in the first ones."""
    samples, rows = stage.samples[0], TEST[np.random.default_rng(1).permutation(len(TEST))]
    there = stage.present[rows]
    assert (~there).sum() > 3 and not there[: there.sum()].all()
    mixed = samples.encoded(rows)
    plain = encode(samples.ecg_predictor(), samples.ehr, stage.cohort.ecg(rows[there]), stage.cohort.ehr(rows[there]))
    at = torch.from_numpy(there)
    for level, own in zip(mixed.ecg_levels, plain.ecg_levels, strict=True):
        torch.testing.assert_close(level.tokens[at], own.tokens, atol=1e-5, rtol=1e-4)
        assert torch.equal(level.mask[at], own.mask) and not level.mask[~at].any() and not level.tokens[~at].any()
    torch.testing.assert_close(mixed.ecg_summary[at], plain.ecg_summary, atol=1e-5, rtol=1e-4)
    for level, own in zip(mixed.ehr_levels, plain.ehr_levels, strict=True):
        torch.testing.assert_close(level.tokens[at], own.tokens, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fusion", TUNABLE)
def test_finetuning_moves_its_own_encoders_and_leaves_stage_one_alone(stage: StageOne, fusion: str) -> None:
    model = model_of(stage, fusion, "finetuned")
    for fold, frozen in zip(model.folds, stage.stages, strict=True):
        assert fold.joint is not None and fold.joint.tuned is not None and frozen.ecg is not None
        for mine, first in ((fold.joint.tuned["ecg"], frozen.ecg), (fold.joint.tuned["ehr"], frozen.ehr)):
            state, start = mine.state_dict(), first.state_dict()
            own_tokens = isinstance(fold.joint, CrossJoint) and fold.joint.pair[1] == 0
            if first is frozen.ehr and (fusion == "mlp" or own_tokens):  # no level of the EHR is read
                assert all(torch.equal(state[name], start[name]) for name in start)
                continue
            assert any(not torch.equal(state[name], start[name]) for name in start)
            for name in start:
                if "running_" in name:
                    assert torch.equal(state[name], start[name]), name
    assert set(dict(stage.stages[0].ehr.state_dict())) == set(dict(model.folds[0].ehr.state_dict()))


@pytest.mark.parametrize("arm", ["frozen", "finetuned"])
def test_module_two_says_that_it_needs_an_ecg(stage: StageOne, arm: str) -> None:
    model = model_of(stage, "lemof", arm)
    rows = np.concatenate([TEST[stage.present[TEST]][:3], TEST[~stage.present[TEST]][:2]])
    with pytest.raises(ModelMistake, match="Module 2 needs an ECG in every row, however: 2 of 5 rows have none"):
        model.path_ports("both", stage.cohort.batch(rows))
    assert np.isfinite(model.predict(stage.cohort, rows).logits).all(), "each sample on its own path"


@pytest.mark.parametrize("fusion", sorted(STACK_PORTS))
def test_plain_rivals_are_one_logistic_on_their_ports(stage: StageOne, fusion: str) -> None:
    model = model_of(stage, fusion, "frozen")
    rows = TEST[stage.present[TEST]]
    ports = model.path_ports("both", stage.cohort.batch(rows))
    read = [ALL_PORTS.index(port) for port in STACK_PORTS[fusion][0]]
    out = model.predict(stage.cohort, rows)
    raw, final = out.intermediates["raw"], out.logits[:, 0]
    if fusion == "majority":
        rate = made_up_cohort().labels[parts()["cal"]].mean()
        everybody = model.predict(stage.cohort, TEST).logits[:, 0]
        np.testing.assert_allclose(everybody, np.log(rate / (1 - rate)), atol=1e-9)
        assert [facts["threshold"] for facts in model.calibration.values()] == [0.5, 0.5]
    elif fusion != "late_logistic":
        np.testing.assert_allclose(raw, ports[:, read].mean(1), atol=1e-5)
        assert np.all(np.diff(final[np.argsort(raw)]) >= 0), "a calibrator keeps the order"


def test_names_and_arms_that_cannot_be_are_refused_before_anything_is_fitted() -> None:
    arrays = made_up_cohort()
    with pytest.raises(ModelMistake, match=r"unknown fusion 'late_median'; known: .*daft.*lemof.*majority"):
        fit(arrays, parts(), replace(BASE, fusion="late_median"))
    with pytest.raises(ModelMistake, match="frozen arm keeps only what they end in; take --arm finetuned"):
        fit(arrays, parts(), replace(BASE, fusion="mmtm"))
    for fusion in ("late", "boosted", "lemof_m1"):
        with pytest.raises(ModelMistake, match="nothing to fine-tune encoders with"):
            fit(arrays, parts(), replace(BASE, fusion=fusion, arm="finetuned"))
    with pytest.raises(ModelMistake, match="arm must be one of frozen, finetuned"):
        replace(BASE, arm="thawed")
    with pytest.raises(ModelMistake, match=r"unknown ECG encoder 'resnet50'; known: baseline, lstm, resnet, wavenet"):
        fit(arrays, parts(), replace(BASE, ecg_encoder="resnet50"))


@pytest.mark.parametrize("fusion", ["daft", "mmtm", "boosted_ecg", "late", "majority"])
def test_without_ecgs_a_rival_is_its_record_alone(fusion: str) -> None:
    arrays = made_up_cohort(ecg_share=0.0)
    arm = "finetuned" if fusion == "mmtm" else "frozen"
    model = fit(arrays, parts(), replace(BASE, fusion=fusion, arm=arm))
    assert set(model.decisions) == {"ehr"} and "ecg path" in model.report["not_estimable"]
    assert (fusion in model.report["not_estimable"]) == (fusion in ("daft", "mmtm", "boosted_ecg"))
    assert np.isfinite(model.predict(model.scaler.transform(arrays), TEST).logits).all()


@pytest.mark.parametrize("fusion", ["daft", "drfuse", "boosted_ecg"])
def test_a_cohort_without_validation_patients_is_fitted_all_the_same(fusion: str) -> None:
    whole = parts()
    some = {**whole, "val": whole["val"][:0]}
    model = fit(made_up_cohort(), some, replace(BASE, fusion=fusion, fitting="holdout"))
    assert np.isfinite(model.predict(model.scaler.transform(made_up_cohort()), TEST).logits).all()


def test_a_rival_that_needs_an_ecg_is_lemofs_record_without_one(stage: StageOne) -> None:
    absent = TEST[~stage.present[TEST]]
    daft, lemof = (model_of(stage, name, "frozen").predict(stage.cohort, absent).logits for name in ("daft", "lemof"))
    np.testing.assert_array_equal(daft, lemof)


def test_m2_reads_the_levels_that_its_choice_names(stage: StageOne) -> None:
    drawn = set()
    for choice, seed in (("fixed", 0), *(("random", seed) for seed in range(3))):
        model = fit_on(stage, replace(BASE, level_choice=choice, seed=seed))
        pair = tuple(model.report["pair"])
        assert choice != "fixed" or pair == (3, 3)
        assert set(pair) <= {1, 2, 3}
        drawn.add(pair)
    assert len(drawn) > 2, "what is drawn hangs on the seed"


def test_what_lemof_adds_is_told_apart(stage: StageOne) -> None:
    ports = {name: model_of(stage, name, "frozen").decisions["both"].ports for name in LEMOF}
    assert ports["lemof_m1"] == ALL_PORTS[:6] and ports["lemof_m2"] == ("cross",) and ports["lemof"] == ALL_PORTS
