"""TPC: nothing from later hours, features apart in layer 1, a value beside its own decay."""

from __future__ import annotations

import pytest
import torch

from lemof_core.batch import Modality
from lemof_core.encoders import pool_level, run_levels
from lemof_core.encoders.tpc import Tpc, TpcState, decay_of

N_SERIES, N_STATIC, N_KERNELS, N_POINTS = 5, 2, 8, 8


def tpc() -> Tpc:
    torch.manual_seed(0)
    encoder = Tpc(series_names=tuple("abcde"), static_names=("age", "sex")).eval()
    for layer in encoder.layers:  # running statistics that are not the identity
        for norm in (layer.temporal_norm, layer.pointwise_norm):  # type: ignore[union-attr]
            norm.running_mean.uniform_(-0.1, 0.1)  # type: ignore[operator, union-attr]
            norm.running_var.uniform_(0.5, 2.0)  # type: ignore[operator, union-attr]
    return encoder


def ehr(n: int = 3) -> Modality:
    torch.manual_seed(1)
    mask = (torch.rand(n, N_SERIES, 24) < 0.4).float()
    mask[..., 0] = 1.0
    hours = torch.arange(24).expand_as(mask)
    last = torch.where(mask > 0, hours, torch.zeros_like(hours)).cummax(-1).values
    tensors = {
        "value": torch.randn(n, N_SERIES, 24),
        "mask": mask,
        "since": (hours - last) / 24,
        "static": torch.randn(n, N_STATIC),
        "static_mask": torch.ones(n, N_STATIC),
    }
    return Modality(tensors, torch.ones(n, dtype=torch.bool))


def altered(given: Modality, **tensors: torch.Tensor) -> Modality:
    return Modality({**given.tensors, **tensors}, given.present)


@pytest.mark.parametrize("hour", [0, 7, 23])
def test_an_hour_changes_no_earlier_token(hour: int) -> None:
    encoder, given = tpc(), ehr()
    value, mask, since = (given.tensors[name].clone() for name in ("value", "mask", "since"))
    value[..., hour] += 3.0
    mask[..., hour] = 1 - mask[..., hour]
    since[..., hour] = 0.5
    before, after = (run_levels(encoder, x) for x in (given, altered(given, value=value, mask=mask, since=since)))
    for first, second in zip(before, after, strict=True):
        assert torch.equal(first.tokens[:, :hour], second.tokens[:, :hour])
        assert not torch.equal(first.tokens[:, hour], second.tokens[:, hour])


def test_the_last_hour_sees_the_first_and_is_the_levels_summary() -> None:
    encoder, given = tpc(), ehr()
    value = given.tensors["value"].clone()
    value[..., 0] += 3.0
    before, after = (run_levels(encoder, x)[2] for x in (given, altered(given, value=value)))
    assert not torch.equal(before.tokens[:, -1], after.tokens[:, -1])
    assert torch.equal(pool_level(before, encoder.levels[2]), before.tokens[:, -1])
    assert encoder.levels[2].axis_values[0] == "-24 h" and encoder.levels[2].axis_values[-1] == "-1 h"


def test_layer_1_convolves_each_feature_by_itself() -> None:
    encoder, given = tpc(), ehr()
    with torch.no_grad():
        encoder.layers[0].adapter.weight.uniform_(-1, 1)  # type: ignore[operator, union-attr]
    value = given.tensors["value"].clone()
    value[:, 2] += 1.0
    before, after = (encoder.block(1, encoder.stem(x)) for x in (given, altered(given, value=value)))
    assert before.temporal is not None and after.temporal is not None
    moved = (before.temporal - after.temporal).abs().amax((0, 2)).unflatten(0, (N_SERIES, N_KERNELS)).amax(1)
    assert (moved > 0).tolist() == [False, False, True, False, False]


def test_a_value_is_convolved_beside_its_own_decay() -> None:
    encoder, given = tpc(), ehr()
    since = given.tensors["since"].clone()
    since[:, 3] = 0.5
    before, after = (encoder.block(1, encoder.stem(x)) for x in (given, altered(given, since=since)))
    assert before.temporal is not None and after.temporal is not None
    moved = (before.temporal - after.temporal).abs().amax((0, 2)).unflatten(0, (N_SERIES, N_KERNELS)).amax(1)
    assert (moved > 0).tolist() == [False, False, False, True, False]


def test_decay_by_hand() -> None:
    mask = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0, 1.0] + [0.0] * 18]])
    hours = torch.tensor([[[24.0, 24.0, 0.0, 1.0, 2.0, 0.0] + [float(j) for j in range(1, 19)]]])
    decay = decay_of(mask, hours / 24)[0, 0]
    expected = [0, 0, 1, 0.75, 0.375, 1] + [0.75 / j for j in range(1, 19)]
    torch.testing.assert_close(decay, torch.tensor(expected))


def test_widths_follow_the_papers_algebra() -> None:
    encoder = tpc()
    state = encoder.stem(ehr())
    for k in (1, 2, 3):
        state = encoder.block(k, state)
        assert state.hidden.shape == (3, N_SERIES + k * N_POINTS, 1 + N_KERNELS, 24)
        assert state.carried.shape == (3, N_SERIES + (k - 1) * N_POINTS, 24)
    features = N_SERIES + 2 * N_POINTS
    d_joint = (features - N_POINTS) * N_KERNELS + N_POINTS + 2 * N_SERIES + 1 + 2 * N_STATIC
    assert encoder.layers[2].linear.weight.shape == (N_POINTS, d_joint, 1)  # type: ignore[union-attr]
    assert encoder.layers[2].convolution.weight.shape == (features * N_KERNELS, 1 + N_KERNELS, 4)  # type: ignore[union-attr]


def looped_layer_2(encoder: Tpc, state: TpcState) -> torch.Tensor:
    """Return the hidden features after layer 2 (B, features, slots, H), hour by hour and feature by feature."""
    layer = encoder.layers[1]
    assert state.temporal is not None and state.pointwise is not None
    n, n_features, n_slots, n_hours = state.hidden.shape
    weight, bias = layer.convolution.weight, layer.convolution.bias  # type: ignore[union-attr]
    temporal = torch.zeros(n, n_features * N_KERNELS, n_hours)
    points = torch.zeros(n, N_POINTS, n_hours)
    for t in range(n_hours):
        for feature in range(n_features):
            rows = slice(feature * N_KERNELS, (feature + 1) * N_KERNELS)
            total = bias[rows].expand(n, -1).clone()  # type: ignore[index, union-attr]
            for tap in range(4):
                at = t - 3 * (3 - tap)  # dilation 3 = kernel - 1
                if at >= 0:
                    total += state.hidden[:, feature, :, at] @ weight[rows, :, tap].T  # type: ignore[index, operator]
            temporal[:, rows, t] = total
        joint = [state.temporal[..., t], state.pointwise[..., t], state.original[..., t], state.static]
        points[..., t] = torch.cat(joint, dim=1) @ layer.linear.weight[..., 0].T + layer.linear.bias  # type: ignore[index, operator, union-attr]
    temporal, points = layer.temporal_norm(temporal), layer.pointwise_norm(points)  # type: ignore[operator, union-attr]
    hidden = torch.zeros(n, n_features + N_POINTS, n_slots, n_hours)
    for feature in range(n_features):
        own = state.carried[:, feature] if feature < N_SERIES else state.pointwise[:, feature - N_SERIES]
        hidden[:, feature, 0] = own
        hidden[:, feature, 1:] = temporal[:, feature * N_KERNELS : (feature + 1) * N_KERNELS]
    for slot in range(n_slots):
        hidden[:, n_features:, slot] = points
    return hidden.clamp_min(0)


def test_layer_2_by_a_hand_written_loop() -> None:
    encoder = tpc()
    with torch.no_grad():
        state = encoder.block(1, encoder.stem(ehr()))
        expected = looped_layer_2(encoder, state)
        torch.testing.assert_close(encoder.block(2, state).hidden, expected, atol=1e-5, rtol=1e-4)


def test_statics_reach_every_hour_of_every_level() -> None:
    encoder, given = tpc(), ehr()
    other = altered(given, static=given.tensors["static"] + 1.0)
    for first, second in zip(run_levels(encoder, given), run_levels(encoder, other), strict=True):
        assert ((first.tokens - second.tokens).abs().amax((0, 2)) > 0).all()


def test_a_shut_gate_hands_nothing_on_of_its_feature() -> None:
    encoder = tpc()
    state = encoder.block(1, encoder.stem(ehr()))
    gate = torch.ones(3, encoder.gate_widths[0])
    gate[:, [1, N_SERIES + 2]] = 0  # a series, and a number that the layer added
    shut = encoder.scale(1, state, gate)
    assert shut.temporal is not None and shut.pointwise is not None and state.temporal is not None
    assert (shut.hidden[:, [1, N_SERIES + 2]] == 0).all() and (shut.carried[:, 1] == 0).all()
    temporal = shut.temporal.unflatten(1, (N_SERIES, N_KERNELS))
    assert (temporal[:, 1] == 0).all() and (shut.pointwise[:, 2] == 0).all()
    assert torch.equal(temporal[:, 0], state.temporal.unflatten(1, (N_SERIES, N_KERNELS))[:, 0])
