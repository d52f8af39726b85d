"""The staged fit: who learns from whom, what is never read, and what too few patients cannot give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from core_support import fitted, made_up_cohort, parts, quick
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from lemof_core import training
from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig, TrainingConfig, preset
from lemof_core.decision import IDENTITY_PLATT, fit_decision, fit_with_held_out
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake
from lemof_core.explain.attention import module_two
from lemof_core.fitting.fit import BETWEEN_STAGES, fit, fit_on
from lemof_core.fitting.folds import make_folds
from lemof_core.fitting.stage_one import fit_stage_one
from lemof_core.fusion import NETS
from lemof_core.fusion.fold_model import make_predictor
from lemof_core.training import fit_epochs, train_level_predictor


def predictions(model_name: str, arrays: CohortArrays, rows: np.ndarray) -> np.ndarray:
    model = fitted(model_name)
    return model.predict(model.scaler.transform(arrays), rows).logits[:, 0]


def test_folds_of_oof_share_no_patient_and_hold_every_row_out_once() -> None:
    arrays = made_up_cohort()
    arrays.subject_ids[:40] = np.repeat(arrays.subject_ids[:20], 2)
    folds = make_folds(arrays, parts(), RunConfig())
    fit_rows = np.concatenate([parts()["train"], parts()["meta"]])
    assert sorted(np.concatenate([fold.held for fold in folds])) == sorted(fit_rows)
    for fold in folds:
        assert not set(arrays.subject_ids[fold.learn]) & set(arrays.subject_ids[fold.held])


def test_holdout_learns_on_train_and_stacks_on_meta_and_naive_leaks_by_design() -> None:
    arrays = made_up_cohort()
    (held,) = make_folds(arrays, parts(), RunConfig(fitting="holdout"))
    np.testing.assert_array_equal(held.learn, parts()["train"])
    np.testing.assert_array_equal(held.held, parts()["meta"])
    (leak,) = make_folds(arrays, parts(), RunConfig(fitting="naive"))
    np.testing.assert_array_equal(leak.learn, leak.held)


def test_no_test_row_can_change_the_fitted_model() -> None:
    config = replace(quick(), fitting="holdout")
    plain = fit(made_up_cohort(), parts(), config)
    arrays = made_up_cohort()
    test = parts()["test"]
    arrays.series[test] = 1e3
    arrays.ecg_uv[test] = 32000
    arrays.labels[test] = 1 - arrays.labels[test]
    changed = fit(arrays, parts(), config)
    for path, decision in plain.decisions.items():
        np.testing.assert_array_equal(decision.vector(), changed.decisions[path].vector())
    for before, after in zip(plain.folds[0].state_dict().values(), changed.folds[0].state_dict().values(), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("name", ["robust", "paper"])
def test_a_batch_mate_never_changes_a_prediction(name: str) -> None:
    arrays, rows = made_up_cohort(), parts()["test"][:6]
    plain = predictions(name, arrays, rows)
    others = arrays.take(np.arange(len(arrays)))
    others.series[rows[1:]] = 5.0
    others.ecg_uv[rows[1:]] = others.ecg_uv[rows[1:]] // 2
    assert predictions(name, others, rows)[0] == plain[0]
    assert (predictions(name, others, rows)[1:] != plain[1:]).any()
    np.testing.assert_allclose(predictions(name, arrays, rows[:1]), plain[:1], atol=1e-5)


@pytest.mark.parametrize("name", ["robust", "paper"])
def test_the_content_of_an_absent_ecg_never_changes_a_prediction(name: str) -> None:
    arrays = made_up_cohort()
    rows = np.flatnonzero(~arrays.ecg_present)[:4]
    plain = predictions(name, arrays, rows)
    assert np.isfinite(plain).all()
    arrays.ecg_uv[rows] = 12345
    np.testing.assert_array_equal(predictions(name, arrays, rows), plain)


def test_the_order_of_the_samples_is_the_order_of_the_answers() -> None:
    arrays, rows = made_up_cohort(), parts()["test"]
    plain = predictions("robust", arrays, rows)
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(predictions("robust", arrays, rows[order]), plain[order], atol=1e-5)


def test_paths_differ_and_have_their_own_calibrator_and_background() -> None:
    model = fitted()
    assert set(model.decisions) == {"both", "ehr"}
    assert len(model.decisions["ehr"].ports) == 3 and len(model.decisions["both"].ports) == 7
    assert model.port_background["ehr"].shape[1] == 3
    ids = {made_up_cohort().sample_ids[row] for row in parts()["meta"]}
    assert set(model.background_ids["both"]) <= ids


def test_both_presets_read_k_star_and_a_search_over_pairs_reports_both_choices() -> None:
    for name in ("paper", "robust"):
        model = fitted(name)
        chosen = model.decisions["both"].k_star
        assert module_two(model.folds[0]).pair == (chosen["ecg"], chosen["ehr"]), name
        assert {row["level"] for row in model.level_choices} == {1, 2, 3}, "M2's own tokens were not to be had"
    searched = fit(made_up_cohort(), parts(), quick(level_choice="cv_gain"))
    rows = {(row["modality"], row["level"]): row for row in searched.level_choices}
    assert ("ehr", 0) in rows and rows["ehr", 0]["frequency"] is None
    for modality in ("ecg", "ehr"):
        known = [row for (m, level), row in rows.items() if m == modality and level]
        assert sum(row["frequency"] for row in known) == pytest.approx(1)
        assert sum(row["is_k_star"] for row in known) == 1


def weights_of(decision: Any) -> np.ndarray:
    """The stack's weights and intercepts, its calibrator left out."""
    return np.asarray(decision.calibrated(IDENTITY_PLATT).vector())


def test_every_stack_is_fitted_for_the_mean_over_folds_that_it_reads() -> None:
    stage = fit_stage_one(made_up_cohort(), parts(), quick(), progress=lambda *_: None)
    model = fit_on(stage, quick())
    rows = np.concatenate([parts()["val"], parts()["cal"]])
    joints = [fold.joint for fold in model.folds]
    for path, some in (("both", rows[stage.present[rows]]), ("ehr", rows)):
        decision = model.decisions[path]
        apart = stage.fold_ports(joints, path, some)[:, :, model.columns(path)]
        np.testing.assert_allclose(apart.mean(0), stage.model_ports(joints, path, some)[:, model.columns(path)])
        held = stage.held(path, decision.ports)[1:]
        how: dict[str, Any] = {"path": path, "config": quick().decision}
        np.testing.assert_array_equal(weights_of(fit_decision(*held, apart=apart, **how)), weights_of(decision))
        assert not np.array_equal(weights_of(fit_decision(*held, **how)), weights_of(decision))
    late = quick(fusion="late_logistic")
    for_one = replace(late, decision=replace(late.decision, for_mean=False))
    mean, one = (weights_of(fit_on(stage, config).decisions["both"]) for config in (late, for_one))
    assert not np.array_equal(mean, one)


def test_how_far_folds_differ_is_seen_without_a_label() -> None:
    config = quick(fusion="lemof_m1")
    stage = fit_stage_one(made_up_cohort(), parts(), config, progress=lambda *_: None)
    before = fit_on(stage, config)
    labels = stage.cohort.arrays.labels
    for name in ("val", "cal"):
        labels[parts()[name]] = 1 - labels[parts()[name]]
    after = fit_on(stage, config)
    for path, decision in before.decisions.items():
        np.testing.assert_array_equal(weights_of(decision), weights_of(after.decisions[path]))
        assert decision.platt.intercept != after.decisions[path].platt.intercept


def test_without_ecgs_only_the_ehr_path_is_fitted_and_says_so() -> None:
    arrays = made_up_cohort(ecg_share=0.0)
    model = fit(arrays, parts(), replace(quick(), fitting="holdout"))
    assert set(model.decisions) == {"ehr"}
    assert "n = 0" in model.report["not_estimable"]["ecg path"]
    assert np.isfinite(model.predict(model.scaler.transform(arrays), parts()["test"]).logits).all()


def test_too_few_calibration_samples_are_named_and_the_probability_stays_finite() -> None:
    splits = parts() | {"cal": parts()["cal"][:4]}
    model = fit(made_up_cohort(), splits, replace(quick(), fitting="holdout"))
    assert "n = 4" in model.report["not_estimable"]["ehr: calibration"]
    assert model.calibration["ehr"]["threshold"] is None


def test_one_class_or_no_patients_stop_with_a_sentence() -> None:
    arrays = made_up_cohort()
    arrays.labels[:] = 0
    with pytest.raises(ModelMistake, match="events = 0"):
        fit(arrays, parts(), quick())


def test_two_fits_of_one_seed_are_equal_bit_by_bit() -> None:
    config = replace(quick(), fitting="holdout", seed=3)
    first, second = (fit(made_up_cohort(), parts(), config) for _ in range(2))
    for a, b in zip(first.folds[0].state_dict().values(), second.folds[0].state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("of", ["loss", "validation loss"])
def test_training_stops_at_a_nan_loss_with_a_sentence(of: str) -> None:
    layer = torch.nn.Linear(1, 1)
    factor = {"loss": (float("nan"), 1.0), "validation loss": (1.0, float("nan"))}[of]
    with pytest.raises(ModelMistake, match=f"training stopped: the {of} of a line became nan in epoch 1; lower its lr"):
        fit_epochs(
            layer, what="a line", step_loss=lambda rows: layer.weight.sum() * factor[0], val_loss=lambda: factor[1],
            rows=np.arange(8), max_epochs=2, patience=1, batch_size=4, lr=0.1, weight_decay=0.0,
            rng=np.random.default_rng(0),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("part", "fusion", "arm", "named"),
    [
        ("ecg_training", "late", "frozen", "the ECG encoder"),
        ("ehr_training", "late", "frozen", "the EHR encoder"),
        ("cross", "lemof", "frozen", "cross-attention"),
        *(("net", name, "finetuned" if name in BETWEEN_STAGES else "frozen", name) for name in NETS),
        ("net", "daft", "finetuned", "daft"),
    ],
)
def test_whatever_diverges_is_named_and_nothing_is_returned(part: str, fusion: str, arm: str, named: str) -> None:
    config = quick(ecg_encoder="baseline", ehr_encoder="baseline", fitting="holdout", fusion=fusion, arm=arm)
    config = replace(config, **{part: replace(getattr(config, part), lr=1e37, max_epochs=2)})
    with pytest.raises(ModelMistake, match=rf"training stopped: the (validation )?loss of {named}.* became (nan|inf)"):
        fit(made_up_cohort(), parts(), config)


def of_class(rows: np.ndarray, label: int) -> np.ndarray:
    return rows[made_up_cohort().labels[rows] == label]


@pytest.mark.parametrize("fusion", ["lemof", "majority", "late_logistic", "daft", "boosted"])
@pytest.mark.parametrize(("split", "fitting"), [("train", "oof5"), ("train", "holdout"), ("meta", "holdout")])
def test_a_split_that_is_too_small_or_of_one_class_stops_every_fusion_alike(
    split: str, fitting: str, fusion: str
) -> None:
    config = quick(ecg_encoder="baseline", ehr_encoder="baseline", fitting=fitting, fusion=fusion)
    rows = parts()[split]
    for some in (rows[:0], rows[:1], of_class(rows, 0), of_class(rows, 1)):
        sentence = f"at least 2 samples of each class in {split}, however: n = {len(some)}, events = "
        with pytest.raises(ModelMistake, match=sentence):
            fit(made_up_cohort(), parts() | {split: some}, config)


@pytest.mark.parametrize("fusion", ["lemof", "majority", "late_logistic", "daft", "boosted"])
def test_without_patients_to_stop_early_by_or_to_calibrate_on_every_fusion_is_fitted_and_says_so(fusion: str) -> None:
    config = quick(ecg_encoder="baseline", ehr_encoder="baseline", fitting="holdout", fusion=fusion)
    arrays = made_up_cohort()
    for split in ("val", "cal"):
        for some in (parts()[split][:0], of_class(parts()[split], 1)):
            model = fit(arrays, parts() | {split: some}, config)
            found = model.predict(model.scaler.transform(arrays), parts()["test"]).logits
            assert np.isfinite(found).all()
            assert ("ehr: calibration" in model.report["not_estimable"]) == (split == "cal")


def test_folds_of_a_cohort_whose_strata_are_all_smaller_than_their_number_keep_the_classes_apart() -> None:
    arrays = replace(made_up_cohort(16), labels=np.arange(16) % 2, ecg_present=np.arange(16) % 4 < 2)
    splits = {"train": np.arange(8), "meta": np.arange(8, 12)}  # 3 of each class with an ECG, 3 without
    folds = make_folds(arrays, splits, RunConfig())
    assert len(folds) == 5 and sorted(np.concatenate([fold.held for fold in folds])) == list(range(12))
    assert all(len(np.unique(arrays.labels[fold.learn])) == 2 for fold in folds)


def test_auxiliary_targets_are_learnt_without_the_label() -> None:
    arrays = made_up_cohort(160, ecg_share=1.0)
    config = preset("robust")
    scaler = Scaler.fit(arrays, np.arange(120))
    cohort = scaler.transform(arrays)
    torch.manual_seed(0)
    predictor = make_predictor("ecg", config, scaler)
    how = TrainingConfig(max_epochs=0, pretrain_epochs=6)
    history = train_level_predictor(
        predictor, cohort, modality="ecg", train=np.arange(120), val=np.arange(120, 160), config=how, seed=0
    )["pretrain"]
    assert min(history.val) < history.val[0]


def test_the_paper_preset_moves_no_ecg_and_normalises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError("an ECG was moved in time")

    monkeypatch.setattr(training, "_shifted", never)
    config = replace(quick("paper"), fitting="holdout")
    model = fit(made_up_cohort(), parts(), config)
    cross = module_two(model.folds[0]).cross
    # Eq. 9 to 12 and no more: two directions of three maps, and one weight for each attended number.
    d, n = config.cross.d, (cross.ecg_info.d, cross.ehr_info.d)
    maps = sum((q + 1) * d + 2 * (k + 1) * d for q, k in (n, n[::-1]))
    assert sum(p.numel() for p in cross.parameters()) == maps + 2 * d + 1
    with pytest.raises(AssertionError, match="moved in time"):
        fit(made_up_cohort(), parts(), replace(quick(), fitting="holdout"))


def test_what_the_next_stage_reads_is_held_out_as_scikit_learn_holds_out() -> None:
    rng = np.random.default_rng(0)
    y, folds = rng.integers(0, 2, 400).astype(float), np.arange(400) % 5
    ports = rng.normal(size=(400, 6)) + y[:, None]
    decision, held = fit_with_held_out(ports, y, folds, path="m1", config=preset("paper").decision)

    def held_out(x: np.ndarray) -> np.ndarray:
        plain = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
        p = cross_val_predict(plain, x, y, cv=PredefinedSplit(folds), method="predict_proba")[:, 1]
        return np.log(p / (1 - p))

    columns = []
    for modality, levels in (("ecg", ports[:, :3]), ("ehr", ports[:, 3:])):
        columns += [held_out(expit(levels)), levels[:, decision.k_star[modality] - 1]]
    np.testing.assert_allclose(held, held_out(expit(np.stack(columns, axis=1))), atol=0.02)
    assert np.abs(decision.stages(ports)["O1"] - held).max() > 0.05


def test_unknown_settings_are_refused() -> None:
    for wrong in ({"preset": "best"}, {"fitting": "cv"}, {"level_choice": "all"}, {"n_folds": 1}):
        with pytest.raises(ModelMistake):
            RunConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelMistake, match="robust"):
        preset("literal")
    assert RunConfig.from_json(preset("paper").to_json()) == preset("paper")
