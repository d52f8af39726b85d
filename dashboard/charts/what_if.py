"""How each level's part of the log-odds changed in, horizontal bars out: blue lowers, vermilion raises."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from dashboard.charts.theme import LOWERS, RAISES, laid_out
from dashboard.charts.waterfall import port_label
from dashboard.wording import signed

ROW_PX = 20


def what_if_figure(moved: Mapping[str, float]) -> go.Figure:
    """Return the bars, one a port, in the order given; they sum to the whole change."""
    values = list(moved.values())
    reach = max((abs(value) for value in values), default=0.0) or 0.01
    bars = {
        "type": "bar", "orientation": "h", "width": 0.6, "x": [round(value, 4) for value in values],
        "y": list(range(len(values))), "text": [signed(value) for value in values], "textposition": "outside",
        "cliponaxis": False, "textfont": {"size": 11}, "hoverinfo": "skip",
        "marker": {"color": [RAISES if value > 0 else LOWERS for value in values]},
    }  # fmt: skip
    axis = {
        "tickvals": list(range(len(values))), "ticktext": [port_label(port) for port in moved],
        "range": [len(values) - 0.5, -0.5], "fixedrange": True, "showgrid": False,
    }  # fmt: skip
    figure = laid_out(go.Figure({"data": [bars], "layout": {"yaxis": axis}}), height=len(values) * ROW_PX + 44)
    figure.update_layout(margin={"l": 160, "r": 40, "t": 4, "b": 36}, dragmode=False)
    title = "Change of the log-odds"
    return figure.update_xaxes(range=[-1.3 * reach, 1.3 * reach], fixedrange=True, title=title, zeroline=True)
