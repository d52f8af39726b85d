"""Every field of a run can be set by name, does what it says, and is refused where it makes no sense."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from core_support import made_up_cohort, parts, quick
from fusion_support import Encoded, made_up_input, made_up_sizes, scaled
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from lemof_core.checkpoint import load_model, save_model
from lemof_core.config import CrossAttentionConfig, RunConfig, preset
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import ECG_ENCODERS, EHR_ENCODERS, Level, pool_level
from lemof_core.errors import ModelMistake
from lemof_core.explain.attention import attention_maps
from lemof_core.explain.scored import array_specs, score_samples
from lemof_core.fitting.fit import fit
from lemof_core.fitting.stage_one import fit_stage_one
from lemof_core.fusion import NETS, make_net
from lemof_core.fusion.contract import FusionNet
from lemof_core.fusion.cross_attention import CrossAttention
from lemof_core.fusion.fold_model import make_predictor
from lemof_core.settings import known_settings, with_settings
from lemof_core.training import train_level_predictor

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
SMALL = quick(ecg_encoder="baseline", ehr_encoder="baseline", fitting="holdout")
ENCODERS = [("ecg", name) for name in ECG_ENCODERS] + [("ehr", name) for name in EHR_ENCODERS]
OWN_OPTIONS = {"task", "fusion", "preset", "ecg_encoder", "ehr_encoder", "fitting", "seed", "arm"}


def fields_of(config: RunConfig) -> set[str]:
    found = set()
    for field in fields(config):
        part = getattr(config, field.name)
        found |= {f"{field.name}.{own.name}" for own in fields(part)} if is_dataclass(part) else {field.name}
    return found


# Between them these runs read all there is.
RUNS: list[dict[str, Any]] = [
    {},
    {"level_choice": "cv_gain", "arm": "finetuned"},
    {"fusion": "daft"},
    {"fusion": "mmtm", "arm": "finetuned", "fitting": "holdout"},
    {"fusion": "late", "fitting": "naive"},
]


def test_every_field_can_be_set_for_some_run() -> None:
    listed = set().union(*(known_settings(preset("robust", **run)) for run in RUNS))
    plain = {name for name in listed if not name.startswith(("ecg_sizes.", "ehr_sizes."))}
    assert {"ecg_sizes.widths", "ecg_sizes.n_blocks", "ehr_sizes.n_heads"} <= listed
    dead = {"ehr_training.pretrain_epochs", "ehr_training.aux_weight", "ehr_training.max_shift_s"}
    assert plain == fields_of(RunConfig()) - OWN_OPTIONS - {"settings", "ecg_sizes", "ehr_sizes"} - dead


@pytest.mark.parametrize("name", ["robust", "paper"])
@pytest.mark.parametrize("run", RUNS)
def test_what_is_listed_can_be_set_and_its_own_value_is_no_change(name: str, run: dict[str, Any]) -> None:
    config = preset(name, **run)
    for setting, value in known_settings(config).items():
        found = with_settings(config, [f"{setting}={json.dumps(value)}"])
        assert found.settings == {} and replace(found, ecg_sizes={}, ehr_sizes={}) == config, setting
        assert RunConfig.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("run", "setting"),
    [
        ({"fusion": "daft"}, "cross.d=32"),
        ({"fusion": "lemof_m1"}, "level_choice=fixed"),
        ({}, "net.d=32"),
        ({}, "tuning.max_epochs=2"),
        ({"arm": "finetuned"}, "cross.max_epochs=2"),
        ({"fusion": "late"}, "teacher=none"),
        ({"teacher": "none"}, "exchange=false"),
        ({"fusion": "mmtm", "arm": "finetuned"}, "net.multi_level=true"),
        ({"fitting": "holdout"}, "n_folds=3"),
        ({}, "cross.own_ehr_tokens=false"),
        ({"fusion": "lemof_m2"}, "decision.towards_cross=false"),
        ({"fusion": "late"}, "decision.nonnegative=false"),
    ],
)
def test_what_a_run_would_not_read_is_refused_and_not_listed(run: dict[str, Any], setting: str) -> None:
    config = preset("robust", **run)
    with pytest.raises(ModelMistake, match="would change nothing"):
        with_settings(config, [setting])
    assert setting.partition("=")[0] not in known_settings(config)


def test_two_settings_that_need_each_other_are_taken_together() -> None:
    found = with_settings(preset("robust"), ["decision.for_mean=false", "decision.link=prob", "cross.d=96"])
    assert found.settings == {"decision.for_mean": "false", "decision.link": "prob"}, "96 is what it was"
    assert with_settings(preset("robust"), ["cross.vectors=true", "cross.d=50"]).cross.d == 50
    search = preset("robust", arm="finetuned", level_choice="cv_gain")
    assert with_settings(search, ["cross.max_epochs=2"]).cross.max_epochs == 2, "by which pairs are compared"
    with pytest.raises(ModelMistake, match="between vectors"):
        with_settings(preset("robust"), ["cross.n_heads=1", "cross.vectors=true"])


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("cross.d", "NAME=VALUE"),
        ("cross.depth=3", "cross.n_heads"),
        ("fusion=daft", "names:"),
        ("settings.x=1", "names:"),
        ("cross=1", "names:"),
        ("ecg_sizes=3", "names:"),
        ("cross.d=wide", "cross.d:"),
        ("cross.d=0", "cross.d: Input should be greater"),
        ("cross.d=10", "multiple of n_heads"),
        ("cross.dropout=NaN", "cross.dropout"),
        ("net.lr=Infinity", "finite"),
        ("pooling=max", "own, mean"),
        ("decision.link=probit", "logit, prob"),
        ("decision.link=prob", "for_mean"),
        ("decision.penalties=[]", "at least one"),
        ("ecg_training.level_weights=[0,0,1]", "ecg_training.level_weights: Input should be greater than 0"),
        ("ecg_training.max_shift_s=1e300", "max_shift_s"),
        ("ehr_training.aux_weight=1", "names:"),
        ("ehr_sizes.series_names=[1]", "names:"),
        ("ecg_sizes.depth=3", "ecg_sizes.n_blocks"),
        ("ecg_sizes.widths=[]", "list of positive whole numbers"),
        ("ecg_sizes.n_blocks=-3", "a size is a positive number"),
        ("ecg_training.level_weights=[1,1]", "level_weights"),
        ("n_folds=1", "at least 2"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(setting: str, sentence: str) -> None:
    with pytest.raises(ModelMistake, match=re.escape(sentence)) as caught:
        with_settings(preset("robust"), [setting])
    assert "\n" not in str(caught.value)


def test_an_encoder_has_the_sizes_that_were_set() -> None:
    scaler = Scaler.fit(made_up_cohort(), parts()["train"])
    config = with_settings(preset("robust"), ["ecg_sizes.widths=[8,12,16]", "ehr_sizes.d=16"])
    widths = [[info.d for info in make_predictor(which, config, scaler).encoder.levels] for which in ("ecg", "ehr")]
    assert widths == [[8, 12, 16], [16, 16, 16]]


@pytest.mark.parametrize(
    ("encoders", "setting"),
    [
        (("resnet", "ft_transformer"), "ehr_sizes.d=15"),  # no multiple of its heads
        (("resnet", "ft_transformer"), "ehr_sizes.d=0"),
        (("resnet", "ft_transformer"), "ecg_sizes.n_blocks=0"),
        (("resnet", "baseline"), "ehr_sizes.widths=[30,20,10]"),  # no multiples of its chunks
        (("wavenet", "tpc"), "ecg_sizes.n_layers=0"),
        (("wavenet", "tpc"), "ehr_sizes.kernel=0"),
        (("baseline", "tabnet"), "ehr_sizes.virtual_batch_size=1"),
        (("baseline", "tabnet"), "ehr_sizes.virtual_batch_size=3"),  # whose last part of 64 rows is one row
        (("lstm", "tab_transformer"), "ecg_sizes.d_patch=1"),
    ],
)
def test_sizes_that_do_not_work_are_refused_before_anything_is_trained(
    encoders: tuple[str, str], setting: str, tmp_path: Path
) -> None:
    config = with_settings(replace(SMALL, ecg_encoder=encoders[0], ehr_encoder=encoders[1]), [setting])
    told: list[str] = []
    with pytest.raises(ModelMistake, match="does not work with the sizes") as caught:
        fit_stage_one(made_up_cohort(), parts(), config, progress=lambda what, *_: told.append(what), kept_in=tmp_path)
    assert told == [] and "\n" not in str(caught.value)


def test_a_run_with_everything_set_is_stored_and_asked_again(tmp_path: Path) -> None:
    texts = ["ecg_sizes.n_units=8", "ehr_sizes.d=16", "own_transform=false", "pooling=mean", "cross.vectors=true"]
    texts += ["ecg_training.balanced=true", "ehr_training.level_weights=[1,0.5,2]", "decision.n_bootstrap=0"]
    config = replace(quick(fitting="holdout"), ecg_encoder="lstm", ehr_encoder="ft_transformer")
    model = fit(made_up_cohort(), parts(), with_settings(config, texts))
    save_model(model, tmp_path / "run", extra={})
    loaded, cohort = load_model(tmp_path / "run"), model.scaler.transform(made_up_cohort())
    assert {row["frequency"] for row in loaded.level_choices} == {None}, "no refits, no share of them"
    assert loaded.config == model.config and len(loaded.config.settings) == len(texts)
    rows = parts()["test"]
    expected = model.predict(cohort, rows).logits
    np.testing.assert_array_equal(expected, loaded.predict(cohort, rows).logits)
    document = json.loads((tmp_path / "run" / "model.json").read_text(encoding="utf-8"))
    document["config"]["pooling"] = "own"
    (tmp_path / "run" / "model.json").write_text(json.dumps(document), encoding="utf-8")
    assert not np.allclose(load_model(tmp_path / "run").predict(cohort, rows).logits, expected), "pooling is read"
    document["config"]["depth"] = 3
    (tmp_path / "run" / "model.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ModelMistake, match="depth"):
        load_model(tmp_path / "run")
    specs = array_specs(loaded)
    assert "embedding" in specs and not [name for name in specs if name.startswith("attention")], "no map of one token"
    with_ecg = rows[cohort.arrays.ecg_present[rows]][:3]
    maps = attention_maps(loaded, cohort, with_ecg)
    assert maps.ecg_from_ehr.shape[1:] == (1, 1) and (maps.ehr_from_ecg == 1).all() and (maps.effect == 0).all()
    scored = score_samples(loaded, cohort, with_ecg)
    np.testing.assert_allclose(scored.arrays["embedding"], maps.embedding, atol=1e-2)


@pytest.mark.parametrize(("modality", "name"), ENCODERS)
def test_eq_1s_own_transform_is_learnt_or_stays_the_identity(modality: str, name: str) -> None:
    arrays = made_up_cohort(40, ecg_share=1.0)
    scaler = Scaler.fit(arrays, np.arange(40))
    config = replace(preset("paper", **{f"{modality}_encoder": name}), own_transform=True)
    moved = {}
    for learnt in (True, False):
        predictor = make_predictor(modality, replace(config, own_transform=learnt), scaler)
        before = [{key: p.clone() for key, p in one.state_dict().items()} for one in predictor.encoder.own_transforms]
        how = replace(config.ecg_training, max_epochs=1)
        rows = np.arange(40)
        train_level_predictor(
            predictor, scaler.transform(arrays), modality=modality, train=rows, val=rows[:0], config=how, seed=0
        )
        pairs = zip(before, predictor.encoder.own_transforms, strict=True)
        moved[learnt] = [not torch.equal(old["weight"], new.state_dict()["weight"]) for old, new in pairs]
    n = 0 if (modality, name) == ("ehr", "baseline") else 3  # whose layers are linear maps themselves
    assert moved == {True: [True] * n, False: [False] * n}


@pytest.mark.parametrize(("modality", "name"), ENCODERS)
def test_mean_pooling_reads_the_mean_of_all_valid_tokens(modality: str, name: str) -> None:
    arrays = made_up_cohort(6, ecg_share=1.0)
    scaler = Scaler.fit(arrays, np.arange(6))
    source, config = scaler.transform(arrays), preset("paper", **{f"{modality}_encoder": name})
    torch.manual_seed(0)
    predictor = make_predictor(modality, replace(config, pooling="mean"), scaler).eval()
    given = source.ecg(np.arange(6)) if modality == "ecg" else source.ehr(np.arange(6))
    for level, info in zip(predictor.levels(given), predictor.encoder.levels, strict=True):
        valid = [row[mask].mean(0) for row, mask in zip(level.tokens, level.mask, strict=True)]
        torch.testing.assert_close(pool_level(level, info), torch.stack(valid))


def test_the_loss_weighs_levels_and_classes_as_sklearn_does() -> None:
    rng = np.random.default_rng(0)
    encoded, source = Encoded.of("baseline", "baseline"), scaled(12)
    labels = np.array([1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], dtype=np.float32)
    assert set(labels) == {0, 1} and labels.mean() != 0.5
    predictor, rows = encoded.ehr, rng.permutation(12)
    logits = predictor.level_logits(predictor.levels(source.ehr(rows))).detach().double()
    classes = torch.tensor(compute_sample_weight("balanced", labels)[[1, 0]], dtype=torch.float32)
    predictor.level_weights = (1.0, 0.0, 3.0)
    found = predictor.loss(
        source.ehr(rows), torch.from_numpy(labels[rows])[:, None], torch.zeros(12, 0),
        label_weight=1.0, aux_weight=0.0, class_weights=classes,
    )  # fmt: skip
    weights = compute_sample_weight("balanced", labels[rows])
    losses = [log_loss(labels[rows], torch.sigmoid(logits[:, k]), sample_weight=weights) for k in range(3)]
    assert abs(found.item() - (losses[0] + 3 * losses[2]) / 4) < 1e-5


def test_balanced_training_makes_the_rare_class_count_and_level_weights_name_other_files(tmp_path: Path) -> None:
    arrays = made_up_cohort()
    rare = replace(arrays, labels=(np.arange(len(arrays.labels)) % 6 == 0).astype(np.float32))
    means = []
    for balanced in (False, True):
        training = replace(SMALL.ehr_training, balanced=balanced, max_epochs=8, lr=1e-3)
        stage = fit_stage_one(
            rare, parts(), replace(SMALL, ehr_training=training), progress=lambda *_: None, kept_in=tmp_path
        )
        means.append(1 / (1 + np.exp(-stage.ports[:, 3:6])).mean())
    assert means[0] < 0.3 < 0.4 < means[1], "one in six is long; weighed alike, about one in two seems to be"
    assert len(list(tmp_path.glob("ehr-*"))) == 2 and len(list(tmp_path.glob("ecg-*"))) == 1


@pytest.mark.parametrize("name", [name for name in NETS if isinstance(make_net(name, made_up_sizes()), FusionNet)])
def test_multi_level_rivals_read_level_1_where_they_read_a_modality_as_one_vector(name: str) -> None:
    # (ECG, EHR): DAFT's main map and HyperFusion's shortcut are of tokens; the MLP reads no level of the record.
    reads = {"daft": (False, True), "daft_reverse": (True, False), "hyperfusion": (False, True), "mlp": (True, False)}
    for multi_level, expected in ((False, (False, False)), (True, reads.get(name, (True, True)))):
        sizes = replace(made_up_sizes(), multi_level=multi_level)
        torch.manual_seed(0)
        net = make_net(name, sizes).eval()
        given = made_up_input(sizes)
        lows = {side: [Level(levels[0].tokens + 1, levels[0].mask), *levels[1:]] for side, levels in
                (("ecg", given.ecg), ("ehr", given.ehr))}  # fmt: skip
        moved = [not torch.allclose(net(replace(given, **{side: lows[side]})).logit, net(given).logit) for side in lows]
        assert tuple(moved) == expected


def test_between_vectors_what_is_asked_changes_no_answer() -> None:
    encoded, source = Encoded.of("resnet", "ft_transformer"), scaled(5)
    rows = np.arange(5)
    batch = source.ehr(rows)
    ecg_levels, ehr_levels = encoded.ecg.levels(source.ecg(rows)), encoded.ehr.levels(batch)
    for ehr_level in (0, 3):
        torch.manual_seed(0)
        cross = CrossAttention(
            CrossAttentionConfig(d=8, n_heads=2, vectors=True, residual=False, skip=False),
            encoded.ecg.encoder.levels[2], encoded.ehr.encoder.levels[2], ehr_level=ehr_level,
            n_series=6, n_static=2, d_ecg_skip=encoded.ecg.d_summary,
        ).eval()  # fmt: skip
        out = cross(ecg_levels[2], encoded.ecg.summary(ecg_levels), ehr_levels[2], batch)
        assert out.ecg_from_ehr.shape == out.ehr_from_ecg.shape == (5, 1, 1, 1)
        with torch.no_grad():
            cross.ecg_asks.query.weight.mul_(-7)
            cross.ehr_asks.query.weight.zero_()
        again = cross(ecg_levels[2], encoded.ecg.summary(ecg_levels), ehr_levels[2], batch)
        assert torch.equal(out.logit, again.logit)


def test_what_the_readme_sets_can_be_set() -> None:
    lines = [line for line in README.splitlines() if line.startswith("    lemof train ") and "--set" in line]
    texts = [re.findall(r'--set "?([^" ]+)"?', line) for line in lines]
    assert len(lines) >= 3 and all(texts)
    for some in texts:
        fusion = "drfuse" if "net." in some[0] else "lemof"
        assert len(with_settings(preset("robust", fusion=fusion), some).settings) == len(some)
