"""Means of selection_phi by group and level in, three aligned columns of dots with intervals out: one row a group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.beeswarm import LEVEL_NAMES
from dashboard.charts.theme import ACCENT, CONTEXT, LOWERS, RAISES, laid_out

ROW_PX = 24


def level_forest(rows: pd.DataFrame, *, x_title: str, signs: bool) -> go.Figure:
    """One line per group, first group on top; one column per level on one scale; no dot where n was too small.

    The dotted line is the mean of the first group, which is all stays.
    Args:
        rows: group, n, level, value, lo, hi (NaN where absent), first.
        signs: colour by direction, where the interval is clear of 0; else the largest mean of its group stands out.
    """
    groups = rows.drop_duplicates("group")
    at = {name: number for number, name in enumerate(groups["group"])}
    figure = make_subplots(
        rows=1, cols=len(LEVEL_NAMES), shared_yaxes=True, horizontal_spacing=0.05,
        subplot_titles=[f"Level {level}" for level in LEVEL_NAMES],
    )  # fmt: skip
    for column, level in enumerate(LEVEL_NAMES, 1):
        own = rows[(rows["level"] == level) & rows["value"].notna()]
        for color, some in own.groupby(_colours(own, signs=signs), sort=True):
            figure.add_trace(_dots(some, at, str(color)), row=1, col=column)
        everybody = rows[(rows["level"] == level) & (rows["group"] == rows["group"].iloc[0])]["value"]
        for value, dash in ((float(everybody.iloc[0]), "dot"), (0.0, "solid")):
            if not np.isnan(value) and (signs or dash == "dot"):
                line = {"color": CONTEXT, "width": 1, "dash": dash}
                figure.add_vline(x=value, line=line, layer="below", row=1, col=column)
    figure = laid_out(
        figure, height=ROW_PX * len(groups) + 88, margin={"l": 8, "r": 8, "t": 28, "b": 52}, dragmode=False
    )
    figure.update_annotations(font={"size": 13})
    names = [f"{one.group}, n = {one.n:,}" for one in groups.itertuples()]
    figure.update_yaxes(
        tickvals=list(at.values()), ticktext=names, range=[len(groups) - 0.4, -0.6], showgrid=False, automargin=True
    )
    ends = _range(rows, signs=signs)
    figure.update_xaxes(range=ends, tickvals=_ticks(*ends) if ends else None, tickangle=0)
    figure.update_xaxes(title={"text": x_title, "standoff": 8}, col=2)
    return figure


def _dots(some: pd.DataFrame, at: dict[str, int], color: str) -> go.Scatter:
    return go.Scatter(
        x=some["value"],
        y=some["group"].map(at),
        error_x={
            "type": "data",
            "array": some["hi"] - some["value"],
            "arrayminus": some["value"] - some["lo"],
            "color": color,
            "thickness": 1.5,
            "width": 0,
        },
        customdata=some[["group", "n", "lo", "hi"]].astype(object).to_numpy().tolist(),
        mode="markers",
        marker={"color": color, "size": 7, "symbol": "square"},
        hovertemplate="%{customdata[0]}: %{x:.3f} [%{customdata[2]:.3f} to %{customdata[3]:.3f}], "
        "n = %{customdata[1]:,}<extra></extra>",
    )


def _colours(own: pd.DataFrame, *, signs: bool) -> np.ndarray:
    """The colour (N,) of each dot."""
    if signs:
        return np.select([own["hi"] < 0, own["lo"] > 0], [LOWERS, RAISES], CONTEXT)
    return np.where(own["first"], ACCENT, CONTEXT)


def _ticks(low: float, high: float) -> list[float]:
    """Two or three round numbers within the range: a narrow column has room for no more, and needs as many."""
    for step in (digit * 10.0**power for power in range(3, -7, -1) for digit in (5, 2, 1)):
        found = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        if len(found) >= 2:
            return [float(value) for value in found[:: 1 if len(found) < 4 else 2].round(9)]
    return []


def _range(rows: pd.DataFrame, *, signs: bool) -> list[float] | None:
    """One scale for the three columns, with 0 on it where there is a direction; None where nothing is known."""
    ends = pd.concat([rows["lo"], rows["hi"]]).dropna().to_numpy(float)
    if len(ends) == 0:
        return None
    low, high = min(ends.min(), 0.0 if signs else np.inf), max(ends.max(), 0.0 if signs else -np.inf)
    room = 0.05 * max(high - low, 1e-6)
    return [float(low - room), float(high + room)]
