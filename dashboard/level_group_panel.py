"""A population and its selection_phi in; what each level does by disease and outcome drawn, and counted in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import queries_levels
from dashboard.charts.level_forest import level_forest
from dashboard.level_groups import BY, SHOWN_AS, finding_by_group, group_rows, group_table, memberships
from dashboard.level_tables import MODALITIES, SCALES
from dashboard.plain_table import plain_table
from dashboard.session import stamp
from dashboard.wording import Definition
from lemof_core.evaluation.group_means import FEWEST

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
URL: dict[str, Any] = {"bind": "query-params", "required": True}


@st.fragment
def draw_groups(run_id: str, frame: pd.DataFrame, phi: pd.DataFrame, scale: str, defined: Definition) -> None:
    """The groups of the kind that is chosen stand as rows, the levels as columns, one chart a modality.

    The parameters in the URL are `phi_by` and `phi_as`.
    Args:
        frame: the predictions of a population; phi: their selection_phi (N, 6), in the same order.
    """
    st.subheader("By disease and outcome")
    with st.container(horizontal=True, gap="medium"):
        by = st.segmented_control(
            "Groups", list(BY), format_func=BY.__getitem__, default="disease", key="phi_by", **URL
        )  # fmt: skip
        shown_as = st.segmented_control(
            "Shown as", list(SHOWN_AS), format_func=SHOWN_AS.__getitem__, default="size", key="phi_as", **URL
        )  # fmt: skip
    by, shown_as = by or "disease", shown_as or "size"
    tables = {}
    for column, modality in zip(st.columns(2, gap="medium"), MODALITIES, strict=True):
        with column:
            tables[modality] = _one(run_id, frame, phi, scale, modality, (by, shown_as), defined)
    st.caption(_about(by, shown_as, defined))
    with st.expander("The numbers"):
        for modality, table in tables.items():
            if not table.empty:
                st.markdown(f"**{MODALITIES[modality]}, {SHOWN_AS[shown_as].lower()} ({SCALES[scale]})**")
                st.html(plain_table(table))


def _one(
    run_id: str,
    frame: pd.DataFrame,
    phi: pd.DataFrame,
    scale: str,
    modality: str,
    chosen: tuple[str, str],
    defined: Definition,
) -> pd.DataFrame:
    """Draw one modality; return its table, empty where nobody has the modality."""
    by, shown_as = chosen
    values = phi[[f"{modality}_{k}" for k in (1, 2, 3)]].to_numpy(float)
    known = ~np.isnan(values).any(1)
    if not known.any():
        st.info(f"No stay shown here was scored with its {MODALITIES[modality]} levels, so there is nothing to group.")
        return pd.DataFrame()
    some, values = frame[known], values[known]
    groups = memberships(some, by, defined)
    means = queries_levels.means_of_groups(
        (*stamp(), run_id, queries_levels.who(some), modality, scale, by, shown_as),
        values if shown_as == "direction" else np.abs(values),
        groups.to_numpy(bool),
        some["subject_id"].to_numpy(),
    )
    rows = group_rows(means, list(groups.columns))
    signs = shown_as == "direction"
    st.markdown(f"**{finding_by_group(means, modality, shown_as)}**")
    title = f"{'Mean φ' if signs else 'Mean |φ|'} ({SCALES[scale]} of G_{modality})"
    st.plotly_chart(
        level_forest(rows, x_title=title, signs=signs),
        key=f"chart-groups-{modality}",
        alt=f"{title} of the three levels in {len(groups.columns)} groups; the numbers stand below the charts",
        **PLAIN,
    )
    return group_table(rows, signs=signs)


def _about(by: str, shown_as: str, defined: Definition) -> str:
    """What the charts mean and what they cannot tell."""
    parts = []
    if by != "outcome":
        parts.append("Diseases are coded at discharge: retrospective, unknown at the prediction, and they overlap.")
    if by != "disease":
        parts.append(f"The outcome is known only after {defined.cut}; no model saw it.")
    parts.append(
        "Vermilion: the level raises G on average, blue: it lowers it, grey: the interval holds 0."
        if shown_as == "direction"
        else "Blue: the level that moves G most in its group. "
        "Clearly ahead: the paired interval of its lead over the next level is above 0."
    )
    return " ".join(parts) + (
        " Dotted: all stays. 95 % intervals by patient bootstrap, not adjusted for the number of groups and levels: of "
        f"twenty, one misses by chance. A group of fewer than {FEWEST} patients has no dot."
    )
