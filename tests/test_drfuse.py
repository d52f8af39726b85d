"""Laws of DrFuse: logit pooling, divergence, ranking, attention over sources, and what unpaired rows may not touch."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from fusion_support import made_up_input, made_up_sizes
from torch import Tensor

from lemof_core.fusion.contract import NetOutput
from lemof_core.fusion.drfuse import SOURCES, DrFuse, bernoulli_jsd, pool_logits, ranking_loss

HALF = torch.tensor([True, False] * 8)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 4 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def new_net(**weights: float) -> DrFuse:
    torch.manual_seed(0)
    return DrFuse(made_up_sizes(), **weights).eval()


def test_pooled_logits_are_the_logit_of_the_mean_probability() -> None:
    first, second = noise(50), noise(50, seed=1)
    mean = (torch.sigmoid(first) + torch.sigmoid(second)) / 2
    torch.testing.assert_close(pool_logits(first, second), torch.logit(mean))
    a, b = torch.exp(first), torch.exp(second)
    torch.testing.assert_close(pool_logits(first, second), torch.log((2 * a * b + a + b) / (2 + a + b)))


def test_pooled_logits_stay_finite_where_the_published_formula_overflows() -> None:
    first = torch.tensor([300.0, 300.0, -300.0, 0.0], requires_grad=True)
    pooled = pool_logits(first, torch.tensor([300.0, -300.0, -300.0, 300.0]))
    torch.testing.assert_close(pooled, torch.tensor([300.0, 0.0, -300.0, math.log(3)]))
    pooled.sum().backward()
    assert first.grad is not None and torch.isfinite(first.grad).all()


def test_the_divergence_is_zero_for_equals_symmetric_and_at_most_ln_2() -> None:
    first, second = noise(200), noise(200, seed=1)
    torch.testing.assert_close(bernoulli_jsd(first, first), torch.zeros(200, dtype=torch.float64))
    torch.testing.assert_close(bernoulli_jsd(first, second), bernoulli_jsd(second, first))
    torch.testing.assert_close(bernoulli_jsd(first, second), bernoulli_jsd(-first, -second))  # heads or tails
    assert (bernoulli_jsd(first, second) > 0).all()
    far = bernoulli_jsd(torch.tensor([800.0]), torch.tensor([-800.0]))
    torch.testing.assert_close(far, torch.tensor([math.log(2)]))


def test_the_divergence_by_hand() -> None:
    # p = 1/2 and q = 3/4, m = 5/8: half of KL(p|m) + KL(q|m).
    of_p = 0.5 * math.log(0.5 / 0.625) + 0.5 * math.log(0.5 / 0.375)
    of_q = 0.75 * math.log(0.75 / 0.625) + 0.25 * math.log(0.25 / 0.375)
    found = bernoulli_jsd(torch.tensor([0.0]), torch.tensor([math.log(3)]))
    assert found.item() == pytest.approx((of_p + of_q) / 2, abs=1e-6)


def test_ranking_costs_nothing_where_attention_follows_the_losses() -> None:
    attention = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    assert ranking_loss(attention, torch.tensor([[0.1, 0.4, 0.9], [0.8, 0.5, 0.2]])) == 0
    assert ranking_loss(torch.empty(0, 3), torch.empty(0, 3)) == 0


def test_ranking_by_hand() -> None:
    attention = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], requires_grad=True)
    losses = torch.tensor([[0.9, 0.4, 0.1], [0.1, 0.4, 0.9]], requires_grad=True)
    # Row 0 is in the wrong order throughout, row 1 in the right one, so each pair's mean is over row 0 alone.
    loss = ranking_loss(attention, losses)
    assert loss.item() == pytest.approx((0.3 + 0.2 + 0.1) / 3, rel=1e-4)
    loss.backward()
    assert losses.grad is None, "the losses are a yardstick, not to be learnt through this"
    assert attention.grad is not None
    assert attention.grad[0, 0] > 0 > attention.grad[0, 2] and not attention.grad[1].any()


def test_attention_sums_to_one_and_passes_over_an_absent_ecg() -> None:
    net = new_net()
    attention = net(made_up_input(net.sizes, present=HALF)).inner["source_attention"]
    assert attention.shape == (16, len(SOURCES))
    torch.testing.assert_close(attention.sum(1), torch.ones(16))
    absent = attention[:, SOURCES.index("ecg_distinct")]
    assert (absent[~HALF] == 0).all() and (absent[HALF] > 0).all()


def test_attention_equals_a_loop_over_rows_and_sources() -> None:
    net = new_net()
    sources = torch.randn(16, 3, net.sizes.d, generator=torch.Generator().manual_seed(2))
    fused, attention = net.attend(sources, HALF)
    for row in range(16):
        usable = sources[row, : 3 if HALF[row] else 2]
        query, key, value = net.query_key_value(usable).chunk(3, dim=1)
        score = key @ query.mean(0) / math.sqrt(net.sizes.d)
        torch.testing.assert_close(attention[row, : len(usable)], torch.softmax(score, dim=0))
        torch.testing.assert_close(fused[row], torch.softmax(score, dim=0) @ value)


def test_the_shared_part_is_the_records_alone_without_an_ecg() -> None:
    net = new_net()
    out = net(made_up_input(net.sizes, present=HALF))
    pooled = pool_logits(out.inner["ehr_shared"], out.inner["ecg_shared"])
    shared = torch.where(HALF[:, None], pooled, out.inner["ehr_shared"])
    torch.testing.assert_close(out.modality_logits["shared"], net.source_heads["shared"](shared))


def test_the_loss_is_its_terms_and_unpaired_rows_enter_the_ecgs_terms_nowhere() -> None:
    net = new_net(lambda_shared=0.5, lambda_orthogonal=0.25, lambda_rank=2.0)
    given = made_up_input(net.sizes, present=HALF)
    targets = (torch.arange(16) % 3 == 0).float()[:, None]
    out = net(given)

    def bce(logit: Tensor, label: Tensor) -> Tensor:
        p = torch.sigmoid(logit)
        return -(label * torch.log(p) + (1 - label) * torch.log(1 - p))

    own = {name: bce(out.modality_logits[name], targets) for name in SOURCES}
    inner, n_paired = out.inner, HALF.sum()
    expected = bce(out.logit, targets).mean() + own["ehr_distinct"].mean() + own["shared"].mean()
    expected = expected + own["ecg_distinct"][HALF].sum() / n_paired
    divergence = bernoulli_jsd(inner["ehr_shared"], inner["ecg_shared"]).mean(1)
    expected = expected + 0.5 * divergence[HALF].sum() / n_paired
    for name, rows in (("ehr", slice(None)), ("ecg", HALF)):
        a, b = inner[f"{name}_shared"][rows], inner[f"{name}_distinct"][rows]
        expected = expected + 0.25 * ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).abs().mean()
    losses = torch.cat([own[name] for name in SOURCES], dim=1)[HALF]
    expected = expected + 2.0 * ranking_loss(inner["source_attention"][HALF], losses)
    torch.testing.assert_close(net.loss(out, given, targets), expected)

    changed = {**inner, "ecg_shared": inner["ecg_shared"].clone(), "ecg_distinct": inner["ecg_distinct"].clone()}
    for values in (changed["ecg_shared"], changed["ecg_distinct"]):
        values[~HALF] = torch.nan
    again = NetOutput(out.logit, out.modality_logits, changed)
    assert torch.equal(net.loss(again, given, targets), net.loss(out, given, targets))


def test_both_modalities_go_through_one_projector() -> None:
    net = new_net()
    with torch.no_grad():
        for parameter in net.projector[-1].parameters():
            parameter.zero_()
    inner = net(made_up_input(net.sizes)).inner
    assert not inner["ehr_shared"].any() and not inner["ecg_shared"].any()


def test_each_weight_of_the_loss_weighs_a_term_of_its_own() -> None:
    given = made_up_input(made_up_sizes())
    targets = (torch.arange(16) % 3 == 0).float()[:, None]
    plain = new_net(lambda_shared=0.0, lambda_orthogonal=0.0, lambda_rank=0.0)
    least = plain.loss(plain(given), given, targets)
    found = []
    for name in ("lambda_shared", "lambda_orthogonal", "lambda_rank"):
        net = new_net(**{**dict.fromkeys(("lambda_shared", "lambda_orthogonal", "lambda_rank"), 0.0), name: 1.0})
        found.append(net.loss(net(replace(given)), given, targets) - least)
    assert all(term > 0 for term in found) and len({round(term.item(), 6) for term in found}) == 3
