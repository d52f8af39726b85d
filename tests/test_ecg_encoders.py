"""ECG encoders against what their methods say: shapes, directions, gates, and which samples a token can see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.encoders import pool_level, run_levels
from lemof_core.encoders.baseline_ecg import BaselineCnn
from lemof_core.encoders.ecg_maps import EcgEncoder
from lemof_core.encoders.lstm import BiLstm
from lemof_core.encoders.resnet import ResNet1d
from lemof_core.encoders.wavenet import GatedLayer, WaveNet


def ecg(n: int = 3) -> Modality:
    torch.manual_seed(3)
    return Modality(
        {"signal": torch.randn(n, 1, 12, 1000), "record_present": torch.ones(n, 1, dtype=torch.bool)},
        torch.ones(n, dtype=torch.bool),
    )


def seen_by(encoder: EcgEncoder, k: int, token: int) -> tuple[int, int]:
    """Return the first and the last sample that a token of level k has a gradient to."""
    given = ecg(1)
    signal = given.tensors["signal"].requires_grad_(True)
    run_levels(encoder, given)[k - 1].tokens[0, token].square().sum().backward()
    assert signal.grad is not None
    where = torch.nonzero(signal.grad.abs().sum((0, 1, 2)))[:, 0]
    return int(where[0]), int(where[-1])


def test_the_baselines_blocks_quarter_the_steps() -> None:
    encoder = BaselineCnn().eval()
    state = encoder.stem(ecg())
    for k, shape in ((1, (3, 64, 250)), (2, (3, 128, 63)), (3, (3, 256, 16))):
        state, level = encoder.stage(k, state)
        assert state.hidden.shape == shape
        assert level.tokens.shape == (3, min(shape[2], 63), shape[1])
    assert encoder.levels[2].axis_values == (*(round(0.64 * i, 4) for i in range(16)), 10.0)


@pytest.mark.parametrize("make", [BaselineCnn, BiLstm, ResNet1d, WaveNet])
def test_a_tokens_seconds_are_where_it_looks(make: type[EcgEncoder]) -> None:
    torch.manual_seed(0)
    encoder = make().eval()
    info = encoder.levels[0]
    if make is BiLstm:  # which has read everything at every patch: ask its patches
        encoder.block = lambda k, state: state  # type: ignore[method-assign]
    # WaveNet sees 2.6 s to either side: only a token in the middle sees as far to the left as to the right.
    for token in (31,) if make is WaveNet else (5, 31, 57):
        first, last = seen_by(encoder, 1, token)
        middle = (first + last) / 200
        low, high = info.axis_values[token], info.axis_values[token + 1]
        assert low - 0.05 <= middle <= high + 0.05


def test_an_unrolled_lstm_is_the_reference_and_each_direction_is_pooled_where_it_ends() -> None:
    torch.manual_seed(0)
    encoder = BiLstm().eval()
    given = ecg()
    reference = nn.LSTM(64, 64, num_layers=3, batch_first=True, bidirectional=True)
    for k, lstm in enumerate(encoder.lstms):
        for name, weight in lstm.named_parameters():
            getattr(reference, name.replace("l0", f"l{k}")).data = weight.data.clone()
    patches = encoder.stem(given).hidden.transpose(1, 2)
    assert patches.shape == (3, 63, 64)
    out, (ends, _) = reference(patches)
    levels = run_levels(encoder, given)
    torch.testing.assert_close(levels[2].tokens, out, atol=1e-5, rtol=1e-4)
    # nn.LSTM's own final states: forward after the last patch, backward after the first.
    for k, (level, info) in enumerate(zip(levels, encoder.levels, strict=True)):
        expected = torch.cat([ends[2 * k], ends[2 * k + 1]], dim=1)
        torch.testing.assert_close(pool_level(level, info), expected, atol=1e-5, rtol=1e-4)
    at_last = levels[2].tokens[:, -1, 64:]
    assert (pool_level(levels[2], encoder.levels[2])[:, 64:] - at_last).abs().max() > 1e-3


def looped_gated_layer(layer: GatedLayer, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return residual and skip, sum by sum."""
    dilation, (n, d, n_steps) = int(layer.dilated.dilation[0]), x.shape
    weight, bias = layer.dilated.weight, layer.dilated.bias
    assert bias is not None and layer.outputs.bias is not None
    out_weight, out_bias = layer.outputs.weight[..., 0], layer.outputs.bias
    residual, skip = torch.zeros(n, d, n_steps), torch.zeros(n, layer.d_skip, n_steps)
    for b in range(n):
        for t in range(n_steps):
            z = torch.zeros(d)
            for channel in range(d):
                total = [float(bias[channel]), float(bias[channel + d])]
                for tap in range(3):
                    at = t + (tap - 1) * dilation
                    if 0 <= at < n_steps:
                        total[0] += float((weight[channel, :, tap] * x[b, :, at]).sum())
                        total[1] += float((weight[channel + d, :, tap] * x[b, :, at]).sum())
                z[channel] = math.tanh(total[0]) / (1 + math.exp(-total[1]))
            residual[b, :, t] = x[b, :, t] + out_weight[:d] @ z + out_bias[:d]
            skip[b, :, t] = out_weight[d:] @ z + out_bias[d:]
    return residual, skip


def test_a_gated_layer_by_a_hand_written_loop() -> None:
    torch.manual_seed(0)
    layer = GatedLayer(3, 5, dilation=2)
    x = torch.randn(2, 3, 9)
    with torch.no_grad():
        for found, expected in zip(layer(x), looped_gated_layer(layer, x), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    last = GatedLayer(3, 5, dilation=2, hands_on=False)
    assert torch.equal(last(x)[0], x) and last(x)[1].shape == (2, 5, 9)


def test_wavenets_first_stack_sees_127_steps() -> None:
    torch.manual_seed(0)
    encoder = WaveNet().eval()
    given = ecg(1)
    signal = given.tensors["signal"].requires_grad_(True)
    encoder.block(1, encoder.stem(given)).hidden[0, 32:, 125].square().sum().backward()
    assert signal.grad is not None
    where = torch.nonzero(signal.grad.abs().sum((0, 1, 2)))[:, 0]
    # 1 + 2 * (1 + 2 + 4 + 8 + 16 + 32) steps of 4 samples, and the stem's own 15 samples.
    reach = 63 * 4 + 7
    assert (int(where[0]), int(where[-1])) == (125 * 4 - reach, 125 * 4 + reach)


def test_wavenets_level_3_is_the_sum_of_all_skips() -> None:
    torch.manual_seed(0)
    encoder = WaveNet().eval()
    skips: list[Tensor] = []
    for stack in encoder.stacks:
        for layer in stack:  # type: ignore[union-attr]
            layer.register_forward_hook(lambda module, args, out: skips.append(out[1]))
    state = encoder.stem(ecg())
    for k in (1, 2, 3):
        state = encoder.block(k, state)
    assert len(skips) == 18

    def halved(x: Tensor) -> Tensor:
        return nn.functional.avg_pool1d(x, 2, ceil_mode=True)

    first, second, third = (torch.stack(skips[i : i + 6]).sum(0) for i in (0, 6, 12))
    expected = halved(halved(first) + second) + third
    torch.testing.assert_close(state.hidden, expected, atol=1e-5, rtol=1e-4)
