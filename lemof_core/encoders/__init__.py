"""Encoders: one modality in, three levels of tokens out. One registry a modality; contract tests run over both.

An encoder declares three levels and runs stage by stage, so that a fusion may gate what it hands on (see `contract`);
`run_levels` does the plain run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
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
    "make_encoder",
    "pool_level",
    "run_levels",
    "run_stages",
]


def make_encoder(modality: str, name: str, **sizes: Any) -> Encoder:
    """Return a new encoder of the registry.

    Raises ModelMistake for an unknown name, with the known ones, and for sizes that it does not have or cannot take.
    """
    registry = REGISTRIES[modality]
    if name not in registry:
        raise ModelMistake(f"unknown {modality.upper()} encoder {name!r}; known: {', '.join(sorted(registry))}")
    known = inspect.signature(registry[name]).parameters
    for size in sizes:
        if size not in known:
            raise ModelMistake(f"unknown size {size!r} of encoder {name}; known: {', '.join(_sizes_of(known))}")
    try:
        return registry[name](**sizes)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:  # what torch says of impossible widths
        own = {size: value for size, value in sizes.items() if size in _sizes_of(known)}
        if not own:
            raise
        raise ModelMistake(f"encoder {name} cannot be built with {own}: {error}") from error


def _sizes_of(known: Iterable[str]) -> list[str]:
    """Return the arguments that are sizes: all but the variables of the cohort."""
    return [name for name in known if name not in ("series_names", "static_names")]
