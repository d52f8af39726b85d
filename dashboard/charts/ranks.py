"""Ranks of the three levels by several ways in, one line a level over the ways out: lines that cross disagree."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import OKABE_ITO, laid_out


def rank_lines(ranks: pd.DataFrame, ways: dict[str, str]) -> go.Figure:
    """Rank 1 on top; each line is named at its right end, so there is no legend.

    Args:
        ranks: index the ways, columns the levels, 1 for the first; ways: their names, in the order drawn.
    """
    shown = [way for way in ways if way in ranks.index]
    names = [ways[way].replace(" ", "<br>", 1) for way in shown]
    figure = go.Figure()
    for color, level in zip(OKABE_ITO, ranks.columns, strict=False):
        y = ranks.loc[shown, level].tolist()
        figure.add_trace(
            go.Scatter(
                x=list(range(len(shown))),
                y=y,
                mode="lines+markers",
                line={"color": color, "width": 2},
                marker={"size": 10},
                text=names,
                hovertemplate=f"level {level}: rank %{{y}}<extra></extra>",
            )
        )
        if y:
            figure.add_annotation(
                x=len(shown) - 1, y=y[-1], text=f"level {level}", showarrow=False, xanchor="left", xshift=10
            )
    figure = laid_out(figure, height=210, margin={"l": 8, "r": 66, "t": 8, "b": 8}, dragmode=False)
    figure.update_xaxes(
        tickvals=list(range(len(shown))), ticktext=names, showgrid=False, range=[-0.3, len(shown) - 0.7], ticks=""
    )
    figure.update_yaxes(tickvals=[1, 2, 3], ticktext=["1st", "2nd", "3rd"], range=[3.4, 0.6], automargin=True)
    return figure
