"""Module 2: attention that depends on what asks, weights that sum to one, and a proof that vectors would not do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from core_support import fitted, made_up_cohort, parts
from fusion_support import Encoded, scaled

from lemof_core.config import CrossAttentionConfig, preset
from lemof_core.encoders import ECG_ENCODERS, EHR_ENCODERS, Level
from lemof_core.explain.attention import module_two
from lemof_core.fitting.pair_choice import candidate_pairs, choose_pair
from lemof_core.fusion.cross_attention import CrossAttention, CrossDirection
from lemof_core.fusion.fold_model import make_cross


def test_one_head_equals_the_papers_formula() -> None:
    torch.manual_seed(0)
    direction = CrossDirection(5, 7, d=4, n_heads=1)
    query, key = torch.randn(2, 3, 5), torch.randn(2, 6, 7)
    q, k, v = direction.query(query), direction.key(key), direction.value(key)
    expected = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(4), dim=-1) @ v
    torch.testing.assert_close(direction(query, key, None)[0], expected)


def test_many_heads_equal_torchs_attention() -> None:
    torch.manual_seed(0)
    ours, theirs = CrossDirection(8, 8, d=8, n_heads=4), torch.nn.MultiheadAttention(8, 4, batch_first=True)
    theirs.in_proj_weight.data = torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]).detach()
    theirs.in_proj_bias.data = torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]).detach()
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = torch.eye(8), torch.zeros(8)
    query, key = torch.randn(2, 3, 8), torch.randn(2, 6, 8)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    expected, weights = theirs(query, key, key, key_padding_mask=~mask, average_attn_weights=False)
    found, found_weights = ours(query, key, mask)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_weights, weights)


def test_weights_sum_to_one_and_masked_keys_get_none() -> None:
    direction = CrossDirection(4, 4, d=4, n_heads=2)
    mask = torch.tensor([[True, True, False]])
    _, weights = direction(torch.randn(1, 5, 4), torch.randn(1, 3, 4), mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 5))
    assert (weights[..., 2] == 0).all()


def test_with_one_key_the_query_cannot_matter_but_with_tokens_it_does() -> None:
    direction = CrossDirection(4, 4, d=4, n_heads=1)
    one, many = torch.randn(1, 1, 4), torch.randn(1, 6, 4)
    a, b = torch.randn(1, 1, 4), torch.randn(1, 1, 4)
    assert torch.equal(direction(a, one, None)[0], direction(b, one, None)[0])
    assert not torch.allclose(direction(a, many, None)[0], direction(b, many, None)[0])


def test_permuted_weights_change_the_output_and_the_identity_does_not() -> None:
    direction = CrossDirection(4, 4, d=4, n_heads=2)
    query, key = torch.randn(1, 3, 4), torch.randn(1, 6, 4)
    plain, _ = direction(query, key, None)
    assert torch.equal(direction(query, key, None, torch.arange(6))[0], plain)
    assert not torch.allclose(direction(query, key, None, torch.tensor([1, 2, 3, 4, 5, 0]))[0], plain)


PAIRS = [(ecg, "baseline") for ecg in ECG_ENCODERS] + [("resnet", ehr) for ehr in EHR_ENCODERS if ehr != "baseline"]


@pytest.mark.parametrize(("ecg_name", "ehr_name"), PAIRS)
def test_on_any_levels_of_any_encoders_who_asks_matters_rows_sum_to_one_and_batch_mates_do_not_matter(
    ecg_name: str, ehr_name: str
) -> None:
    encoded, source = Encoded.of(ecg_name, ehr_name), scaled(6)
    ecg, ehr = encoded.ecg.encoder, encoded.ehr.encoder
    batch = source.ehr(np.arange(6))
    ecg_levels, ehr_levels = encoded.ecg.levels(source.ecg(np.arange(6))), encoded.ehr.levels(batch)
    for k, j in candidate_pairs(preset("robust")):
        torch.manual_seed(k)
        cross = CrossAttention(
            CrossAttentionConfig(d=8, n_heads=2), ecg.levels[k - 1], ehr.levels[max(j, 1) - 1], ehr_level=j,
            n_series=6, n_static=2, d_ecg_skip=encoded.ecg.d_summary,
        ).eval()  # fmt: skip
        asking, asked = ecg_levels[k - 1], cross.ehr_tokens(ehr_levels[j - 1] if j else None, batch)
        for direction, query, key, key_mask in (
            (cross.ecg_asks, asking.tokens, asked.tokens, asked.mask),
            (cross.ehr_asks, asked.tokens, asking.tokens, asking.mask),
        ):
            assert key.shape[1] > 1, "with one key no query can matter"
            out, weights = direction(query, key, key_mask)
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
            assert (weights[..., :1, :] != weights[..., 1:, :]).flatten(1).any(1).all(), "each token asks for itself"
            changed = query.clone()
            changed[0] = query[1]
            other, _ = direction(changed, key, key_mask)
            assert (other[0] - out[0]).abs().max() > 0 and torch.equal(other[1:], out[1:]), (k, j)


@pytest.mark.parametrize("name", ["robust", "paper"])
def test_y_omega2_depends_on_both_modalities_of_the_same_patient_only(name: str) -> None:
    model = fitted(name)
    cohort = model.scaler.transform(made_up_cohort())
    rows = parts()["test"][cohort.arrays.ecg_present[parts()["test"]]][:4]
    fold = model.folds[0]
    cross = module_two(fold)

    def logits(ecg_rows: np.ndarray, ehr_rows: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return cross.logit(fold.encode(cohort.ecg(ecg_rows), cohort.ehr(ehr_rows)))[:, 0]

    plain = logits(rows, rows)
    other_ecg, other_ehr = logits(rows[[1, 1, 2, 3]], rows), logits(rows, rows[[1, 1, 2, 3]])
    assert other_ecg[0] != plain[0] and other_ehr[0] != plain[0]
    torch.testing.assert_close(other_ecg[1:], plain[1:])
    torch.testing.assert_close(other_ehr[1:], plain[1:])


def test_a_level_that_was_not_handed_over_is_refused() -> None:
    model = fitted()
    fold = model.folds[0]
    assert fold.ecg is not None
    cross = make_cross(model.config, fold.ecg, fold.ehr, (1, 2), model.scaler).cross
    with pytest.raises(ValueError, match="level 2"):
        cross.ehr_tokens(None, model.scaler.transform(made_up_cohort(3)).ehr(np.arange(3)))


def test_candidates_hold_the_own_tokens_only_where_the_preset_has_them() -> None:
    model = fitted()
    assert len(candidate_pairs(model.config)) == 12
    literal = replace(model.config, cross=CrossAttentionConfig(own_ehr_tokens=False))
    assert len(candidate_pairs(literal)) == 9


def test_the_pair_that_adds_most_to_m1_is_chosen_with_its_frequency() -> None:
    rng = np.random.default_rng(0)
    first, useful = rng.normal(size=500), rng.normal(size=500)
    y = (rng.random(500) < 1 / (1 + np.exp(-(first + 2 * useful)))).astype(float)
    choice = choose_pair(first, {(1, 1): rng.normal(size=500), (2, 0): useful}, y, n_draws=50, seed=0)
    assert choice.pair == (2, 0)
    assert choice.frequency[2, 0] > 0.9
    assert sum(choice.frequency.values()) == pytest.approx(1)


def test_no_valid_ecg_token_gives_no_nan_in_the_pooled_parts() -> None:
    from lemof_core.encoders.contract import peak_level

    empty = Level(torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool))
    assert (peak_level(empty) == 0).all()
