"""What reads both modalities learns its teacher's probabilities on exchanged pairs, and no label."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from core_support import made_up_cohort, parts, quick

from lemof_core.boosted_trees import BoostedTrees
from lemof_core.config import RunConfig
from lemof_core.fitting.fit import fit_on
from lemof_core.fitting.joint_stage import FoldSamples, fit_joint, fit_trees, joint_logits
from lemof_core.fitting.stage_one import StageOne, fit_stage_one
from lemof_core.fusion.fold_model import make_cross, make_rival
from lemof_core.fusion.joint import Encoded, Joint, TreeJoint, tree_features
from lemof_core.live.case import LiveCase
from lemof_core.live.one_row import one_row

BASE = quick(ehr_encoder="baseline")


@pytest.fixture(scope="module")
def stage() -> StageOne:
    return fit_stage_one(made_up_cohort(), parts(), BASE, progress=lambda *_: None)


def crossing(samples: FoldSamples, rows: np.ndarray) -> TreeJoint:
    """A teacher whose log-odds are 2 where the ECG's first read-out and the record's first mean agree, else -2.

    Agree: both above their medians over the rows, or both below.
    """
    x = tree_features(samples.encoded(rows), reads="summary")
    record = samples.ecg_predictor().d_summary + 1  # column "mean" of the first series
    a, b = np.nanmedian(x[:, 0]), np.nanmedian(x[:, record])
    return TreeJoint(
        BoostedTrees(
            feature=np.array([0, record, record, 0, 0, 0, 0], dtype=np.int32),
            threshold=np.array([a, b, b, 0, 0, 0, 0]),
            missing_left=np.zeros(7, dtype=np.uint8),
            left=np.array([1, 3, 5, 3, 4, 5, 6], dtype=np.int32),
            right=np.array([2, 4, 6, 3, 4, 5, 6], dtype=np.int32),
            value=np.array([0, 0, 0, 2.0, -2.0, -2.0, 2.0]),
            roots=np.array([0], dtype=np.int32),
            base=np.array(0.0),
            n_features=np.array(x.shape[1], dtype=np.int64),
        ),
        reads="summary",
    )


def relabelled(samples: FoldSamples, rows: np.ndarray) -> FoldSamples:
    """The samples with the labels of these rows turned round."""
    arrays = samples.cohort.arrays
    labels = arrays.labels.copy()
    labels[rows] = 1 - labels[rows]
    return replace(samples, cohort=replace(samples.cohort, arrays=replace(arrays, labels=labels)))


def trained(
    stage: StageOne,
    samples: FoldSamples,
    teacher: TreeJoint | None,
    fusion: str,
    *,
    val: np.ndarray,
    config: RunConfig = BASE,
) -> Joint:
    config = replace(config, fusion=fusion, arm="finetuned" if fusion == "mmtm" else "frozen")
    torch.manual_seed(0)
    ecg, ehr, ours = samples.ecg_predictor(), samples.ehr, fusion == "lemof"
    joint = make_cross(config, ecg, ehr, (2, 2), stage.scaler) if ours else make_rival(config, ecg, ehr, stage.scaler)
    learn, how = stage.stages[0].fold.learn, config.cross if ours else config.net
    report = {"what": fusion, "progress": lambda *_: None}
    fit_joint(joint, samples, learn, val, config, how, teacher=teacher, seed=0, **report)
    return joint


def test_a_row_can_be_given_the_ecg_of_another(stage: StageOne) -> None:
    samples, others = stage.samples[0], np.roll(parts()["val"], 4)
    rows = parts()["val"]
    mixed, own, theirs = samples.encoded(rows, ecg_of=others), samples.encoded(rows), samples.encoded(others)
    assert not torch.equal(mixed.ecg.present, own.ecg.present), "an absent ECG changes hands too"
    assert torch.equal(mixed.ecg.present, theirs.ecg.present) and torch.equal(mixed.ecg_summary, theirs.ecg_summary)
    for k in range(3):
        assert torch.equal(mixed.ecg_levels[k].tokens, theirs.ecg_levels[k].tokens)
        assert torch.equal(mixed.ehr_levels[k].tokens, own.ehr_levels[k].tokens)
    assert torch.equal(mixed.ehr.tensors["value"], own.ehr.tensors["value"])
    raw = samples.encoded(rows, ecg_of=others, raw=True)
    assert torch.equal(raw.ecg.tensors["signal"], samples.encoded(others, raw=True).ecg.tensors["signal"])


@pytest.mark.parametrize("fusion", ["lemof", "drfuse", "mmtm"])
def test_a_taught_joint_learns_no_label_and_an_untaught_one_does(stage: StageOne, fusion: str) -> None:
    samples = stage.samples[0]
    learn = stage.stages[0].fold.learn
    turned = relabelled(samples, learn)
    for teacher, same in ((stage.teachers[0], True), (None, False)):
        val = stage.splits["val"]
        first, again = (trained(stage, some, teacher, fusion, val=val).state_dict() for some in (samples, turned))
        assert all(torch.equal(first[name], again[name]) for name in first) is same, (fusion, teacher)


@pytest.mark.parametrize("fusion", ["lemof", "daft", "drfuse", "mlp"])
def test_a_student_takes_over_a_crossing_that_no_label_told(stage: StageOne, fusion: str) -> None:
    cache = stage.samples[0].caches["ecg"]  # an encoder of a second or two reads nothing out: quantities drawn by lot
    drawn = torch.randn(cache.summary.shape, generator=torch.Generator().manual_seed(0))
    samples = replace(stage.samples[0], caches=stage.samples[0].caches | {"ecg": replace(cache, summary=drawn)})
    learn = stage.stages[0].fold.learn[stage.present[stage.stages[0].fold.learn]]
    teacher, nobody = crossing(samples, learn), np.empty(0, dtype=np.int64)
    longer = {"max_epochs": 500, "patience": 500, "d": 32, "lr": 3e-3}
    config = replace(BASE, cross=replace(BASE.cross, **longer), net=replace(BASE.net, **longer))
    said = joint_logits(trained(stage, samples, teacher, fusion, val=nobody, config=config), samples, learn)
    told = joint_logits(teacher, samples, learn)
    assert np.corrcoef(said, told)[0, 1] > 0.5, fusion
    assert abs(np.corrcoef(told, stage.cohort.arrays.labels[learn])[0, 1]) < 0.3, "what it learnt was not in the labels"


def test_the_teacher_of_a_fold_is_the_rival_boosted_measured_and_never_saw_what_is_held_out(stage: StageOne) -> None:
    model = fit_on(stage, replace(BASE, fusion="boosted_measured"))
    for number, (fold, samples) in enumerate(zip(model.folds, stage.samples, strict=True)):
        assert fold.joint is stage.teachers[number]
        learn, held = stage.stages[number].fold.learn, stage.stages[number].fold.held
        blind, other = (
            fit_trees(relabelled(samples, rows), learn, stage.splits["val"], reads="measured", seed=number)
            for rows in (held, learn[:20])
        )
        known, same, differs = (dict(trees.named_buffers()) for trees in (stage.teachers[number], blind, other))
        assert all(torch.equal(known[name], same[name]) for name in known)
        assert any(not torch.equal(known[name], differs[name]) for name in known)


def test_a_live_cases_measured_quantities_come_to_the_trees_by_name(stage: StageOne) -> None:
    told = {"rate": 71.0, "not known": 3.0, "r_mv": 0.8}
    arrays, _ = one_row(stage.scaler, [], 24.0, LiveCase(), None, told, [])
    named = dict(zip(stage.scaler.aux_names, arrays.aux[0], strict=True))
    assert named["rate"] == 71 and named["r_mv"] == np.float32(0.8) and np.isnan(named["st"])
    cohort = stage.scaler.transform(arrays)
    standardised = (71 - stage.scaler.aux_mean[1]) / stage.scaler.aux_scale[1]
    assert cohort.ecg(np.array([0])).tensors["measured"][0, 1] == pytest.approx(np.clip(standardised, -4, 4))


def test_the_teacher_is_a_field_of_the_config(stage: StageOne) -> None:
    taught, untaught = (fit_on(stage, replace(BASE, teacher=name)) for name in ("trees", "none"))
    pairs = zip(taught.folds, untaught.folds, strict=True)
    weights = [(a.joint.state_dict(), b.joint.state_dict()) for a, b in pairs if a.joint and b.joint]
    assert weights and all(not torch.equal(a["cross.out.weight"], b["cross.out.weight"]) for a, b in weights)
    assert taught.config.teacher == "trees" and RunConfig.from_json(untaught.config.to_json()).teacher == "none"


def test_a_record_without_an_ecg_teaches_every_network_with_the_ecg_of_another(
    stage: StageOne, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, asked = stage.samples[0], []
    original = FoldSamples.encoded

    def spy(self: FoldSamples, rows: np.ndarray, **how: Any) -> Encoded:
        asked.append((rows, how.get("ecg_of")))
        return original(self, rows, **how)

    monkeypatch.setattr(FoldSamples, "encoded", spy)
    learn = stage.stages[0].fold.learn
    for fusion in ("lemof", "daft", "medfuse"):
        asked.clear()
        trained(stage, samples, stage.teachers[0], fusion, val=stage.splits["val"])
        pairs = [two for two in asked if two[1] is not None]
        records, ecgs = (np.concatenate(part) for part in zip(*pairs, strict=True))
        assert set(records) == set(learn) and set(ecgs) <= set(learn), fusion
        assert not stage.present[records].all()
        assert stage.present[ecgs].all() == (fusion != "medfuse"), "MedFuse reads records alone too"


def test_a_teacher_can_be_asked_about_the_patients_own_pairs(stage: StageOne) -> None:
    samples, val = stage.samples[0], stage.splits["val"]
    own = replace(BASE, exchange=False)
    first = trained(stage, samples, stage.teachers[0], "daft", val=val, config=own).state_dict()
    turned = relabelled(samples, stage.stages[0].fold.learn)
    again = trained(stage, turned, stage.teachers[0], "daft", val=val, config=own).state_dict()
    mixed = trained(stage, samples, stage.teachers[0], "daft", val=val).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first), "no label there either"
    assert any(not torch.equal(first[name], mixed[name]) for name in first)
