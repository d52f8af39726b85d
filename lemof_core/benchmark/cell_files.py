"""Outcomes of cells on disk, one small file each: a benchmark that was stopped goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lemof_core.batch import CohortArrays
from lemof_core.benchmark.cells import CELL_FIELDS, VARIANTS, Cell
from lemof_core.benchmark.measure import Outcome
from lemof_core.fitting.level_files import source_digest

# All that a number hangs on: any of it changed, and a cell is measured anew.
_SOURCES = ("*.py", "encoders/*.py", "fusion/*.py", "fitting/*.py", "benchmark/measure.py")
_LIBRARIES = ("torch", "pytorch-tabnet", "scikit-learn")


class CellFiles:
    """The outcomes below a folder that were measured on this cohort and these splits, by the very code that is here."""

    def __init__(self, folder: Path, arrays: CohortArrays, splits: dict[str, np.ndarray]) -> None:
        self.folder = folder
        self._data = source_digest(_SOURCES, _LIBRARIES)
        for name in ("subject_ids", "ecg_uv", "ecg_present", "series", "static", "labels", "aux"):
            self._data.update(np.ascontiguousarray(getattr(arrays, name)).tobytes())
        names = (arrays.sample_ids, arrays.series_names, arrays.static_names, arrays.aux_names)
        self._data.update(json.dumps(names).encode())
        for name in sorted(splits):
            self._data.update(name.encode() + np.ascontiguousarray(splits[name], dtype=np.int64).tobytes())

    def path(self, cell: Cell) -> Path:
        """Return where the cell's outcome lies, or will."""
        digest = self._data.copy()
        digest.update(json.dumps([asdict(cell), cell.config().to_json()], sort_keys=True).encode())
        name = "-".join(part for part in (cell.ecg_encoder, cell.ehr_encoder, cell.fusion, cell.arm) if part)
        return self.folder / f"{name}-{digest.hexdigest()[:12]}.npz"

    def load(self, cell: Cell) -> Outcome | None:
        """Return the outcome; None where it was not measured yet."""
        path = self.path(cell)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as found:
            return Outcome(
                logit=found["logit"],
                threshold=found["threshold"],
                seconds=float(found["seconds"]),
                n_parameters=int(found["n_parameters"]),
                epochs=float(found["epochs"]),
                not_estimable=json.loads(str(found["not_estimable"])) if "not_estimable" in found else {},
            )

    def known(self) -> list[Cell]:
        """Return the cells whose outcomes lie here and still hold."""
        found = []
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as told:
                said = json.loads(str(told["cell"]))
            # An older program's cells may have other fields, and variants that there no longer are.
            if said.keys() != set(CELL_FIELDS) or said["variant"] not in ("", *VARIANTS):
                continue
            cell = Cell(**said)
            if self.path(cell) == path:
                found.append(cell)
        return found

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """The outcome can be loaded by the next run of any table that has the cell."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(cell)
        draft = path.with_suffix(".draft")
        with draft.open("wb") as file:
            np.savez(
                file,
                cell=json.dumps(asdict(cell)),
                logit=outcome.logit,
                threshold=outcome.threshold,
                seconds=outcome.seconds,
                n_parameters=outcome.n_parameters,
                epochs=outcome.epochs,
                not_estimable=json.dumps(outcome.not_estimable),
            )
        draft.replace(path)
