"""Fusions: the levels of all modalities in, one prediction with its inner values out.

LeMoF itself is fitted in stages and has modules of its own; the networks it is compared with are registered here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lemof_core.errors import ModelMistake
from lemof_core.fusion.contract import FusionNet, NetSizes, StagedFusionNet
from lemof_core.fusion.daft import Daft
from lemof_core.fusion.drfuse import DrFuse
from lemof_core.fusion.early import EarlyFusion
from lemof_core.fusion.hyperfusion import HyperFusion
from lemof_core.fusion.medfuse import MedFuse
from lemof_core.fusion.mlp import Mlp
from lemof_core.fusion.mmtm import Mmtm

NETS: dict[str, Callable[[NetSizes], FusionNet | StagedFusionNet]] = {
    "daft": Daft,
    "daft_reverse": partial(Daft, direction="ecg_to_ehr"),
    "drfuse": DrFuse,
    "early": EarlyFusion,
    "hyperfusion": HyperFusion,
    "medfuse": MedFuse,
    "mlp": Mlp,
    "mmtm": Mmtm,
}

__all__ = ["NETS", "make_net"]


def make_net(name: str, sizes: NetSizes) -> FusionNet | StagedFusionNet:
    """Return a new network of the registry; an unknown name raises ModelMistake with the known ones."""
    if name not in NETS:
        raise ModelMistake(f"unknown fusion network {name!r}; known: {', '.join(sorted(NETS))}")
    return NETS[name](sizes)
