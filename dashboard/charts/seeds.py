"""Mean |phi| of each level in several runs in, one line a run over the levels out, this run in the accent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, laid_out

_HEIGHT = 240
_PLOT_PX = 184  # of it, between the margins
_LINE_PX = 14  # that a name needs for itself
_MOST_NAMES = 8


def seed_lines(rows: pd.DataFrame, run_id: str, *, y_title: str) -> go.Figure:
    """Lines over levels 1 to 3; k* of each run is filled, the other levels are open.

    Args:
        rows: run_id, seed, level, mean_abs_phi, frequency (NaN where not known), is_k_star, of one modality.
    """
    figure = go.Figure()
    for of_run, some in sorted(rows.groupby("run_id"), key=lambda one: one[0] == run_id):
        some = some.sort_values("level")
        color = ACCENT if of_run == run_id else CONTEXT
        told = [f"k* in {100 * f:.0f} % of refits" if f == f else "" for f in some["frequency"].to_numpy(float)]
        figure.add_trace(
            go.Scatter(
                x=some["level"],
                y=some["mean_abs_phi"],
                customdata=np.stack([some["seed"].astype(str), told], axis=1).tolist(),
                mode="lines+markers",
                line={"color": color, "width": 2 if of_run == run_id else 1},
                marker={
                    "size": 9,
                    "color": color,
                    "symbol": np.where(some["is_k_star"].astype(bool), "circle", "circle-open").tolist(),
                },
                hovertemplate="seed %{customdata[0]}, level %{x}: %{y:.3f}<br>%{customdata[1]}<extra></extra>",
            )
        )
    _name_ends(figure, rows)
    figure = laid_out(figure, height=_HEIGHT, margin={"l": 8, "r": 60, "t": 8, "b": 40}, dragmode=False)
    figure.update_xaxes(
        tickvals=[1, 2, 3], ticktext=["Level 1, low", "Level 2, mid", "Level 3, high"], range=[0.7, 3.3]
    )
    top = 1.08 * max(float(rows["mean_abs_phi"].max()), 1e-6)
    figure.update_yaxes(title=y_title, range=[-0.04 * top, top], automargin=True)
    return figure


def _name_ends(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Name each line at its right end, names pushed apart where lines end together; more than a few have no room."""
    ends = rows.sort_values("level").drop_duplicates("run_id", keep="last").sort_values("mean_abs_phi")
    if len(ends) > _MOST_NAMES:
        return
    per_px = max(float(rows["mean_abs_phi"].max()), 1e-6) / _PLOT_PX
    free = -np.inf
    for one in ends.itertuples():
        at = float(one.mean_abs_phi) / per_px
        free = max(at, free)
        figure.add_annotation(
            x=one.level, y=one.mean_abs_phi, text=f"seed {one.seed}", showarrow=False, xanchor="left", xshift=10,
            yshift=free - at, font={"color": CONTEXT},
        )  # fmt: skip
        free += _LINE_PX
