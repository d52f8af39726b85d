"""`lemof benchmark sensitivity`: the same raw folders ingested with other landmarks and cuts, LeMoF measured on each.

The paper names neither. Each pair of them is a cohort and a store of its own, below `benchmark/sensitivity` beside the
user's store.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cohort_db.cohort import CohortRules
from cohort_db.errors import InputMistake
from cohort_db.store import Store, open_store
from lemof_core.benchmark.cells import table_cells, table_commands, whole_cells
from lemof_core.jobs.benchmark import loaded, measured, refuse_unknown
from lemof_core.jobs.benchmark_files import Part, write_table
from lemof_core.jobs.ingest import ingest
from lemof_core.jobs.progress import Report, quiet

T0_HOURS = (12.0, 24.0, 48.0)
CUT_DAYS = (2.0, 3.0, 5.0, 7.0)
LEAST_BEYOND_H = 24.0  # a cut closer to the landmark asks for what is nearly known


def sensitivity(
    store: Store,
    ehr: Path,
    ecg: Path | None,
    *,
    t0_hours: Sequence[float] = T0_HOURS,
    cut_days: Sequence[float] = CUT_DAYS,
    arms: Sequence[str] = ("frozen",),
    fitting: str = "oof5",
    seeds: Sequence[int] = (0,),
    pairs: Sequence[tuple[str, str]] | None = None,
    out: Path | None = None,
    progress: Report = quiet,
) -> dict[str, Any]:
    """Measure LeMoF beside plain rivals for every landmark and every cut at least 24 h after it.

    The files of the table are left in `out`. The user's store is not changed. What is ingested or measured already is
    not done again. Raises InputMistake where no cut lies far enough from a landmark.
    """
    refuse_unknown(pairs)
    wanted = [(t0, cut) for t0, cut in product(t0_hours, cut_days) if 24 * cut - t0 >= LEAST_BEYOND_H]
    if not wanted:
        raise InputMistake(
            f"a cut must lie at least {LEAST_BEYOND_H:g} h beyond its landmark, however: landmarks {list(t0_hours)} h, "
            f"cuts {list(cut_days)} days"
        )
    cells = table_cells("sensitivity", arms=arms, fitting=fitting, seeds=seeds, pairs=pairs)
    folder = store.folder / "benchmark" / "sensitivity"
    # The table's own folder holds whatever was ever measured for it, not this command's cohorts alone.
    every = {_name(*one): one for one in wanted}
    if out is None:
        every = _measured_before(folder) | every
    parts: list[Part] = []
    n_measured = 0
    for done, (t0, cut) in enumerate(sorted(every.values())):
        asked, home = cells if (t0, cut) in wanted else [], folder / _name(t0, cut)
        home.mkdir(parents=True, exist_ok=True)
        with closing(open_store(f"sqlite:///{home / 'cohort.db'}", create=True)) as other:
            if asked:
                ingest(other, ehr, ecg, rules=CohortRules(t0_hours=t0, cut_days=cut), progress=progress)
            cohort, files, new = measured(other, asked, progress)
            n_measured += new
            everybody = {home.name.replace("-", " "): np.ones(len(cohort.splits["test"]), dtype=bool)}
            shown = asked if out else sorted({*asked, *whole_cells("sensitivity", files.known())})
            if shown:
                parts.append(Part.of(other, cohort, {cell: loaded(files, cell) for cell in shown}, everybody))
        progress("landmarks and cuts", done + 1, len(every))
    options = ["--ehr DIR --ecg DIR", *(f"--t0-hours {t0:g}" for t0 in sorted({t0 for t0, _ in every.values()}))]
    options += [f"--cut-days {cut:g}" for cut in sorted({cut for _, cut in every.values()})]
    there = {cell for part in parts for cell in part.outcomes}
    command = " && ".join(table_commands("sensitivity", there, options))
    n_results = write_table(parts, command, out or folder, progress)
    return {
        "table": "sensitivity",
        "cells": sum(len(part.outcomes) for part in parts),
        "measured": n_measured,
        "results": n_results,
        "out": str(out or folder),
    }


def _name(t0: float, cut: float) -> str:
    """Return the folder of a landmark (hours) and a cut (days)."""
    return f"t0={t0:g}-cut={24 * cut:g}"


def _measured_before(folder: Path) -> dict[str, tuple[float, float]]:
    """Return name -> landmark (hours) and cut (days) of the cohorts that have cells here."""
    found = {}
    for home in folder.glob("t0=*-cut=*"):
        if any((home / "benchmark" / "cells").glob("*.npz")):
            t0, cut = (float(part.partition("=")[2]) for part in home.name.split("-"))
            found[home.name] = (t0, cut / 24)
    return found
