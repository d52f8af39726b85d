"""Encoders: one modality in, three levels of tokens out. One registry a modality; contract tests run over both.

An encoder declares three levels and runs stage by stage, so that a fusion may gate what it hands on (see `contract`);
`run_levels` does the plain run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lemof_core.encoders.baseline_ecg import BaselineCnn
from lemof_core.encoders.baseline_ehr import BaselineMlp
from lemof_core.encoders.contract import Encoder, Level, LevelInfo, pool_level, run_levels, run_stages
from lemof_core.encoders.ft_transformer import FTTransformer
from lemof_core.encoders.lstm import BiLstm
from lemof_core.encoders.resnet import ResNet1d
from lemof_core.encoders.tab_transformer import TabTransformer
from lemof_core.encoders.tabnet import TabNet
from lemof_core.encoders.tpc import Tpc
from lemof_core.encoders.wavenet import WaveNet
from lemof_core.errors import ModelMistake

ECG_ENCODERS: dict[str, Callable[..., Encoder]] = {
    "baseline": BaselineCnn,
    "lstm": BiLstm,
    "resnet": ResNet1d,
    "wavenet": WaveNet,
}
EHR_ENCODERS: dict[str, Callable[..., Encoder]] = {
    "baseline": BaselineMlp,
    "ft_transformer": FTTransformer,
    "tab_transformer": TabTransformer,
    "tabnet": TabNet,
    "tpc": Tpc,
}
REGISTRIES = {"ecg": ECG_ENCODERS, "ehr": EHR_ENCODERS}

__all__ = [
    "ECG_ENCODERS",
    "EHR_ENCODERS",
    "REGISTRIES",
    "Encoder",
    "Level",
    "LevelInfo",
    "default_sizes",
    "make_encoder",
    "pool_level",
    "run_levels",
    "run_stages",
]


def make_encoder(modality: str, name: str, **sizes: Any) -> Encoder:
    """Return a new encoder of the registry; an unknown name raises ModelMistake with the known ones."""
    return _known(modality, name)(**sizes)


def default_sizes(modality: str, name: str) -> dict[str, Any]:
    """Return name -> size that an encoder has where none is given; ModelMistake for an unknown encoder."""
    arguments = inspect.signature(_known(modality, name)).parameters.values()
    return {one.name: one.default for one in arguments if one.default is not inspect.Parameter.empty}


def _known(modality: str, name: str) -> Callable[..., Encoder]:
    registry = REGISTRIES[modality]
    if name not in registry:
        raise ModelMistake(f"unknown {modality.upper()} encoder {name!r}; known: {', '.join(sorted(registry))}")
    return registry[name]
