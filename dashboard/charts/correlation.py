"""Level predictions in, their correlation matrix as a small heat map out."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, laid_out

# One hue from paper to ink: its light end must not shout on either background.
_SCALE = [[0.0, "rgba(138, 143, 148, 0.12)"], [1.0, ACCENT]]
_DARK = 0.88  # of such cells the text is white, of lighter ones it is that of the page (results.css)


def correlation(levels: pd.DataFrame, names: list[str]) -> go.Figure:
    """Pearson correlation of the columns, written into each cell; dark cells say nearly the same.

    Args:
        levels: one column per level prediction, log-odds; names: what to call them, in the order of the columns.
    """
    matrix = levels.corr().to_numpy()
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=_SCALE,
            showscale=False,
            text=[[f"{value:.2f}".replace("-", "−") if value == value else "–" for value in row] for row in matrix],
            hovertemplate="%{y} with %{x}: %{text}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    # Written by hand: Plotly would choose the colour of a text in a cell as if the page were white.
    written = [
        {"x": column, "y": row, "text": figure.data[0].text[i][j], "showarrow": False}
        | ({"font": {"color": "white"}} if matrix[i, j] > _DARK else {})
        for i, row in enumerate(names)
        for j, column in enumerate(names)
    ]
    figure = laid_out(figure, height=300, margin={"l": 8, "r": 8, "t": 8, "b": 8}, annotations=written)
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True, ticks="")
    figure.update_xaxes(showgrid=False, side="bottom", automargin=True, ticks="")
    return figure
