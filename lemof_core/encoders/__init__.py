"""Encoders: one modality in, three levels of tokens out. One registry a modality; contract tests run over both.

An encoder is an nn.Module with `levels: tuple[LevelInfo, LevelInfo, LevelInfo]`, `stem(modality)` and
`stage(k, tokens)`, so that a fusion may run it stage by stage; `run_levels` does the plain run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lemof_core.encoders.contract import Encoder, Level, LevelInfo, pool_level, run_levels
from lemof_core.encoders.ft_transformer import FTTransformer
from lemof_core.encoders.resnet import ResNet1d
from lemof_core.errors import ModelMistake

ECG_ENCODERS: dict[str, Callable[..., Encoder]] = {"resnet": ResNet1d}
EHR_ENCODERS: dict[str, Callable[..., Encoder]] = {"ft_transformer": FTTransformer}
REGISTRIES = {"ecg": ECG_ENCODERS, "ehr": EHR_ENCODERS}

__all__ = [
    "ECG_ENCODERS",
    "EHR_ENCODERS",
    "REGISTRIES",
    "Encoder",
    "Level",
    "LevelInfo",
    "make_encoder",
    "pool_level",
    "run_levels",
]


def make_encoder(modality: str, name: str, **sizes: Any) -> Encoder:
    """Return a new encoder of the registry; an unknown name raises ModelMistake with the known ones."""
    registry = REGISTRIES[modality]
    if name not in registry:
        raise ModelMistake(f"unknown {modality.upper()} encoder {name!r}; known: {', '.join(sorted(registry))}")
    return registry[name](**sizes)
