"""The contract of every registered encoder; and FT-Transformer against the library it follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from core_support import made_up_cohort
from safetensors.torch import load, save

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import (
    ECG_ENCODERS,
    EHR_ENCODERS,
    Encoder,
    Level,
    LevelInfo,
    make_encoder,
    pool_level,
    run_levels,
)
from lemof_core.encoders.baseline_ehr import BaselineMlp
from lemof_core.encoders.ehr_summary import series_facts
from lemof_core.encoders.ft_transformer import FTTransformer, TransformerBlock
from lemof_core.errors import ModelMistake

NAMES = {"series_names": tuple(f"series_{i}" for i in range(6)), "static_names": ("age", "sex")}
EVERY = [("ecg", name) for name in ECG_ENCODERS] + [("ehr", name) for name in EHR_ENCODERS]


def cohort(n: int = 8) -> ScaledCohort:
    arrays = made_up_cohort(n, ecg_share=1.0)
    return Scaler.fit(arrays, np.arange(n)).transform(arrays)


def encoder_of(modality: str, name: str) -> Encoder:
    torch.manual_seed(0)
    return make_encoder(modality, name, **(NAMES if modality == "ehr" else {})).eval()


def part(modality: str, rows: np.ndarray, source: ScaledCohort) -> Modality:
    return source.ecg(rows) if modality == "ecg" else source.ehr(rows)


def in_double(given: Modality) -> Modality:
    """Return the tensors as float64: an untrained TabNet makes 1e-3 of float32's rounding."""
    as_double = {
        name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in given.tensors.items()
    }
    return Modality(as_double, given.present)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_three_levels_come_as_declared(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    levels = run_levels(encoder, part(modality, np.arange(8), source))
    assert len(levels) == 3
    for level, info in zip(levels, encoder.levels, strict=True):
        assert level.tokens.shape == (8, info.n_tokens, info.d)
        assert level.mask.shape == (8, info.n_tokens) and level.mask.dtype == torch.bool
        assert torch.isfinite(level.tokens).all()
        assert info.n_tokens <= 64
        n_values = len(info.axis_values)
        assert n_values == (info.n_tokens + 1 if info.axis == "seconds" else info.n_tokens)


@pytest.mark.parametrize("grad", [True, False])  # torch has a path of its own for transformers without gradients
@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_a_batch_mate_never_changes_a_level(modality: str, name: str, grad: bool) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    with torch.set_grad_enabled(grad):
        alone = run_levels(encoder, part(modality, np.array([0, 1]), source))
        other = run_levels(encoder, part(modality, np.array([0, 7]), source))
    for first, second in zip(alone, other, strict=True):
        assert torch.equal(first.tokens[0], second.tokens[0])
        assert not torch.equal(first.tokens[1], second.tokens[1])


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_one_row_batches_work(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name).double(), cohort()
    one = run_levels(encoder, in_double(part(modality, np.array([3]), source)))
    many = run_levels(encoder, in_double(part(modality, np.arange(8), source)))
    for first, second in zip(one, many, strict=True):
        torch.testing.assert_close(first.tokens[0], second.tokens[3], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_gradients_reach_every_parameter_and_the_input(modality: str, name: str, n: int) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    given = part(modality, np.arange(n), source)
    key = "signal" if modality == "ecg" else "value"
    given.tensors[key].requires_grad_(True)
    sum((level.tokens**2).sum() for level in run_levels(encoder, given)).backward()
    assert all(p.grad is not None for p in encoder.parameters())
    gradient = given.tensors[key].grad
    assert gradient is not None and gradient.abs().sum() > 0


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_a_gate_of_ones_changes_nothing_and_one_of_zeros_leaves_nothing(modality: str, name: str, k: int) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    given = part(modality, np.arange(8), source)
    plain = run_levels(encoder, given)
    state = encoder.stem(given)
    for before in range(1, k + 1):
        state = encoder.block(before, state)
    width = encoder.gate_widths[k - 1]
    opened = encoder.scale(k, state, torch.ones(8, width))
    assert torch.equal(encoder.read(k, opened).tokens, plain[k - 1].tokens)
    for after in range(k + 1, 4):
        opened, level = encoder.stage(after, opened)
        assert torch.equal(level.tokens, plain[after - 1].tokens)
    shut = encoder.read(k, encoder.scale(k, state, torch.zeros(8, width))).tokens
    assert torch.equal(shut, shut[:1].expand_as(shut)), "what is left is the same for everyone"
    assert not torch.equal(plain[k - 1].tokens[0], plain[k - 1].tokens[1])


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_a_gate_is_its_samples_own_and_acts_on_this_level_and_the_next(modality: str, name: str, k: int) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    key = "signal" if modality == "ecg" else "value"
    given = part(modality, np.arange(8), source)
    given.tensors[key].requires_grad_(True)
    plain = run_levels(encoder, given)
    state = encoder.stem(given)
    for before in range(1, k + 1):
        state = encoder.block(before, state)
    gate = torch.ones(8, encoder.gate_widths[k - 1])
    gate[0] = 0.5
    gate.requires_grad_(True)
    state = encoder.scale(k, state, gate)
    levels = [encoder.read(k, state)]
    for after in range(k + 1, 4):
        state, level = encoder.stage(after, state)
        levels.append(level)
    for level, before_gate in zip(levels, plain[k - 1 :], strict=True):
        assert not torch.allclose(level.tokens[0], before_gate.tokens[0])
        torch.testing.assert_close(level.tokens[1:], before_gate.tokens[1:])
    of_gate, of_input = torch.autograd.grad((levels[-1].tokens ** 2).sum(), [gate, given.tensors[key]])
    assert (of_gate.abs().sum(1) > 0).all() and of_input.abs().sum() > 0


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_weights_travel_as_safetensors(modality: str, name: str) -> None:
    encoder, given = encoder_of(modality, name), part(modality, np.arange(8), cohort())
    torch.manual_seed(1)
    other = make_encoder(modality, name, **(NAMES if modality == "ehr" else {})).eval()
    other.load_state_dict(load(save(encoder.state_dict())))  # which refuses two names for one tensor
    for first, second in zip(run_levels(encoder, given), run_levels(other, given), strict=True):
        assert torch.equal(first.tokens, second.tokens)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_eq_1s_own_transforms_start_as_the_identity(modality: str, name: str) -> None:
    encoder, given = encoder_of(modality, name), part(modality, np.arange(8), cohort())
    plain = run_levels(encoder, given)
    found = encoder.own_transforms
    assert len(found) == (0 if isinstance(encoder, BaselineMlp) else 3)  # whose layers are linear maps themselves
    for adapter in found:
        adapter.forward = lambda x: x  # type: ignore[method-assign, assignment]
    for first, second in zip(plain, run_levels(encoder, given), strict=True):
        torch.testing.assert_close(first.tokens, second.tokens, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ECG_ENCODERS)
def test_the_content_of_an_absent_record_does_not_reach_its_neighbours_tokens(name: str) -> None:
    encoder, source = encoder_of("ecg", name), cohort()
    signal = torch.cat([source.ecg(np.arange(2)).tensors["signal"]] * 2, dim=1)
    present = torch.tensor([[True, False], [True, True]])
    levels = run_levels(encoder, Modality({"signal": signal, "record_present": present}, torch.ones(2) > 0))
    changed = signal.clone()
    changed[0, 1] = 9.0
    others = run_levels(encoder, Modality({"signal": changed, "record_present": present}, torch.ones(2) > 0))
    for level, other, info in zip(levels, others, encoder.levels, strict=True):
        assert level.tokens.shape[1] == 2 * info.n_tokens
        assert level.mask.sum(1).tolist() == [info.n_tokens, 2 * info.n_tokens]
        assert torch.equal(level.tokens[level.mask], other.tokens[other.mask])
        assert torch.equal(pool_level(level, info), pool_level(other, info))


@pytest.mark.parametrize("name", ECG_ENCODERS)
def test_a_row_without_any_record_has_no_valid_token_and_an_empty_summary_whatever_stands_there(name: str) -> None:
    encoder, source = encoder_of("ecg", name), cohort()
    signal = source.ecg(np.arange(3)).tensors["signal"].clone()
    present = torch.tensor([True, False, True])
    found = []
    for junk in (0.0, 9.0):
        signal[1] = junk
        found.append(
            run_levels(encoder, Modality({"signal": signal.clone(), "record_present": present[:, None]}, present))
        )
    for blank, loud, info in zip(*found, encoder.levels, strict=True):
        assert torch.equal(blank.mask.any(1), present) and torch.equal(blank.mask, loud.mask)
        assert torch.equal(pool_level(blank, info), pool_level(loud, info))
        assert not pool_level(loud, info)[1].any() and pool_level(loud, info)[[0, 2]].any(1).all()


def test_every_pooling_by_hand() -> None:
    tokens = torch.arange(16.0).reshape(1, 4, 4)  # two records of two tokens
    level = Level(tokens, torch.tensor([[True, True, False, False]]))
    expected = {"mean": [2, 3, 4, 5], "cls": [0, 1, 2, 3], "last": [12, 13, 14, 15], "ends": [4, 5, 2, 3]}
    for pool, vector in expected.items():
        assert pool_level(level, LevelInfo("low", 2, 4, "units", ("a", "b"), pool))[0].tolist() == vector
    both = Level(tokens, torch.ones(1, 4, dtype=torch.bool))
    assert pool_level(both, LevelInfo("low", 2, 4, "units", ("a", "b"), "ends"))[0].tolist() == [8, 9, 6, 7]
    none = Level(tokens, torch.zeros(1, 4, dtype=torch.bool))
    assert pool_level(none, LevelInfo("low", 2, 4, "units", ("a", "b"), "ends"))[0].tolist() == [0] * 4


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ModelMistake, match="baseline, lstm, resnet, wavenet"):
        make_encoder("ecg", "transformer")
    with pytest.raises(ModelMistake, match="baseline, ft_transformer, tab_transformer, tabnet, tpc"):
        make_encoder("ehr", "lstm")


def copied_library_backbone(ours: FTTransformer, *, n_blocks: int = 3) -> torch.nn.Module:
    """Return rtdl_revisiting_models' backbone whose first three blocks have our weights."""
    rtdl = pytest.importorskip("rtdl_revisiting_models")
    d = ours.levels[0].d
    theirs = rtdl.FTTransformerBackbone(
        d_out=None, n_blocks=n_blocks, d_block=d, attention_n_heads=8, attention_dropout=0.0,
        ffn_d_hidden=int(d * 4 / 3), ffn_d_hidden_multiplier=None, ffn_dropout=0.0, residual_dropout=0.0,
    )  # fmt: skip
    for block, copy in zip(ours.blocks, theirs.blocks[:3], strict=True):
        assert isinstance(block, TransformerBlock)
        weights = block.attention.in_proj_weight.chunk(3)
        biases = block.attention.in_proj_bias.chunk(3)
        for name, weight, bias in zip(("W_q", "W_k", "W_v"), weights, biases, strict=True):
            getattr(copy["attention"], name).weight.data = weight.clone()
            getattr(copy["attention"], name).bias.data = bias.clone()
        copy["attention"].W_out.load_state_dict(block.attention.out_proj.state_dict())
        copy["ffn_normalization"].load_state_dict(block.ffn_norm.state_dict())
        copy["ffn"].linear1.load_state_dict(block.ffn_in.state_dict())
        copy["ffn"].linear2.load_state_dict(block.ffn_out.state_dict())
        if "attention_normalization" in copy:
            copy["attention_normalization"].load_state_dict(block.attention_norm.state_dict())
    return theirs.eval()


def test_the_ft_transformers_cls_equals_the_librarys() -> None:
    ours = encoder_of("ehr", "ft_transformer")
    assert isinstance(ours, FTTransformer)
    theirs = copied_library_backbone(ours)
    given = cohort().ehr(np.arange(8))
    tokens = ours.stem(given)
    levels = run_levels(ours, given)
    torch.testing.assert_close(levels[2].tokens[:, 0], theirs(tokens), atol=1e-5, rtol=1e-4)


def test_every_token_of_the_ft_transformer_equals_the_librarys_where_all_of_them_ask() -> None:
    """In the library's last block CLS alone asks, so the reference has a fourth block behind the three."""
    ours = encoder_of("ehr", "ft_transformer")
    assert isinstance(ours, FTTransformer)
    given = cohort().ehr(np.arange(8))
    levels = run_levels(ours, given)
    after_block = []
    theirs = copied_library_backbone(ours, n_blocks=4)
    for block in theirs.blocks[:3]:
        block["output"].register_forward_hook(lambda module, args, out: after_block.append(out))
    theirs(ours.stem(given))
    for level, expected in zip(levels, after_block, strict=True):
        torch.testing.assert_close(level.tokens, expected, atol=1e-5, rtol=1e-4)
    # With three blocks its other tokens carry CLS's update: what a reader of level 3 must not take for theirs.
    trap = copied_library_backbone(ours)
    trap.blocks[2]["output"].register_forward_hook(lambda module, args, out: after_block.append(out))
    trap(ours.stem(given))
    assert (levels[2].tokens[:, 1:] - after_block[-1][:, 1:]).abs().max() > 1e-3


def test_facts_of_a_day_by_hand() -> None:
    value, mask = torch.zeros(1, 1, 24), torch.zeros(1, 1, 24)
    since = torch.ones(1, 1, 24)
    empty = series_facts(value, mask, since)[0, 0]
    assert empty.tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    for hour, number in ((2, 1.0), (20, 2.0)):
        mask[..., hour] = 1
        value[..., hour:] = number
    since[..., 20:] = torch.arange(4) / 24
    mean, last, slope, highest, lowest, share, age, observed = series_facts(value, mask, since)[0, 0].tolist()
    assert mean == pytest.approx(1.5) and last == 2.0 and observed == 1.0
    assert slope > 0 and 1.7 < highest <= 2.0 and 1.0 <= lowest < 1.3
    assert share == pytest.approx(2 / 24) and age == pytest.approx(3 / 24)


def test_the_registry_holds_encoders() -> None:
    for modality, name in EVERY:
        encoder: Encoder = make_encoder(modality, name, **(NAMES if modality == "ehr" else {}))
        assert [info.name for info in encoder.levels] == ["low", "mid", "high"]
