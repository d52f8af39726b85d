"""Trained level predictors kept on disk under all that made them, so that runs with the same Stage 1 share it.

What a file is named by: the data it learnt from, the folds, the configuration of its training, the source of the
encoders and of the training, and the libraries they run on. Any of them changed is another file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import lemof_core
from lemof_core.batch import ScaledCohort
from lemof_core.config import RunConfig
from lemof_core.ehr_series import Scaler
from lemof_core.fitting.folds import Fold
from lemof_core.fusion.fold_model import make_predictor
from lemof_core.level_heads import LevelPredictor
from lemof_core.training import History

_SOURCES = (
    "encoders/*.py",
    "level_heads.py",
    "training.py",
    "batch.py",
    "ehr_series.py",
    "ecg_signal.py",
    "fitting/level_stage.py",
    "fusion/fold_model.py",
)
_LIBRARIES = ("torch", "pytorch-tabnet")


def source_digest(patterns: tuple[str, ...], libraries: tuple[str, ...] = _LIBRARIES) -> Any:
    """Return a running hash over the package's files of these patterns and over the versions of the libraries."""
    root = Path(lemof_core.__file__).parent
    digest = hashlib.sha256("|".join(version(name) for name in libraries).encode())
    for pattern in patterns:
        for file in sorted(root.glob(pattern)):
            digest.update(file.name.encode() + file.read_bytes())
    return digest


class LevelFiles:
    """The predictors of one cohort; `load` and `keep` one of them. Without a folder nothing is found or kept."""

    def __init__(self, folder: Path | None, cohort: ScaledCohort, val: np.ndarray, config: RunConfig, scaler: Scaler):
        self.folder, self.config, self.scaler = folder, config, scaler
        self._val = val
        self._cohort = cohort
        self._common = hashlib.sha256() if folder is None else _digest_of(cohort, scaler)

    def load(self, modality: str, fold: Fold, seed: int) -> tuple[LevelPredictor, dict[str, History]] | None:
        """Return the kept predictor in eval mode, or None where there is none that was made in just this way."""
        if self.folder is None:
            return None
        path = self._path(modality, fold, seed)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
                told = json.loads(file.metadata()["histories"])
        except (SafetensorError, OSError):  # cut short by a killed job: it is made again, and written over
            return None
        predictor = make_predictor(modality, self.config, self.scaler)
        predictor.load_state_dict(state)
        return predictor.eval(), {phase: History(**history) for phase, history in told.items()}

    def keep(
        self, modality: str, fold: Fold, seed: int, predictor: LevelPredictor, histories: dict[str, History]
    ) -> None:
        """The predictor can be loaded by the next run."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(modality, fold, seed)
        draft = path.with_suffix(f".{seed}.draft")
        told = json.dumps({phase: asdict(history) for phase, history in histories.items()})
        state = {name: tensor.contiguous() for name, tensor in predictor.state_dict().items()}
        save_file(state, draft, metadata={"histories": told})
        draft.replace(path)

    def _path(self, modality: str, fold: Fold, seed: int) -> Path:
        digest = self._common.copy()
        config = self.config
        encoder, sizes, training = config.encoder(modality)
        made: dict[str, Any] = {"modality": modality, "encoder": encoder, "training": asdict(training), "seed": seed}
        made |= {"sizes": sizes, "own_transform": config.own_transform, "pooling": config.pooling}
        digest.update(json.dumps(made, sort_keys=True).encode())
        for rows in (fold.learn, self._val):
            digest.update(np.ascontiguousarray(rows, dtype=np.int64).tobytes() + b"|")
        assert self.folder is not None  # for the type checker: asked only with a folder
        return self.folder / f"{modality}-{encoder}-{digest.hexdigest()[:16]}.safetensors"


def _digest_of(cohort: ScaledCohort, scaler: Scaler) -> Any:
    """Return a hash of what every predictor of the cohort is made of: data, preprocessing, and the code."""
    digest = source_digest(_SOURCES)
    digest.update(json.dumps(scaler.to_json(), sort_keys=True).encode())
    arrays = cohort.arrays
    for name in ("ecg_uv", "ecg_present", "series", "static", "labels", "aux"):
        digest.update(np.ascontiguousarray(getattr(arrays, name)).tobytes())
    return digest
