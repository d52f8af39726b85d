"""A measure of some groups in, one dot with its interval for each out, the largest gap between two as a bar."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, RAISES, laid_out

ROW_PX = 24


def group_dots(table: pd.DataFrame, extremes: tuple[str, str] | None, *, clear: bool) -> go.Figure:
    """First group on top; a group without a value keeps its line.

    Args:
        table: indexed by group: value, lo, hi (NaN where absent), k, n; extremes: the groups of the largest gap;
        clear: whether it is larger than chance gives, and drawn in the warm tone.
    """
    names = [str(name) for name in table.index]
    known = table[table["value"].notna()]
    figure = go.Figure()
    if extremes is not None:
        ends = [float(table.loc[name, "value"]) for name in extremes]
        figure.add_vrect(*sorted(ends), fillcolor=RAISES if clear else CONTEXT, opacity=0.16, line_width=0)
    figure.add_trace(
        go.Scatter(
            x=known["value"],
            y=[names.index(str(name)) for name in known.index],
            error_x={
                "type": "data",
                "array": known["hi"] - known["value"],
                "arrayminus": known["value"] - known["lo"],
                "color": ACCENT,
                "thickness": 1.5,
                "width": 0,
            },
            text=[str(name) for name in known.index],
            customdata=known[["lo", "hi", "k", "n"]],
            mode="markers",
            marker={"color": ACCENT, "size": 8},
            hovertemplate="%{text}: %{x:.2f} [%{customdata[0]:.2f}–%{customdata[1]:.2f}], "
            "%{customdata[2]:,} of %{customdata[3]:,}<extra></extra>",
        )
    )
    figure = laid_out(figure, height=ROW_PX * len(names) + 44, margin={"l": 8, "r": 8, "t": 4, "b": 28})
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=names,
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        automargin=True,
    )
    figure.update_xaxes(nticks=5)
    return figure
