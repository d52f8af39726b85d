"""How figures look: one accent, ink on paper, Okabe-Ito for categories, blue lowers and vermilion raises."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

ACCENT = "#0072B2"  # this patient, this model
RAISES = "#D55E00"  # a contribution that raises the probability; what needs attention
LOWERS = "#0072B2"  # a contribution that lowers it
CONTEXT = "#8A8F94"  # grey: cohort, background, grid labels; readable on light and dark
BAND = "rgba(138, 143, 148, 0.18)"  # reference bands and intervals
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#8A8F94")
SEQUENTIAL = "Cividis"


def laid_out(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """Return the figure with the house layout: transparent, tight, sentence case, no legend unless asked.

    Text takes the colour of the page (Streamlit's theme), so the same figure serves light and dark.
    """
    figure.update_layout(
        height=height,
        margin={"l": 48, "r": 16, "t": 8, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hoverlabel={"namelength": -1},
        font={"family": "Source Sans, Source Sans Pro, sans-serif", "size": 13},
    )
    figure.update_xaxes(gridcolor="rgba(138,143,148,0.22)", zeroline=False, ticks="outside", tickcolor=CONTEXT)
    figure.update_yaxes(gridcolor="rgba(138,143,148,0.22)", zeroline=False)
    figure.update_layout(**layout)
    return figure
