"""selection_phi of many stays in, one swarm per level out; each point carries its stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import CONTEXT, LOWERS, RAISES, laid_out

LEVEL_NAMES = {1: "Level 1, low", 2: "Level 2, mid", 3: "Level 3, high"}
MOST_POINTS = 400  # of one level: more cannot be told apart and make the browser slow
_BINS = 60
_HALF_HEIGHT = 0.42


def beeswarm(scores: pd.DataFrame, value: str, *, x_title: str, x_limit: float | None = None) -> go.Figure:
    """Level 1 below, level 3 on top, every point a stay: left lowers, right raises.

    Args:
        scores: stay_id, level, p_level (the level's own probability) and the column `value`, of one modality.
        x_limit: half the width of the axis, so that two swarms can share it.
    """
    parts = []
    for level in LEVEL_NAMES:
        some = scores[scores["level"] == level]
        some = some.iloc[_spread_over(len(some))]
        parts.append(some.assign(y=level + swarm_offsets(some[value].to_numpy(float))))
    shown = pd.concat(parts)
    figure = go.Figure(
        go.Scatter(
            x=shown[value],
            y=shown["y"],
            customdata=shown[["stay_id", "p_level", "level"]].astype(object).to_numpy().tolist(),
            mode="markers",
            marker={
                "size": 5,
                "opacity": 0.9,
                "color": np.select([shown[value] < 0, shown[value] > 0], [LOWERS, RAISES], CONTEXT).tolist(),
            },
            hovertemplate="stay %{customdata[0]}: %{x:+.3f}<br>level %{customdata[2]} says %{customdata[1]:.2f}"
            "<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": CONTEXT, "width": 1}, layer="below")
    figure = laid_out(figure, height=300, margin={"l": 8, "r": 8, "t": 8, "b": 40}, clickmode="event+select")
    ticks = list(LEVEL_NAMES)
    names = list(LEVEL_NAMES.values())
    figure.update_yaxes(tickvals=ticks, ticktext=names, range=[0.45, 3.55], showgrid=False, automargin=True)
    figure.update_xaxes(title=x_title, range=None if x_limit is None else [-x_limit, x_limit])
    return figure


def swarm_offsets(values: np.ndarray) -> np.ndarray:
    """Offsets (N,) within ±0.42 that stack points of similar value symmetrically about the line.

    The fullest bin takes the whole height; a point's offset depends on the values alone, never on chance.
    """
    if len(values) == 0:
        return np.empty(0)
    low, high = float(values.min()), float(values.max())
    bins = np.zeros(len(values), dtype=int)
    if high > low:
        bins = np.minimum(((values - low) / (high - low) * _BINS).astype(int), _BINS - 1)
    order = np.lexsort((values, bins))
    starts = np.r_[0, np.cumsum(np.bincount(bins, minlength=_BINS))[:-1]]
    rank = np.empty(len(values), dtype=int)
    rank[order] = np.arange(len(values)) - starts[bins[order]]
    steps = np.where(rank % 2 == 0, rank // 2, -(rank + 1) // 2)  # 0, -1, 1, -2, 2, ...
    return np.asarray(steps * _HALF_HEIGHT / max(np.abs(steps).max(), 6))


def _spread_over(n: int) -> np.ndarray:
    """At most MOST_POINTS of n positions, evenly spread."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_POINTS)).round().astype(int))
