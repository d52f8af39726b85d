"""A saved model gives the same bits again; a damaged or foreign folder gives a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from core_support import fitted, made_up_cohort, parts

from lemof_core.checkpoint import fingerprint, load_model, save_model
from lemof_core.errors import ModelMistake
from lemof_core.run_folder import run_folder


@pytest.mark.parametrize("name", ["robust", "paper"])
def test_a_loaded_model_predicts_the_same_bits(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    run_id = save_model(model, tmp_path)
    again = load_model(tmp_path)
    cohort = model.scaler.transform(made_up_cohort())
    rows = parts()["test"]
    np.testing.assert_array_equal(again.predict(cohort, rows).logits, model.predict(cohort, rows).logits)
    low, high = again.interval("both", again.port_background["both"][:3])
    np.testing.assert_array_equal((low, high), model.interval("both", model.port_background["both"][:3]))
    assert run_id == fingerprint(tmp_path) and len(run_id) == 10


def test_nothing_is_pickled(tmp_path: Path) -> None:
    save_model(fitted(), tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMistake, match="no model"):
        load_model(tmp_path)
    save_model(fitted(), tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelMistake, match="damaged"):
        load_model(tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(document | {"format": 99}))
    with pytest.raises(ModelMistake, match="format 99"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelMistake, match="damaged"):
        load_model(tmp_path)


def test_a_run_whose_weights_are_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelMistake, match="missing"):
        run_folder("abc", tmp_path)
    with pytest.raises(ModelMistake, match="missing"):
        run_folder("shipped:nothing", tmp_path)
