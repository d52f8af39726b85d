"""TabNet: sparse masks, sums of steps, the library's own forward as the reference, and the sparsity loss."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from lemof_core.batch import Modality
from lemof_core.encoders import run_levels, run_stages
from lemof_core.encoders.ehr_summary import flat_facts
from lemof_core.encoders.tabnet import TabNet, TabNetState
from lemof_core.level_heads import LevelPredictor

N_SERIES, N_STATIC, N = 5, 2, 16


def tabnet() -> TabNet:
    torch.manual_seed(0)
    encoder = TabNet(series_names=tuple("abcde"), static_names=("age", "sex"))
    encoder.train()
    for _ in range(3):  # running statistics of real batches
        run_levels(encoder, ehr())
    return encoder.eval()


def ehr(n: int = N) -> Modality:
    torch.manual_seed(1)
    tensors = {
        "value": torch.randn(n, N_SERIES, 24),
        "mask": (torch.rand(n, N_SERIES, 24) < 0.4).float(),
        "since": torch.rand(n, N_SERIES, 24),
        "static": torch.randn(n, N_STATIC),
        "static_mask": torch.ones(n, N_STATIC),
    }
    return Modality(tensors, torch.ones(n, dtype=torch.bool))


def states_of(encoder: TabNet, given: Modality) -> list[TabNetState]:
    """Return the states after steps 1, 2, 3."""
    states = [encoder.stem(given)]
    for k in (1, 2, 3):
        states.append(encoder.block(k, states[-1]))
    return states[1:]


@pytest.mark.parametrize("training", [False, True])
def test_the_librarys_own_forward_gives_the_same(training: bool) -> None:
    encoder, given = tabnet().train(training), ehr()
    facts = flat_facts(given)
    steps, negative_entropy = encoder.tabnet(facts)
    levels, state = run_stages(encoder, given)
    torch.testing.assert_close(encoder.penalty(state), -1e-3 * negative_entropy)
    for k, level in enumerate(levels, start=1):
        torch.testing.assert_close(level.tokens[:, 0], torch.stack(steps[:k]).sum(0), atol=1e-6, rtol=1e-5)
    if not training:
        masks = encoder.tabnet.forward_masks(facts)[1]
        for k, state in enumerate(states_of(encoder, given)):
            torch.testing.assert_close(state.mask @ encoder.groups, masks[k])


def test_masks_lie_on_the_simplex_and_choose_few() -> None:
    encoder = tabnet()
    for state in states_of(encoder, ehr()):
        assert (state.mask >= 0).all() and (state.prior >= 0).all()
        torch.testing.assert_close(state.mask.sum(1), torch.ones(N))
        assert (state.mask == 0).any()


def test_level_3_is_the_sum_of_the_step_outputs_and_tokens_grow_by_what_was_chosen() -> None:
    encoder, given = tabnet(), ehr()
    outputs = []
    for transformer in encoder.tabnet.feat_transformers:
        transformer.register_forward_hook(lambda module, args, out: outputs.append(torch.relu(out[:, :32])))
    states = states_of(encoder, given)
    torch.testing.assert_close(states[2].tokens[:, 0], outputs[0] + outputs[1] + outputs[2])
    chosen = torch.stack([state.mask for state in states]).sum(0)
    torch.testing.assert_close(states[2].tokens[:, 1:], chosen[..., None] * states[2].embedded)
    assert (states[0].tokens[:, 1:][states[0].mask == 0] == 0).all()


def test_a_variable_that_a_step_leaves_out_has_no_gradient_in_it() -> None:
    encoder = tabnet()
    before = encoder.stem(ehr())
    facts = before.facts.detach().requires_grad_(True)
    mask = encoder.block(1, before).mask.detach()
    encoder.tabnet.feat_transformers[0]((mask @ encoder.groups) * facts).square().sum().backward()
    assert facts.grad is not None
    of_variable = facts.grad.abs() @ encoder.groups.T
    assert (of_variable[mask == 0] == 0).all() and (of_variable[mask > 0.05] > 0).all()
    assert (mask == 0).any()


def test_steps_share_their_first_layers_in_a_copy_too() -> None:
    for encoder in (tabnet(), copy.deepcopy(tabnet())):
        owned = encoder.tabnet.initial_splitter.shared.glu_layers
        for transformer in encoder.tabnet.feat_transformers:
            layers = transformer.shared.glu_layers
            assert [layer.fc is owner.fc for layer, owner in zip(layers, owned, strict=True)] == [True, True]


def test_a_variables_facts_share_its_mask() -> None:
    encoder = tabnet()
    assert encoder.groups.shape == (7, 5 * 8 + 2 * 2)
    assert encoder.groups.sum(1).tolist() == [8] * 5 + [2] * 2 and (encoder.groups.sum(0) == 1).all()


def test_the_sparsity_loss_is_added_while_training_alone() -> None:
    torch.manual_seed(0)
    predictor = LevelPredictor(tabnet())
    given, targets = ehr(), (torch.arange(N) % 2).float()[:, None]

    def loss(label_weight: float) -> float:
        total = predictor.loss(given, targets, torch.zeros(N, 1), label_weight=label_weight, aux_weight=0.0)
        return float(total.detach())

    predictor.eval()
    assert loss(0.0) == 0.0
    predictor.train()
    penalty = loss(0.0)
    assert 0 < penalty <= 1e-3 * math.log(7)  # the entropy of seven equal shares is the most there is
    assert loss(1.0) == pytest.approx(penalty + _label_loss(predictor, given, targets), rel=1e-4)


def _label_loss(predictor: LevelPredictor, given: Modality, targets: torch.Tensor) -> float:
    logits = predictor.level_logits(predictor.levels(given))
    return float(torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.expand(-1, 3)).detach())


def test_the_penalty_makes_masks_sparser() -> None:
    encoder, given = tabnet(), ehr()
    before = run_stages(encoder, given)[1]
    encoder.penalty(before).backward()
    with torch.no_grad():
        for parameter in encoder.tabnet.att_transformers.parameters():
            if parameter.grad is not None:
                parameter -= 50 * parameter.grad
    assert run_stages(encoder, given)[1].entropy < before.entropy
