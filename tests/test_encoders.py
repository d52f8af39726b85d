"""The contract of every registered encoder; and FT-Transformer against the library it follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from core_support import made_up_cohort

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import ECG_ENCODERS, EHR_ENCODERS, Encoder, make_encoder, run_levels
from lemof_core.encoders.ehr_summary import series_facts
from lemof_core.encoders.ft_transformer import FTTransformer, TransformerBlock
from lemof_core.errors import ModelMistake

NAMES = {"series_names": tuple(f"series_{i}" for i in range(6)), "static_names": ("age", "sex")}
EVERY = [("ecg", name) for name in ECG_ENCODERS] + [("ehr", name) for name in EHR_ENCODERS]


def cohort(n: int = 8) -> ScaledCohort:
    arrays = made_up_cohort(n, ecg_share=1.0)
    return Scaler.fit(arrays, np.arange(n)).transform(arrays)


def encoder_of(modality: str, name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder = make_encoder(modality, name, **(NAMES if modality == "ehr" else {}))
    assert isinstance(encoder, torch.nn.Module)
    return encoder.eval()


def part(modality: str, rows: np.ndarray, source: ScaledCohort) -> Modality:
    return source.ecg(rows) if modality == "ecg" else source.ehr(rows)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_three_levels_come_as_declared(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    levels = run_levels(encoder, part(modality, np.arange(8), source))  # type: ignore[arg-type]
    assert len(levels) == 3
    for level, info in zip(levels, encoder.levels, strict=True):  # type: ignore[arg-type]
        assert level.tokens.shape == (8, info.n_tokens, info.d)
        assert level.mask.shape == (8, info.n_tokens) and level.mask.dtype == torch.bool
        assert torch.isfinite(level.tokens).all()
        assert info.n_tokens <= 64
        n_values = len(info.axis_values)
        assert n_values == (info.n_tokens + 1 if info.axis == "seconds" else info.n_tokens)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_a_batch_mate_never_changes_a_level(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    alone = run_levels(encoder, part(modality, np.array([0, 1]), source))  # type: ignore[arg-type]
    other = run_levels(encoder, part(modality, np.array([0, 7]), source))  # type: ignore[arg-type]
    for first, second in zip(alone, other, strict=True):
        assert torch.equal(first.tokens[0], second.tokens[0])
        assert not torch.equal(first.tokens[1], second.tokens[1])


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_one_row_batches_work(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    one = run_levels(encoder, part(modality, np.array([3]), source))  # type: ignore[arg-type]
    many = run_levels(encoder, part(modality, np.arange(8), source))  # type: ignore[arg-type]
    for first, second in zip(one, many, strict=True):
        torch.testing.assert_close(first.tokens[0], second.tokens[3], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("modality", "name"), EVERY)
def test_gradients_reach_every_parameter_and_the_input(modality: str, name: str) -> None:
    encoder, source = encoder_of(modality, name), cohort()
    given = part(modality, np.arange(8), source)
    key = "signal" if modality == "ecg" else "value"
    given.tensors[key].requires_grad_(True)
    sum((level.tokens**2).sum() for level in run_levels(encoder, given)).backward()  # type: ignore[arg-type, union-attr]
    assert all(p.grad is not None for p in encoder.parameters())
    gradient = given.tensors[key].grad
    assert gradient is not None and gradient.abs().sum() > 0


def test_the_content_of_an_absent_record_does_not_reach_its_neighbours_tokens() -> None:
    encoder, source = encoder_of("ecg", "resnet"), cohort()
    signal = torch.cat([source.ecg(np.arange(2)).tensors["signal"]] * 2, dim=1)
    present = torch.tensor([[True, False], [True, True]])
    levels = run_levels(encoder, Modality({"signal": signal, "record_present": present}, torch.ones(2) > 0))  # type: ignore[arg-type]
    assert levels[0].tokens.shape[1] == 2 * 63
    assert levels[0].mask[0].sum() == 63 and levels[0].mask[1].sum() == 126


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ModelMistake, match="resnet"):
        make_encoder("ecg", "transformer")
    with pytest.raises(ModelMistake, match="ft_transformer"):
        make_encoder("ehr", "lstm")


def copied_library_backbone(ours: FTTransformer) -> torch.nn.Module:
    """Return rtdl_revisiting_models' backbone with our blocks' weights."""
    rtdl = pytest.importorskip("rtdl_revisiting_models")
    d = ours.levels[0].d
    theirs = rtdl.FTTransformerBackbone(
        d_out=None, n_blocks=3, d_block=d, attention_n_heads=8, attention_dropout=0.0, ffn_d_hidden=int(d * 4 / 3),
        ffn_d_hidden_multiplier=None, ffn_dropout=0.0, residual_dropout=0.0,
    )  # fmt: skip
    for block, copy in zip(ours.blocks, theirs.blocks, strict=True):
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


def test_the_ft_transformers_cls_equals_the_librarys_and_its_other_tokens_ask_too() -> None:
    ours = encoder_of("ehr", "ft_transformer")
    assert isinstance(ours, FTTransformer)
    theirs = copied_library_backbone(ours)
    given = cohort().ehr(np.arange(8))
    tokens = ours.stem(given)
    levels = run_levels(ours, given)  # type: ignore[arg-type]
    torch.testing.assert_close(levels[2].tokens[:, 0], theirs(tokens), atol=1e-5, rtol=1e-4)
    hooked = []
    theirs.blocks[2]["output"].register_forward_hook(lambda module, args, out: hooked.append(out))
    theirs(tokens)
    # The library's last block lets only CLS ask; its other tokens carry CLS's update.
    assert (levels[2].tokens[:, 1:] - hooked[0][:, 1:]).abs().max() > 1e-3


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
