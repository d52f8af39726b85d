"""Level predictors are trained once for the same data, folds, configuration and code, and again for any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from core_support import made_up_cohort, parts, quick

from lemof_core.config import RunConfig
from lemof_core.fitting import level_files
from lemof_core.fitting.stage_one import StageOne, fit_stage_one

BASE = quick(ehr_encoder="baseline", fitting="holdout")


def fitted(folder: Path | None, config: RunConfig = BASE, **changes: np.ndarray) -> tuple[StageOne, bool]:
    """Stage 1, and whether anything was trained for it."""
    told: list[str] = []
    arrays = replace(made_up_cohort(), **changes)
    stage = fit_stage_one(arrays, parts(), config, progress=lambda what, *_: told.append(what), kept_in=folder)
    return stage, bool(told)


def test_the_same_stage_is_trained_once_and_is_bit_equal(tmp_path: Path) -> None:
    first, trained = fitted(tmp_path)
    again, once_more = fitted(tmp_path)
    assert trained and not once_more
    np.testing.assert_array_equal(first.ports, again.ports)
    assert first.stages[0].histories == again.stages[0].histories
    plain, _ = fitted(None)
    np.testing.assert_array_equal(first.ports, plain.ports)


def test_levels_are_taken_over_from_a_stage_with_equal_predictors_and_from_no_other(tmp_path: Path) -> None:
    first, _ = fitted(tmp_path)
    config = replace(BASE, ehr_encoder="tpc")
    how: dict[str, Any] = {"progress": lambda *_: None, "kept_in": tmp_path}
    second = fit_stage_one(made_up_cohort(), parts(), config, **how, like=first)
    assert second.samples[0].caches["ecg"] is first.samples[0].caches["ecg"]
    assert second.samples[0].caches["ehr"] is not first.samples[0].caches["ehr"]
    alone = fit_stage_one(made_up_cohort(), parts(), config, **how)
    np.testing.assert_array_equal(second.ports, alone.ports)
    other_seed = fit_stage_one(made_up_cohort(), parts(), replace(BASE, seed=1), **how, like=first)
    assert other_seed.samples[0].caches["ecg"] is not first.samples[0].caches["ecg"], "other weights, other levels"
    more = fit_stage_one(made_up_cohort(), parts(), BASE, **how, also=parts()["test"], like=first)
    assert more.samples[0].caches["ehr"] is not first.samples[0].caches["ehr"], "rows are asked for that it has not"
    first.forget("ecg")
    again = fit_stage_one(made_up_cohort(), parts(), BASE, **how, like=first)
    np.testing.assert_array_equal(again.ports, fitted(tmp_path)[0].ports)


def test_fusions_of_one_stage_share_it_but_other_seeds_training_and_data_do_not(tmp_path: Path) -> None:
    fitted(tmp_path)
    assert not fitted(tmp_path, replace(BASE, fusion="daft", arm="finetuned"))[1]
    n_files = len(list(tmp_path.iterdir()))
    labels = made_up_cohort().labels.copy()
    labels[parts()["train"][0]] = 1 - labels[parts()["train"][0]]
    assert fitted(tmp_path, replace(BASE, seed=1))[1]
    assert fitted(tmp_path, replace(BASE, ehr_training=replace(BASE.ehr_training, lr=1e-4)))[1]
    assert fitted(tmp_path, labels=labels)[1]
    assert len(list(tmp_path.iterdir())) > n_files


def test_other_code_is_another_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(tmp_path)
    monkeypatch.setattr(level_files, "_SOURCES", ("training.py",))
    assert fitted(tmp_path)[1]


def test_a_file_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    first, _ = fitted(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    again, trained = fitted(tmp_path)
    assert trained
    np.testing.assert_array_equal(first.ports, again.ports)
    assert not fitted(tmp_path)[1]
    for name, tensor in first.stages[0].ehr.state_dict().items():
        assert torch.equal(tensor, again.stages[0].ehr.state_dict()[name])
