"""A run among all stored runs in; how its level choice holds over seeds drawn, or what to run to see it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_levels
from dashboard.charts.seeds import seed_lines
from dashboard.level_seeds import (
    finding_over_seeds,
    same_recipe,
    seed_rows,
    seed_table,
    spread_over_seeds,
    train_commands,
)
from dashboard.level_tables import MODALITIES

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


def draw_seeds(url: str, revision: str, run: dict[str, Any], runs: pd.DataFrame) -> None:
    """Draw mean |phi| and k* of every stored run of the recipe, this one first.

    Args:
        runs: every run of the task.
    """
    found = same_recipe(runs, run)
    if found["seed"].nunique() < 2:
        _alone(run, len(found))
        return
    # This run is always among those shown.
    newest = found.sort_values("created_at", ascending=False)
    some = pd.concat([found[found["run_id"] == run["run_id"]], newest]).drop_duplicates("run_id")
    some = some.head(queries_levels.MOST_RUNS).sort_values(["seed", "created_at"], ignore_index=True)
    choices = queries_levels.choices_of(url, revision, tuple(some["run_id"]))
    rows = seed_rows(some, choices)
    st.subheader(finding_over_seeds(rows) or "No run of this recipe chose a level")
    for column, modality in zip(st.columns(2, gap="medium"), MODALITIES, strict=True):
        own = rows[rows["modality"] == modality]
        if own.empty:
            column.info(f"No run of this recipe weighs {MODALITIES[modality]} levels.")
            continue
        column.plotly_chart(
            seed_lines(own, run["run_id"], y_title=f"Mean |φ| (log-odds of G_{modality})"),
            key=f"chart-seeds-{modality}",
            alt=f"Mean |phi| of the three {MODALITIES[modality]} levels in {len(some)} runs; the table has the numbers",
            **PLAIN,
        )
    table = seed_table(some, choices)
    st.dataframe(table, hide_index=True, key="table-seeds", column_config=_columns(), height=35 * (len(table) + 1) + 3)
    left_out = f" The newest {len(some)} of {len(found)} runs are shown." if len(found) > len(some) else ""
    st.caption(
        "Runs with the same settings, label and numbers of patients in every split but test; only the seed differs. "
        "Line in the accent: this run; filled: k*. Mean |φ| over the rows that each run's G was fitted on. "
        f"{spread_over_seeds(rows)}{left_out}"
    )


def _alone(run: dict[str, Any], n: int) -> None:
    """Say that one seed cannot tell how the choice holds, and what to run."""
    st.subheader(f"Whether k* holds over seeds is not known: seed {run['seed']} alone is stored")
    why = (
        "The bootstrap above redraws the patients of the stack; it does not fit the encoders again, which another seed "
        "does. "
    )
    if run["shipped"]:
        seeds: tuple[int, ...] = (0, 1, 2)
        st.markdown(
            f"{why}This run was fitted elsewhere, on patients whom this store does not hold, so no run of this store "
            "can stand beside it. To see how its recipe behaves here, fit it on this store with several seeds:"
        )
    else:
        seeds = tuple(seed for seed in range(4) if seed != run["seed"])[:2]
        more = f"The {n} stored runs of this recipe have the same seed. " if n > 1 else ""
        st.markdown(f"{why}{more}Fit the same recipe with other seeds, and they stand here side by side:")
    st.code(train_commands(run, seeds), language=None)


def _columns() -> dict[str, Any]:
    column = st.column_config
    wide = {f"{name}: mean |φ| of levels 1 · 2 · 3": column.TextColumn(width=210) for name in MODALITIES.values()}
    return wide | {
        "Run": column.LinkColumn(display_text=r"run=(.+)", width=96, help="Opens the levels of that run in a new tab"),
        "Seed": column.NumberColumn(width=44, format="%d"),
        **{f"{name}: k*": column.TextColumn(width=190) for name in MODALITIES.values()},
    }
