"""What the verbs of `lemof` are asked with: the options that several of them share, and the choices there are."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cohort_db.splits import SHARES
from lemof_core.config import ARMS, FITTINGS, MAX_SEED, PRESETS

Db = Annotated[str | None, typer.Option("--db", help="Store URL; default LEMOF_DB_URL, else SQLite under LEMOF_HOME.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Run = Annotated[str | None, typer.Option("--run", help="Run id; default the newest run of the task.")]
Task = Annotated[str, typer.Option("--task", help="Prediction task.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A field of the run on top of its preset; see `lemof settings`."),
]
EcgEncoder = Annotated[str, typer.Option("--ecg-encoder")]
EhrEncoder = Annotated[str, typer.Option("--ehr-encoder")]
Fusion = Annotated[str, typer.Option("--fusion", help="lemof, its modules alone, or a rival.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="Random seed.")]
Preset = StrEnum("Preset", [(name, name) for name in PRESETS])  # type: ignore[misc]
Fitting = StrEnum("Fitting", [(name, name) for name in FITTINGS])  # type: ignore[misc]
Arm = StrEnum("Arm", [(name, name) for name in ARMS])  # type: ignore[misc]
OneArm = Annotated[Arm, typer.Option("--arm", help="What fuses reads frozen encoders, or its own that learn on.")]
PresetName = Annotated[Preset, typer.Option("--preset", help="robust, or the paper taken literally.")]
OneFitting = Annotated[Fitting, typer.Option("--fitting", help="oof5 is what is reported.")]
TableFormat = StrEnum("TableFormat", [(name, name) for name in ("parquet", "csv")])  # type: ignore[misc]
EcgLink = StrEnum("EcgLink", [(name, name) for name in ("last", "first")])  # type: ignore[misc]
Split = StrEnum("Split", [(name, name) for name in SHARES])  # type: ignore[misc]
Planted = StrEnum("Planted", [(name, name) for name in ("low", "mid", "high", "none")])  # type: ignore[misc]
Missing = StrEnum("Missing", [(name, name) for name in ("mcar", "informative")])  # type: ignore[misc]
