"""Two numbers per row in, measured and printed, on a common axis out: a filled mark above an open one, with ranges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, RAISES, laid_out

ROW_PX = 34
_KEY = {
    "measured": f'<span style="color:{ACCENT}">■</span> measured',
    "printed": f'<span style="color:{CONTEXT}">○</span> printed',
}
_APART = 0.16  # of a row: how far the two marks stand from its middle


def beside(
    rows: pd.DataFrame, *, x_title: str, lines: dict[str, float] | None = None, ranks: int | None = None
) -> go.Figure:
    """One line per row, first row on top; a mark that has no number is left out.

    Args:
        rows: label, measured, measured_lo, measured_hi, printed, printed_lo, printed_hi (NaN where absent), text.
        lines: words -> value, a dotted line each, named at its top.
        ranks: how many there are, where ranks are shown: the axis has all of them; else its ends follow the numbers.
    """
    rows = rows.reset_index(drop=True)
    lines = lines or {}
    figure = go.Figure()
    marks = (("measured", ACCENT, "square", -_APART), ("printed", CONTEXT, "circle-open", _APART))
    for which, color, symbol, shift in marks:
        figure.add_trace(_marks(rows, which, color, symbol, shift))
    _name_lines(figure, lines)
    for index, row in rows.iterrows():
        figure.add_annotation(
            x=1, xref="paper", y=index, text=row["text"], showarrow=False, xanchor="left", xshift=8, align="left"
        )
    plot_px, names_px = ROW_PX * len(rows), 18 * bool(lines)
    margin = {"l": 8, "r": _text_px(rows), "t": 30 + names_px, "b": 52}
    figure = laid_out(figure, height=plot_px + margin["t"] + margin["b"], margin=margin)
    # A legend of Plotly's would break into two lines on a phone. The key stands above the names of the lines.
    at = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": names_px}
    key = "   ".join(sign for which, sign in _KEY.items() if rows[which].notna().any())
    figure.add_annotation(text=key, showarrow=False, **at)
    figure.update_yaxes(tickvals=list(rows.index), ticktext=rows["label"], range=[len(rows) - 0.5, -0.5])
    figure.update_yaxes(showgrid=False, automargin=True)
    figure.update_xaxes(title={"text": x_title, "standoff": 8})
    if ranks is not None:
        figure.update_xaxes(range=[0.5, ranks + 0.5], dtick=1)
    return figure


def _marks(rows: pd.DataFrame, which: str, color: str, symbol: str, shift: float) -> go.Scatter:
    """Return the marks of one column with their ranges, `shift` rows below the middle of their own."""
    known = rows[rows[which].notna()]
    low, high = (known[f"{which}_{end}"].fillna(known[which]) for end in ("lo", "hi"))
    return go.Scatter(
        x=known[which],
        y=known.index + shift,
        error_x={
            "type": "data",
            "array": high - known[which],
            "arrayminus": known[which] - low,
            "color": color,
            "thickness": 1.5,
            "width": 0,
        },
        mode="markers",
        marker={"color": color, "size": 9, "symbol": symbol, "line": {"width": 2, "color": color}},
        name=which,
        text=known["label"],
        customdata=np.column_stack([low, high]),
        hovertemplate="%{text}, " + which + " %{x:.3f}, %{customdata[0]:.3f} to %{customdata[1]:.3f}<extra></extra>",
    )


def _name_lines(figure: go.Figure, lines: dict[str, float]) -> None:
    """Draw a dotted line at each value, its words above it; the last stand outside, so that two close ones are read."""
    for words, value in lines.items():
        outside = value == max(lines.values())
        figure.add_vline(x=value, line={"color": RAISES, "width": 1, "dash": "dot"}, layer="below")
        figure.add_annotation(
            x=value,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=words,
            showarrow=False,
            xanchor="left" if outside else "right",
            xshift=3 if outside else -3,
        )


def _text_px(rows: pd.DataFrame) -> int:
    """Room for the longest text at the right; 6.6 px is the mean width of a character at 13 px."""
    return round(6.6 * rows["text"].str.len().max()) + 16 if len(rows) else 16
