"""A fitted model in, a folder out, and back: weights as safetensors, all else as JSON. Nothing is pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

import lemof_core
from lemof_core.batch import CohortArrays
from lemof_core.config import RunConfig
from lemof_core.decision import Decision
from lemof_core.ehr_series import Scaler
from lemof_core.errors import ModelMistake
from lemof_core.fusion import NETS
from lemof_core.fusion.fold_model import FoldModel, make_cross, make_predictor, make_rival
from lemof_core.fusion.joint import TREES, CrossJoint, Joint, TreeJoint
from lemof_core.fusion.lemof import LemofModel
from lemof_core.port_stack import PortStack
from lemof_core.typicality import Typicality

FORMAT = 6
FILES = ("model.json", "weights.safetensors", "arrays.safetensors")


def save_model(model: LemofModel, folder: Path, *, extra: Mapping[str, Any] | None = None) -> str:
    """Write the model into the folder and return its run id: a hash over what was written.

    extra: facts kept beside the model (variables with their units, data the run was fitted on).
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"fold{number}.{name}": tensor.contiguous()
        for number, fold in enumerate(model.folds)
        for name, tensor in fold.state_dict().items()
    }
    save_file(tensors, folder / "weights.safetensors")
    save_arrays(_arrays_of(model), folder / "arrays.safetensors")
    document = {
        "format": FORMAT,
        "code_version": lemof_core.__version__,
        "config": model.config.to_json(),
        "scaler": model.scaler.to_json(),
        "n_folds": len(model.folds),
        "pair": _pair_of(model.folds[0]),
        "decisions": {path: decision.to_json() for path, decision in model.decisions.items()},
        "background_ids": model.background_ids,
        "input_background_ids": model.input_background.arrays.sample_ids,
        "calibration": model.calibration,
        "typicality": {modality: typical.names for modality, typical in model.typicality.items()},
        "level_choices": model.level_choices,
        "report": model.report,
        "extra": dict(extra or {}),
    }
    (folder / "model.json").write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    return fingerprint(folder)


def fingerprint(folder: Path) -> str:
    """Return the run id of a saved model: ten hex digits over its files."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:10]


def _arrays_of(model: LemofModel) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for path in model.decisions:
        arrays[f"refits.{path}"] = model.refits[path]
        arrays[f"background.{path}"] = model.port_background[path]
    for modality, typical in model.typicality.items():
        arrays |= {f"typical.{modality}.{name}": array for name, array in typical.to_arrays().items()}
    whole = model.input_background.arrays
    for name in ("ecg_uv", "series", "static", "labels", "aux"):
        arrays[f"input.{name}"] = np.ascontiguousarray(getattr(whole, name))
    arrays["input.ecg_present"] = whole.ecg_present.astype(np.uint8)
    return arrays


def read_document(folder: Path) -> dict[str, Any]:
    """Return model.json; raise ModelMistake where the folder holds no model this program can read."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelMistake(f"there is no model in {folder}: {', '.join(missing)} missing; train or score again")
    try:
        document: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ModelMistake(f"{folder / 'model.json'} is damaged ({error}); train again") from error
    if document.get("format") != FORMAT:
        found = document.get("format")
        raise ModelMistake(f"the model in {folder} has format {found}, this program reads {FORMAT}; train again")
    return document


def load_model(folder: Path) -> LemofModel:
    """Return the model that `save_model` wrote, in eval mode; raise ModelMistake for a damaged or foreign folder."""
    document = read_document(folder)
    try:
        tensors = load_file(folder / "weights.safetensors")
        arrays = load_arrays(folder / "arrays.safetensors")
    except SafetensorError as error:
        raise ModelMistake(f"the weights in {folder} are damaged ({error}); train again") from error
    config = RunConfig.from_json(document["config"])
    scaler = Scaler.from_json(document["scaler"])
    folds = [_load_fold(number, tensors, config, scaler, document["pair"]) for number in range(document["n_folds"])]
    decisions: dict[str, Decision | PortStack] = {
        path: PortStack.from_json(stage) if "stack" in stage else Decision.from_json(stage)
        for path, stage in document["decisions"].items()
    }
    background = scaler.transform(_background_arrays(arrays, document["input_background_ids"], scaler))
    return LemofModel(
        config=config,
        scaler=scaler,
        folds=folds,
        decisions=decisions,
        refits={path: arrays[f"refits.{path}"] for path in decisions},
        port_background={path: arrays[f"background.{path}"] for path in decisions},
        background_ids={path: tuple(ids) for path, ids in document["background_ids"].items()},
        input_background=background,
        calibration=document["calibration"],
        typicality={
            modality: Typicality.from_arrays(tuple(names), _below(arrays, f"typical.{modality}."))
            for modality, names in document["typicality"].items()
        },
        level_choices=document["level_choices"],
        report=document["report"],
    )


def _background_arrays(arrays: Mapping[str, np.ndarray], ids: list[str], scaler: Scaler) -> CohortArrays:
    return CohortArrays(
        sample_ids=tuple(ids),
        subject_ids=np.arange(len(ids)),
        ecg_uv=arrays["input.ecg_uv"],
        ecg_present=arrays["input.ecg_present"].astype(bool),
        series=arrays["input.series"],
        static=arrays["input.static"],
        labels=arrays["input.labels"],
        aux=arrays["input.aux"],
        series_names=scaler.series_names,
        static_names=scaler.static_names,
        aux_names=scaler.aux_names,
    )


def _below(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return what lies below the prefix, by the rest of its name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _load_fold(number: int, tensors: Mapping[str, Any], config: RunConfig, scaler: Scaler, pair: Any) -> FoldModel:
    state = _below(tensors, f"fold{number}.")
    ehr = make_predictor("ehr", config, scaler)
    ecg = make_predictor("ecg", config, scaler) if any(name.startswith("ecg.") for name in state) else None
    joint_state = _below(state, "joint.")
    joint: Joint | None = None
    if ecg is not None and pair is not None:
        joint = make_cross(config, ecg, ehr, (int(pair[0]), int(pair[1])), scaler)
    elif ecg is not None and joint_state and config.fusion in NETS:
        joint = make_rival(config, ecg, ehr, scaler)
    elif joint_state:
        joint = TreeJoint.from_state(joint_state, reads=TREES[config.fusion])
    fold = FoldModel(ecg, ehr, joint)
    fold.load_state_dict(state)
    return fold.eval()


def _pair_of(fold: FoldModel) -> tuple[int, int] | None:
    return fold.joint.pair if isinstance(fold.joint, CrossJoint) else None
