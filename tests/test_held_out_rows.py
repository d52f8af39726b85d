"""What was held out teaches nothing, by its labels or by its values: over every encoder and every fusion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_support import made_up_cohort, parts, quick
from sklearn.metrics import roc_auc_score

from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig
from lemof_core.decision import ALL_PORTS
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import ECG_ENCODERS, EHR_ENCODERS
from lemof_core.fitting.fit import BETWEEN_STAGES, fit_on
from lemof_core.fitting.folds import Fold
from lemof_core.fitting.level_stage import cache_levels, fit_predictor
from lemof_core.fitting.stage_one import StageOne, fit_stage_one
from lemof_core.fusion import NETS
from lemof_core.fusion.joint import TREES
from lemof_core.level_heads import LevelPredictor

pytestmark = pytest.mark.slow

EVERY_ENCODER = pytest.mark.parametrize(
    ("modality", "name"), [("ecg", name) for name in ECG_ENCODERS] + [("ehr", name) for name in EHR_ENCODERS]
)
READ_BOTH = ("lemof_m2", *NETS, *TREES)  # `lemof` reads M2's port
NOTHING_KNOWN = 0.05  # how far from 0.5 the AUROC of a thousand rows may lie: three standard errors


def fast() -> RunConfig:
    """Return a configuration of a single epoch for each encoder."""
    config = quick(ecg_encoder="baseline", ehr_encoder="baseline")
    once = replace(config.ehr_training, max_epochs=1)
    return replace(config, ecg_training=once, ehr_training=once)


FAST = fast()


def shuffled_cohort(n: int = 1040) -> CohortArrays:
    """Return samples whose labels say nothing about them, each with an ECG."""
    arrays = made_up_cohort(n, ecg_share=1.0)
    arrays.labels[:] = np.random.default_rng(1).permutation(arrays.labels)
    return arrays


def trained(modality: str, name: str, arrays: CohortArrays, learn: np.ndarray, held: np.ndarray) -> LevelPredictor:
    """Return a level predictor after one epoch on `learn`; preprocessing is fitted there too."""
    config = quick(**{f"{modality}_encoder": name})
    config = replace(config, **{f"{modality}_training": replace(config.ehr_training, max_epochs=1)})
    scaler = Scaler.fit(arrays, learn)
    made = fit_predictor(
        modality, scaler.transform(arrays), Fold(learn, held), held[:20], config, scaler, seed=0,
        progress=lambda what, done, total: None,
    )  # fmt: skip
    assert made is not None
    return made[0]


@EVERY_ENCODER
def test_an_encoders_training_is_bit_equal_beside_other_held_out_rows_and_not_beside_other_learnt_ones(
    modality: str, name: str
) -> None:
    learn, held, never = np.arange(40), np.arange(40, 60), np.arange(60, 80)
    found = []
    for changed in (never[:0], never, learn[:1]):
        arrays = made_up_cohort(80, ecg_share=1.0)
        arrays.series[changed] += 100
        arrays.static[changed] -= 100
        arrays.aux[changed] *= 3
        arrays.ecg_uv[changed] //= 2
        arrays.labels[changed] = 1 - arrays.labels[changed]
        found.append(trained(modality, name, arrays, learn, held).state_dict())
    plain, other_never, other_learn = found
    assert all(torch.equal(tensor, other_never[key]) for key, tensor in plain.items())
    assert not all(torch.equal(tensor, other_learn[key]) for key, tensor in plain.items())


@EVERY_ENCODER
def test_from_shuffled_labels_no_level_of_an_encoder_learns_anything(modality: str, name: str) -> None:
    arrays = shuffled_cohort()
    learn, held = np.arange(64), np.arange(64, 1040)
    predictor = trained(modality, name, arrays, learn, held)
    cohort = Scaler.fit(arrays, learn).transform(arrays)
    logits = cache_levels(predictor, cohort, held, modality).logits
    for level in range(3):
        assert abs(roc_auc_score(arrays.labels[held], logits[:, level]) - 0.5) < NOTHING_KNOWN, level + 1


def shuffled_stage(fitting: str) -> StageOne:
    """Return Stage 1 on shuffled labels; out of fold, 1,000 rows are held out. No val: nothing stops early."""
    splits = {"train": np.arange(700), "meta": np.arange(700, 1000), "cal": np.arange(1000, 1040)}
    return fit_stage_one(shuffled_cohort(), splits, replace(FAST, fitting=fitting), progress=lambda *told: None)


@pytest.fixture(scope="module")
def shuffled() -> StageOne:
    return shuffled_stage("oof5")


@pytest.mark.parametrize("fusion", READ_BOTH)
def test_from_shuffled_labels_no_fusion_learns_anything_about_those_it_held_out(
    shuffled: StageOne, fusion: str
) -> None:
    arm = "finetuned" if fusion in BETWEEN_STAGES else "frozen"
    fit_on(shuffled, replace(FAST, fusion=fusion, arm=arm))
    labels = shuffled.cohort.arrays.labels[shuffled.rows]
    assert len(labels) == 1000
    for port, column in zip(ALL_PORTS, shuffled.ports.T, strict=True):
        assert abs(roc_auc_score(labels, column) - 0.5) < NOTHING_KNOWN, port


def test_the_same_look_finds_the_leak_of_naive_fitting() -> None:
    stage = shuffled_stage("naive")
    fit_on(stage, replace(FAST, fusion="boosted", fitting="naive"))
    labels = stage.cohort.arrays.labels[stage.rows]
    assert roc_auc_score(labels, stage.ports[:, ALL_PORTS.index("cross")]) > 0.8


def test_folds_hold_out_whole_patients_for_every_fusion() -> None:
    arrays = made_up_cohort()
    fitted_on = np.concatenate([parts()["train"], parts()["meta"]])
    arrays.subject_ids[fitted_on] = np.repeat(fitted_on[::2], 2)
    stage = fit_stage_one(arrays, parts(), FAST, progress=lambda *told: None)
    assert len(stage.stages) == 2
    for number, one in enumerate(stage.stages):
        own = arrays.subject_ids[stage.rows[stage.fold_of == number]]
        assert not set(own) & set(arrays.subject_ids[one.fold.learn])
        assert len(own) and not set(stage.rows) & {*parts()["val"], *parts()["cal"], *parts()["test"]}
