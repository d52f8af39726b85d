"""TabTransformer: bins and the missing category, tokens that attend, numbers that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lemof_core.batch import CohortArrays, Modality
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import run_levels
from lemof_core.encoders.tab_transformer import MISSING, TabTransformer

SERIES, STATIC = ("a", "b", "c"), ("age", "sex")


def encoder() -> TabTransformer:
    torch.manual_seed(0)
    return TabTransformer(series_names=SERIES, static_names=STATIC).eval()


def ehr(last: list[float], static: list[float]) -> Modality:
    """Return one patient whose series were observed in the last hour alone."""
    mask = torch.zeros(1, 3, 24)
    mask[..., -1] = 1
    value = mask * torch.tensor(last)[None, :, None]
    tensors = {"value": value, "mask": mask, "since": 1 - mask}
    tensors |= {"static": torch.tensor([static]), "static_mask": torch.ones(1, 2)}
    return Modality(tensors, torch.ones(1, dtype=torch.bool))


def test_categories_by_hand() -> None:
    model = encoder()
    # Quantiles of the standard normal at eighths: -1.150, -0.674, -0.319, 0, 0.319, 0.674, 1.150.
    given = ehr([-1.2, 0.01, 100.0], [-0.5, 1.1])
    assert model.categories(given).tolist() == [[0, 4, 7, 2, 6]]


def test_what_is_not_known_is_the_missing_category_whatever_stands_in_its_place() -> None:
    model, given = encoder(), ehr([0.5, 0.5, 0.5], [0.5, 0.5])
    given.tensors["mask"][0, 1] = 0
    given.tensors["static_mask"][0, 0] = 0
    known = model.categories(given)
    assert known.tolist() == [[5, MISSING, 5, MISSING, 5]]
    tokens = model.stem(given).tokens
    given.tensors["value"][0, 1], given.tensors["static"][0, 0] = -2.0, -2.0
    assert torch.equal(model.stem(given).tokens, tokens)
    # The missing tokens of two variables differ, by embedding and by column.
    assert not torch.equal(tokens[0, 1, :28], tokens[0, 3, :28])
    assert not torch.equal(tokens[0, 1, 28:], tokens[0, 3, 28:])


def test_a_column_keeps_its_mark_in_every_category() -> None:
    model = encoder()
    low, high = model.stem(ehr([-2.0, 0, 0], [0, 0])).tokens, model.stem(ehr([2.0, 0, 0], [0, 0])).tokens
    assert torch.equal(low[0, 0, 28:], high[0, 0, 28:]) and not torch.equal(low[0, 0, :28], high[0, 0, :28])
    assert torch.equal(low[0, 1:], high[0, 1:])


def test_bins_hold_equal_shares_of_a_scaled_variable() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    arrays = CohortArrays(
        sample_ids=tuple(str(i) for i in range(n)),
        subject_ids=np.arange(n),
        ecg_uv=np.zeros((n, 12, 1), np.int16),
        ecg_present=np.zeros(n, bool),
        series=rng.lognormal(size=(n, 3, 24)).astype(np.float32),
        static=rng.gamma(1.0, size=(n, 2)).astype(np.float32),  # far from normal before scaling
        labels=np.zeros(n, np.float32),
        aux=np.zeros((n, 1), np.float32),
        series_names=SERIES,
        static_names=STATIC,
        aux_names=("rate",),
    )
    cohort = Scaler.fit(arrays, np.arange(n)).transform(arrays)
    categories = encoder().categories(cohort.ehr(np.arange(n)))
    for column in categories.T:
        shares = torch.bincount(column, minlength=9) / n
        assert shares[MISSING] == 0
        assert shares[:8].numpy() == pytest.approx(np.full(8, 1 / 8), abs=0.02)


def test_numbers_bypass_attention_and_still_reach_every_summary() -> None:
    model = encoder()
    inside = [run_levels(model, ehr([value, 0.1, 0.1], [0.1, 0.1])) for value in (0.05, 0.25)]  # one bin, two numbers
    for first, second in zip(*inside, strict=True):
        assert torch.equal(first.tokens[:, 1:], second.tokens[:, 1:])
        assert not torch.equal(first.tokens[:, 0], second.tokens[:, 0])


def test_tokens_attend_to_each_other() -> None:
    model = encoder()
    across = [run_levels(model, ehr([value, 0.1, 0.1], [0.1, 0.1])) for value in (-1.0, 1.0)]
    for first, second in zip(*across, strict=True):
        assert ((first.tokens - second.tokens).abs().amax((0, 2)) > 0).all()


def test_gradients_reach_the_values_through_the_numbers_alone() -> None:
    model, given = encoder(), ehr([0.5, 0.5, 0.5], [0.5, 0.5])
    value = given.tensors["value"].requires_grad_(True)
    level = run_levels(model, given)[2]
    assert level.tokens.shape == (1, 6, 32)
    (of_summary,) = torch.autograd.grad(level.tokens[:, 0].sum(), value, retain_graph=True)
    (of_tokens,) = torch.autograd.grad(level.tokens[:, 1:].square().sum(), value)
    assert of_summary.abs().sum() > 0 and of_tokens.abs().sum() == 0
