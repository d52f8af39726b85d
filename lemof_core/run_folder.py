"""Where a run's weights lie: beside the store, or shipped with the project."""

from __future__ import annotations

from pathlib import Path

from lemof_core.errors import ModelMistake

SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "runs"


def run_folder(folder: str, runs_folder: Path) -> Path:
    """Return the folder that a run's `folder` names: `shipped:NAME`, or a name below the store's runs folder.

    Raises ModelMistake where its weights are gone.
    """
    kind, _, name = folder.rpartition(":")
    found = (SHIPPED_FOLDER if kind == "shipped" else runs_folder) / name
    if not found.is_dir():
        raise ModelMistake(f"the weights of this run are missing ({found}); train again or restore the folder")
    return found
