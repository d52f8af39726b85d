"""Laws of the MLP on the plain record: what it reads, what an absent ECG is to it, that it finds an interaction."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fusion_support import made_up_input, made_up_sizes
from torch import Tensor

from lemof_core.encoders import Level
from lemof_core.fusion.contract import FusionInput, NetSizes
from lemof_core.fusion.mlp import Mlp

BOTH_VIEWS = pytest.mark.parametrize("raw_view", [False, True], ids=["levels", "raw view"])
HALF = torch.tensor([True, False] * 8)


def shifted_net(sizes: NetSizes) -> Mlp:
    """Return a network whose norms have learnt a shift."""
    torch.manual_seed(0)
    net = Mlp(sizes).eval()
    with torch.no_grad():
        for norm in net.norms:
            norm.bias.fill_(3.0)  # type: ignore[operator, union-attr]
    return net


def negated(levels: list[Level]) -> list[Level]:
    return [Level(-level.tokens, level.mask) for level in levels]


@BOTH_VIEWS
def test_no_level_of_the_ehr_matters_and_the_raw_record_always_does(raw_view: bool) -> None:
    sizes = made_up_sizes(raw_view=raw_view)
    net, given = shifted_net(sizes), made_up_input(sizes)
    plain = net(given).logit
    assert torch.equal(plain, net(replace(given, ehr=negated(given.ehr))).logit)
    assert (plain != net(replace(given, raw_ehr=-given.raw_ehr)).logit).all()
    assert torch.equal(plain, net(replace(given, ecg=[*negated(given.ecg[:2]), given.ecg[2]])).logit)
    assert (plain != net(replace(given, ecg=[*given.ecg[:2], *negated(given.ecg[2:])])).logit).all()


@BOTH_VIEWS
def test_an_absent_ecg_is_zeros_and_a_flag_before_the_layers(raw_view: bool) -> None:
    sizes = made_up_sizes(raw_view=raw_view)
    net, given = shifted_net(sizes), made_up_input(sizes, present=HALF)
    d_ecg = 12 + 4 * raw_view
    absent = given.raw_ehr[~HALF]
    read = torch.cat([torch.zeros(len(absent), d_ecg + 1), absent], dim=1)
    torch.testing.assert_close(net(given).logit[~HALF], net.layers(read))


def without_content(given: FusionInput) -> FusionInput:
    ecg = [Level(torch.zeros_like(level.tokens), level.mask) for level in given.ecg]
    return replace(given, ecg=ecg, ecg_summary=torch.zeros_like(given.ecg_summary))


def test_an_absent_ecg_differs_from_a_flat_one_by_the_flag_alone() -> None:
    sizes = made_up_sizes(raw_view=True)
    torch.manual_seed(0)
    net, flat = Mlp(sizes).eval(), without_content(made_up_input(sizes))  # norms unshifted: zeros stay zeros
    absent = replace(flat, ecg_present=torch.zeros(16, dtype=torch.bool))
    assert (net(flat).logit != net(absent).logit).all()
    with torch.no_grad():
        net.layers[1].weight[:, 12 + 4] = 0  # type: ignore[index, operator]
    assert torch.equal(net(flat).logit, net(absent).logit)


def test_it_finds_what_matters_only_jointly() -> None:
    sizes = replace(made_up_sizes(d=16), dropout=0.0)

    def jointly(given: FusionInput) -> Tensor:
        """The sign of one flips the meaning of the other: no sum of two scores can find it."""
        return (given.ecg[2].tokens.mean(1)[:, 0] * given.raw_ehr[:, 0] > 0).float()[:, None]

    given, held_out = made_up_input(sizes, 2000), made_up_input(sizes, 500, seed=1)
    targets = jointly(given)

    def share_right(fitted_on: FusionInput) -> float:
        torch.manual_seed(0)
        net = Mlp(sizes)
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(100):
            optimiser.zero_grad()
            net.loss(net(fitted_on), fitted_on, targets).backward()
            optimiser.step()
        return float(((net(held_out).logit > 0) == (jointly(held_out) > 0)).float().mean())

    assert share_right(given) > 0.8
    assert share_right(replace(given, raw_ehr=given.raw_ehr.roll(1, 0))) < 0.6, "of another patient"
