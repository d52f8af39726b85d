"""The store in; the measured tables there are, shipped or its own, and what of them is chosen to be looked at, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from cohort_db.errors import InputMistake
from dashboard import measured
from dashboard.measured import TABLES, Measured, read_measured, signature
from dashboard.method_scores import Choice
from dashboard.method_words import PRESETS, arm_label
from dashboard.session import the_store

URL: dict[str, Any] = {"bind": "query-params"}
OWN, SHIPPED = "This store's own", "Came with the project"
_FITTINGS = ("oof5", "holdout", "naive")


@dataclass(frozen=True)
class Grid:
    """The tables of one origin.

    Attributes:
        tables: name -> what was measured; broken: a sentence for every table that cannot be read.
    """

    origin: str
    tables: dict[str, Measured]
    broken: tuple[str, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any of it is of synthetic patients."""
        return any(one.about.synthetic for one in self.tables.values())

    @property
    def surrogate(self) -> bool:
        """Whether any of it was measured on other people's ECGs."""
        return any(one.about.surrogate_ecg for one in self.tables.values())


def grids() -> list[Grid]:
    """The origins that hold anything, the store's own first."""
    folders = {OWN: the_store().folder / "benchmark", SHIPPED: measured.SHIPPED}
    found = [_grid(origin, folder) for origin, folder in folders.items()]
    return [grid for grid in found if grid.tables or grid.broken]


def _grid(origin: str, folder: Path) -> Grid:
    tables, broken = {}, []
    for name in TABLES:
        try:
            one = _read(str(folder / name), signature(folder / name))
        except InputMistake as mistake:
            broken.append(f"{mistake}.")
        else:
            if one is not None:
                tables[name] = one
    return Grid(origin, tables, tuple(broken))


@st.cache_data(max_entries=16, show_spinner=False)
def _read(folder: str, state: tuple[tuple[str, int, int], ...]) -> Measured | None:
    return read_measured(Path(folder))


def choose_grid(found: list[Grid]) -> Grid:
    """The origin that is looked at; asked for only where there are two."""
    if len(found) == 1:
        return found[0]
    names = [grid.origin for grid in found]
    name = st.segmented_control("Measured", names, default=names[0], key="grid", required=True, **URL)
    return next((grid for grid in found if grid.origin == name), found[0])


def choose(results: pd.DataFrame) -> Choice:
    """Arm, fitting and preset that are looked at; each is asked for only where there are several."""
    arm = _one_of("Arm", "arm", _known(results["arm"], ("frozen", "finetuned")), words=True)
    left = results[results["arm"] == arm] if arm else results  # not every arm is measured by every fitting
    fitting = _one_of("Fitting", "fit", _known(left["fitting"], _FITTINGS))
    own = left[(left["fusion"] == "lemof") & (left["fitting"] == fitting)]  # nor every preset in both
    return Choice(
        arm=arm, fitting=fitting, preset=_one_of("In LeMoF's place", "preset", _known(own["variant"], PRESETS))
    )


def _known(values: pd.Series, order: tuple[str, ...]) -> list[str]:
    """The values that occur, those of the order first, without the empty one."""
    there = [value for value in dict.fromkeys(values) if value]
    return sorted(there, key=lambda value: order.index(value) if value in order else len(order))


def _one_of(label: str, key: str, options: list[str], *, words: bool = False) -> str:
    if len(options) < 2:
        return options[0] if options else ""
    chosen = st.segmented_control(
        label,
        options,
        format_func=arm_label if words else str,
        default=options[0],
        key=key,
        required=True,
        **URL,
    )
    return str(chosen or options[0])
