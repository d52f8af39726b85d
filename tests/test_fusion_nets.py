"""The contract of every registered fusion network, over real encoders and over made-up levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fusion_support import Encoded, made_up_input, made_up_sizes, scaled
from safetensors.torch import load, save
from torch import Tensor

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.encoders import Level
from lemof_core.errors import ModelMistake
from lemof_core.fusion import NETS, make_net
from lemof_core.fusion.contract import FusionInput, FusionNet, NetOutput, NetSizes, StagedFusionNet

OVER_LEVELS = sorted(set(NETS) - {"mmtm"})
HANDLE_ABSENCE = {"drfuse", "medfuse", "mlp", "mmtm"}
READS_THE_RECORD_RAW = {"mlp"}  # in the place of the EHR's levels
EVERY_NET = pytest.mark.parametrize("name", sorted(NETS))
BOTH_VIEWS = pytest.mark.parametrize("raw_view", [False, True], ids=["levels", "raw view"])


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    return Encoded.of()


def new_net(name: str, sizes: NetSizes) -> FusionNet | StagedFusionNet:
    torch.manual_seed(1)
    return make_net(name, sizes).eval()


def over_levels(name: str, sizes: NetSizes) -> FusionNet:
    net = new_net(name, sizes)
    assert isinstance(net, FusionNet)
    return net


def parts(source: ScaledCohort, rows: list[int]) -> tuple[Modality, Modality]:
    return source.ecg(np.array(rows)), source.ehr(np.array(rows))


def without_ecg(ecg: Modality, rows: list[int], *, junk: float) -> Modality:
    """Say that the rows have no ECG, and leave junk where it would be."""
    present = torch.ones(len(ecg.present), dtype=torch.bool)
    present[rows] = False
    signal = ecg.tensors["signal"].clone()
    signal[rows] = junk * torch.randn(signal[rows].shape, generator=torch.Generator().manual_seed(3))
    return Modality({"signal": signal, "record_present": ecg.tensors["record_present"]}, present)


def junk_levels(given: FusionInput, rows: list[int], junk: float) -> FusionInput:
    """The same for finished levels."""
    present = given.ecg_present.clone()
    present[rows] = False
    ecg = [Level(level.tokens.clone(), level.mask) for level in given.ecg]
    summary = given.ecg_summary.clone()
    for filled in (*(level.tokens for level in ecg), summary):
        filled[rows] = junk
    return replace(given, ecg=ecg, ecg_summary=summary, ecg_present=present)


def assert_same(first: NetOutput, second: NetOutput) -> None:
    assert torch.equal(first.logit, second.logit)
    for key, logit in first.modality_logits.items():
        assert torch.equal(torch.nan_to_num(logit), torch.nan_to_num(second.modality_logits[key]))


@EVERY_NET
@BOTH_VIEWS
def test_one_finite_logit_a_row(name: str, raw_view: bool, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=raw_view)), scaled()
    ecg, ehr = parts(source, list(range(8)))
    out = encoded.output(net, ecg, ehr)
    for logit in (out.logit, *out.modality_logits.values()):
        assert logit.shape == (8, 1) and torch.isfinite(logit).all()
    assert all(len(inner) == 8 and torch.isfinite(inner).all() for inner in out.inner.values())
    assert out.logit.std() > 0
    loss = encoded.loss(net, ecg, ehr, source.targets(np.arange(8)))
    assert loss.shape == () and loss > 0


@pytest.mark.parametrize(
    ("ecg_name", "ehr_name"),
    [("lstm", "tpc"), ("wavenet", "tabnet"), ("baseline", "baseline"), ("resnet", "tab_transformer")],
)
@EVERY_NET
def test_any_pair_of_encoders_fits(name: str, ecg_name: str, ehr_name: str) -> None:
    encoded, source = Encoded.of(ecg_name, ehr_name), scaled(4)
    net = new_net(name, encoded.sizes(raw_view=True))
    out = encoded.output(net, *parts(source, list(range(4))))
    assert out.logit.shape == (4, 1) and torch.isfinite(out.logit).all() and out.logit.std() > 0


@EVERY_NET
@BOTH_VIEWS
def test_a_batch_mate_never_changes_a_prediction(name: str, raw_view: bool, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=raw_view)), scaled()
    alone, other = (encoded.output(net, *parts(source, rows)) for rows in ([0, 1, 2], [0, 7, 6]))
    assert torch.equal(alone.logit[0], other.logit[0])
    assert not torch.equal(alone.logit[1], other.logit[1])


@EVERY_NET
def test_one_row_batches_work_and_rows_keep_their_order(name: str, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=True)), scaled()
    many = encoded.output(net, *parts(source, list(range(8)))).logit
    for row in (0, 5):
        one = encoded.output(net, *parts(source, [row])).logit
        torch.testing.assert_close(one[0], many[row], atol=1e-5, rtol=1e-4)
    ecg, ehr = parts(source, [5])
    net.train()
    assert torch.isfinite(encoded.loss(net, ecg, ehr, source.targets(np.array([5]))))


@EVERY_NET
@BOTH_VIEWS
def test_gradients_reach_every_parameter_and_both_modalities(name: str, raw_view: bool, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=raw_view)), scaled()
    ecg, ehr = parts(source, list(range(8)))
    ecg.tensors["signal"].requires_grad_(True)
    ehr.tensors["value"].requires_grad_(True)
    encoded.loss(net, ecg, ehr, source.targets(np.arange(8))).backward()
    unreached = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    for inputs in (ecg.tensors["signal"], ehr.tensors["value"]):
        assert inputs.grad is not None and inputs.grad.flatten(1).any(1).all(), "of every row"


@pytest.mark.parametrize("name", OVER_LEVELS)
def test_gradients_reach_level_three_without_the_raw_view(name: str) -> None:
    sizes = made_up_sizes()
    given = made_up_input(sizes)
    for level in (*given.ecg, *given.ehr):
        level.tokens.requires_grad_(True)
    over_levels(name, sizes)(given).logit.sum().backward()
    used = [
        level.tokens.grad is not None and bool(level.tokens.grad.any()) for level in (*given.ecg, *given.ehr)
    ]  # fmt: skip
    reads_ehr = name not in READS_THE_RECORD_RAW
    assert used == [False, name == "hyperfusion", True, False, False, reads_ehr], "which baseline sees what"


@pytest.mark.parametrize("name", sorted(HANDLE_ABSENCE))
@BOTH_VIEWS
def test_what_stands_in_the_place_of_an_absent_ecg_changes_nothing(name: str, raw_view: bool, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=raw_view)), scaled()
    assert net.handles_missing_ecg
    ecg, ehr = parts(source, list(range(8)))
    full = encoded.output(net, ecg, ehr)
    blank, loud = (encoded.output(net, without_ecg(ecg, [2, 6], junk=junk), ehr) for junk in (0.0, 50.0))
    assert_same(blank, loud)
    assert torch.isfinite(blank.logit).all()
    there = torch.tensor([row not in (2, 6) for row in range(8)])
    assert torch.equal(blank.logit[there], full.logit[there]), "others keep their prediction"
    assert (blank.logit[~there] != full.logit[~there]).all()
    for key, logit in blank.modality_logits.items():
        assert torch.equal(torch.isfinite(logit)[:, 0], there | ("ecg" not in key))


@pytest.mark.parametrize("name", sorted(HANDLE_ABSENCE - {"mmtm"}))
def test_junk_in_the_place_of_an_absent_ecg_spoils_no_training_step(name: str) -> None:
    sizes = made_up_sizes(raw_view=True)
    targets = (torch.arange(16) % 2).float()[:, None]
    gradients = []
    for junk in (0.0, torch.nan):
        net, given = over_levels(name, sizes), junk_levels(made_up_input(sizes), [0, 3, 9], junk)
        net.loss(net(given), given, targets).backward()
        gradients.append([p.grad for p in net.parameters()])
    for first, second in zip(*gradients, strict=True):
        assert first is not None and second is not None and torch.equal(first, second)


@pytest.mark.parametrize("name", sorted(HANDLE_ABSENCE))
def test_rows_with_an_ecg_and_without_one_change_places_together_with_their_predictions(
    name: str, encoded: Encoded
) -> None:
    net, source, order = new_net(name, encoded.sizes(raw_view=True)), scaled(), [6, 3, 0, 7, 2, 5, 1, 4]
    ecg, ehr = parts(source, list(range(8)))
    plain = encoded.output(net, without_ecg(ecg, [0, 2, 5], junk=0.0), ehr)
    ecg, ehr = parts(source, order)
    turned = encoded.output(net, without_ecg(ecg, [order.index(row) for row in (0, 2, 5)], junk=0.0), ehr)
    torch.testing.assert_close(turned.logit, plain.logit[order], atol=1e-5, rtol=1e-4)
    assert plain.logit.unique().numel() == 8
    for key, logit in plain.modality_logits.items():
        torch.testing.assert_close(turned.modality_logits[key], logit[order], atol=1e-5, rtol=1e-4, equal_nan=True)


@pytest.mark.parametrize("name", sorted(HANDLE_ABSENCE))
def test_a_batch_without_any_ecg_is_predicted_and_learnt_from(name: str, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=True)), scaled()
    ecg, ehr = parts(source, list(range(8)))
    ecg = without_ecg(ecg, list(range(8)), junk=0.0)
    assert encoded.output(net, ecg, ehr).logit.std() > 0
    encoded.loss(net, ecg, ehr, source.targets(np.arange(8))).backward()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", sorted(set(NETS) - HANDLE_ABSENCE))
def test_a_method_that_needs_an_ecg_says_so(name: str, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes()), scaled()
    assert not net.handles_missing_ecg
    ecg, ehr = parts(source, list(range(8)))
    with pytest.raises(ModelMistake, match="needs an ECG in every row, however: 2 of 8 rows have none"):
        encoded.output(net, without_ecg(ecg, [2, 6], junk=0.0), ehr)


@EVERY_NET
@BOTH_VIEWS
def test_either_modality_changes_the_prediction(name: str, raw_view: bool, encoded: Encoded) -> None:
    net, source = new_net(name, encoded.sizes(raw_view=raw_view)), scaled()
    (ecg, ehr), (other_ecg, other_ehr) = parts(source, [0, 1, 2]), parts(source, [5, 6, 7])
    plain = encoded.output(net, ecg, ehr).logit
    assert (plain != encoded.output(net, other_ecg, ehr).logit).all()
    assert (plain != encoded.output(net, ecg, other_ehr).logit).all()


@pytest.mark.parametrize("name", OVER_LEVELS)
def test_the_head_reads_summary_and_raw_record_in_the_raw_view_alone(name: str) -> None:
    for raw_view in (False, True):
        sizes = made_up_sizes(raw_view=raw_view)
        net, given = over_levels(name, sizes), made_up_input(sizes)
        plain = net(given).logit
        for key in ("ecg_summary", "raw_ehr"):
            moved = net(replace(given, **{key: -getattr(given, key)})).logit
            read = raw_view or (key == "raw_ehr" and name in READS_THE_RECORD_RAW)
            assert torch.equal(plain, moved) is not read


def test_a_staged_network_reads_the_ecgs_summary_in_the_raw_view_alone() -> None:
    source = scaled()
    for raw_view in (False, True):
        encoded = Encoded.of()
        net = new_net("mmtm", encoded.sizes(raw_view=raw_view))
        plain = encoded.output(net, *parts(source, [0, 1, 2])).logit
        with torch.no_grad():
            for head in encoded.ecg.aux_heads:
                head.weight.mul_(-1)  # type: ignore[operator, union-attr]
        assert torch.equal(plain, encoded.output(net, *parts(source, [0, 1, 2])).logit) is not raw_view


@pytest.mark.parametrize("name", OVER_LEVELS)
def test_tokens_that_do_not_count_change_nothing(name: str) -> None:
    sizes = made_up_sizes()
    net, given = over_levels(name, sizes), made_up_input(sizes)

    def two_records(junk: float) -> FusionInput:
        ecg = [
            Level(
                torch.cat([level.tokens, torch.full_like(level.tokens, junk)], dim=1),
                torch.cat([level.mask, torch.zeros_like(level.mask)], dim=1),
            )
            for level in given.ecg
        ]
        return replace(given, ecg=ecg)

    torch.testing.assert_close(net(two_records(100.0)).logit, net(given).logit, atol=1e-5, rtol=1e-4)
    assert torch.equal(net(two_records(0.0)).logit, net(two_records(100.0)).logit)


@EVERY_NET
def test_a_seed_makes_a_network_and_its_training_step(name: str, encoded: Encoded) -> None:
    source = scaled()
    ecg, ehr = parts(source, list(range(8)))

    def step(seed: int) -> tuple[Tensor, list[Tensor]]:
        torch.manual_seed(seed)
        net = make_net(name, encoded.sizes(raw_view=True)).train()
        loss = encoded.loss(net, ecg, ehr, source.targets(np.arange(8)))
        loss.backward()
        return loss, [p.grad for p in net.parameters() if p.grad is not None]

    (first, gradients), (again, same), (other, _) = step(0), step(0), step(1)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert all(torch.equal(a, b) for a, b in zip(gradients, same, strict=True))


@EVERY_NET
def test_weights_saved_and_loaded_predict_the_same(name: str, encoded: Encoded) -> None:
    sizes = encoded.sizes(raw_view=True)
    net, ecg_and_ehr = new_net(name, sizes), parts(scaled(), [0, 1])
    torch.manual_seed(7)
    other = make_net(name, sizes).eval()
    assert not torch.equal(encoded.output(net, *ecg_and_ehr).logit, encoded.output(other, *ecg_and_ehr).logit)
    other.load_state_dict(load(save(net.state_dict())))
    assert torch.equal(encoded.output(net, *ecg_and_ehr).logit, encoded.output(other, *ecg_and_ehr).logit)


@pytest.mark.parametrize("name", OVER_LEVELS)
def test_it_learns_a_label_that_needs_both_modalities(name: str) -> None:
    sizes = replace(made_up_sizes(d=16), dropout=0.0)
    given = made_up_input(sizes, 256)
    of_ehr = given.raw_ehr[:, 0] if name in READS_THE_RECORD_RAW else given.ehr[2].tokens.mean(1)[:, 0] * 1.7
    both = given.ecg[2].tokens.mean(1)[:, 0] * 2 + of_ehr
    targets = (both > 0).float()[:, None]
    net = over_levels(name, sizes)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        net.loss(net(given), given, targets).backward()
        optimiser.step()
    right = ((net(given).logit > 0) == (targets > 0)).float().mean()
    assert right > 0.9  # one modality alone reaches about 0.75


def test_an_encoders_own_penalty_counts_while_a_staged_network_trains() -> None:
    encoded, source = Encoded.of("resnet", "tabnet"), scaled()
    net = new_net("mmtm", encoded.sizes())
    out, targets = encoded.output(net, *parts(source, list(range(8)))), source.targets(np.arange(8))
    assert isinstance(net, StagedFusionNet) and out.penalty > 0
    without = net.loss(out, targets)
    torch.testing.assert_close(net.train().loss(out, targets), without + out.penalty)


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(ModelMistake, match=r"'late'; known: daft, daft_reverse, drfuse, early, hyperfusion, medfuse"):
        make_net("late", made_up_sizes())
