"""Laws of DAFT, HyperFusion and MedFuse: where one modality decides what is done with the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fusion_support import made_up_input, made_up_sizes
from torch import Tensor, nn

from lemof_core.encoders import LevelInfo
from lemof_core.errors import ModelMistake
from lemof_core.fusion.contract import FusionInput
from lemof_core.fusion.daft import DIRECTIONS, Daft
from lemof_core.fusion.hyperfusion import D_EMBEDDING, HyperFusion
from lemof_core.fusion.medfuse import MedFuse


class Always(nn.Module):
    """Gives every row the same vector."""

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.vector = vector

    def forward(self, x: Tensor) -> Tensor:
        return self.vector.expand(len(x), -1)


def main_and_other(given: FusionInput, direction: str) -> tuple[Tensor, Tensor]:
    ecg, ehr = given.ecg[2].tokens, given.ehr[2].tokens
    return (ecg, ehr) if direction == "ehr_to_ecg" else (ehr, ecg)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_daft_with_scale_one_and_shift_zero_is_the_main_stream_untouched(direction: str) -> None:
    net = Daft(made_up_sizes(), direction=direction).eval()
    given = made_up_input(net.sizes)
    main, _ = main_and_other(given, direction)
    d = main.shape[2]
    net.generator = Always(torch.cat([torch.ones(d), torch.zeros(d)]))  # type: ignore[assignment]
    torch.testing.assert_close(net(given).logit, net.head.out(main.mean(1)))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_daft_equals_its_formula_token_by_token(direction: str) -> None:
    torch.manual_seed(0)
    net = Daft(made_up_sizes(), direction=direction).eval()
    given = made_up_input(net.sizes)
    main, other = main_and_other(given, direction)
    squeeze, _, excite = net.generator
    for row in range(4):
        read = torch.cat([main[row].mean(0), other[row].mean(0)])
        alpha, beta = (excite.weight @ torch.relu(squeeze.weight @ read)).split(main.shape[2])
        tokens = torch.stack([alpha * token + beta for token in main[row]])
        torch.testing.assert_close(net(given).logit[row], net.head.out(tokens.mean(0)))


def test_dafts_generator_has_no_bias_and_the_published_bottleneck() -> None:
    for direction, width in (("ehr_to_ecg", (10 + 11) // 7), ("ecg_to_ehr", (5 + 12) // 7)):
        generator = Daft(made_up_sizes(), direction=direction).generator
        assert [tuple(p.shape) for p in generator.parameters()] == [
            (width, 23),
            (24 if direction == "ehr_to_ecg" else 22, width),
        ]
    with pytest.raises(ModelMistake, match="known: ehr_to_ecg, ecg_to_ehr"):
        Daft(made_up_sizes(), direction="both")


def test_daft_sees_the_other_modality_through_scale_and_shift_alone() -> None:
    net = Daft(made_up_sizes()).eval()
    given, other = made_up_input(net.sizes), made_up_input(net.sizes, seed=1)
    mixed = replace(given, ehr=other.ehr)
    assert not torch.equal(net(given).inner["scale"], net(mixed).inner["scale"])
    net.generator = Always(torch.ones(24))  # type: ignore[assignment]
    assert torch.equal(net(given).logit, net(mixed).logit)


def new_hyper(n_mid: int = 7, d_in: int = 10, *, seed: int = 0) -> HyperFusion:
    torch.manual_seed(seed)
    sizes = made_up_sizes()
    mid = LevelInfo("mid", n_mid, d_in, "units", tuple(range(n_mid)))
    return HyperFusion(replace(sizes, ecg=(sizes.ecg[0], mid, sizes.ecg[2]))).eval()


def test_each_sample_goes_through_a_layer_of_its_own() -> None:
    net = new_hyper()
    tokens, ehr = torch.randn(5, 4, 10), torch.randn(5, 11)
    found = net.shortcut(tokens, ehr)
    for row in range(5):
        weights, biases = net.own_weights(ehr[row : row + 1])
        for token in range(4):
            expected = torch.stack([weights[0, out] @ tokens[row, token] + biases[0, out] for out in range(12)])
            torch.testing.assert_close(found[row, token], expected)


def test_equal_records_write_equal_weights_and_others_other_ones() -> None:
    net = new_hyper()
    ehr = torch.randn(3, 11)
    ehr[1] = ehr[0]
    for written in net.own_weights(ehr):
        torch.testing.assert_close(written[0], written[1])
        assert not torch.allclose(written[0], written[2])


@pytest.mark.parametrize("d_in", [10, 64])
@pytest.mark.parametrize("scale", [0.1, 30.0])  # of the record's level: an encoder's tokens may be of any size
def test_at_the_start_the_written_layer_is_as_loud_as_a_static_one(d_in: int, scale: float) -> None:
    made = torch.Generator().manual_seed(0)
    tokens, ehr = torch.randn(200, 4, d_in, generator=made), scale * torch.randn(200, 11, generator=made)
    ratios = []
    for seed in range(20):
        hyper = new_hyper(d_in=d_in, seed=seed)
        static = torch.empty(12, d_in)
        nn.init.kaiming_uniform_(static, nonlinearity="relu")
        ratios.append(hyper.shortcut(tokens, ehr).var() / (tokens @ static.T).var())
    assert 0.5 < torch.stack(ratios).mean() < 2.0


def test_level_two_is_averaged_to_level_threes_tokens_record_by_record() -> None:
    net = new_hyper(n_mid=8)
    sizes = net.sizes
    given = made_up_input(sizes)
    mid, high, ehr = given.ecg[1].tokens, given.ecg[2].tokens, given.ehr[2].tokens.mean(1)
    pairs = mid.unflatten(1, (4, 2)).mean(2)  # 8 tokens to 4
    expected = net.head.out(net.hidden((high + net.shortcut(pairs, ehr)).mean(1)))
    torch.testing.assert_close(net(given).logit, expected)
    two = replace(
        given,
        ecg=[type(level)(torch.cat([level.tokens, -level.tokens], 1), level.mask.repeat(1, 2)) for level in given.ecg],
    )
    tokens = torch.cat([high + net.shortcut(pairs, ehr), -high + net.shortcut(-pairs, ehr)], dim=1)
    torch.testing.assert_close(net(two).logit, net.head.out(net.hidden(tokens.mean(1))))


def test_the_embedding_has_unit_variance_whatever_the_record() -> None:
    embedded = new_hyper().embedding(50 * torch.randn(30, 11))
    assert embedded.shape == (30, D_EMBEDDING)
    torch.testing.assert_close((embedded**2).mean(1), torch.ones(30), atol=1e-3, rtol=0)


def test_medfuse_is_an_lstm_over_the_modalities_that_are_there() -> None:
    torch.manual_seed(0)
    present = torch.tensor([True, False, False, True])
    net = MedFuse(made_up_sizes()).eval()
    given = made_up_input(net.sizes, 4, present=present)
    ecg, ehr = net.ecg(given.ecg[2].tokens.mean(1)), net.ehr(given.ehr[2].tokens.mean(1))
    logits = net(given).logit
    for row in range(4):
        sequence = torch.stack([ehr[row], ecg[row]] if present[row] else [ehr[row]])[None]
        _, (last, _) = net.lstm(sequence)
        torch.testing.assert_close(logits[row], net.head.out(last[-1])[0])


def test_medfuse_reads_the_ecg_after_the_record() -> None:
    torch.manual_seed(0)
    net = MedFuse(made_up_sizes()).eval()
    given = made_up_input(net.sizes)
    ecg, ehr = net.ecg(given.ecg[2].tokens.mean(1)), net.ehr(given.ehr[2].tokens.mean(1))
    turned = net.head.out(net.lstm(torch.stack([ecg, ehr], dim=1))[0][:, -1])
    assert not torch.allclose(net(given).logit, turned)
