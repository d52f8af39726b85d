"""The steps of one prediction in, the waterfall from the model's mean to this patient out.

Steps are the ports' Owen values (`branch_phi`), or what the raw modalities did alone and together (`input_phi`).
"""

from __future__ import annotations

import html
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.theme import ACCENT, CONTEXT, LOWERS, RAISES, laid_out
from dashboard.wording import signed

Scale = Literal["log-odds", "probability"]
ROW_PX = 17
_LEVELS = {"1": "low", "2": "mid", "3": "high"}
_MODALITY = {"ecg": "ECG", "ehr": "Health record"}
_ONE_ROW = {"Health record": "Record"}  # beside a bracket of one row there is no room for two lines
_WHOLE = {"ecg": "ECG", "ehr": "Health record", "joint": "Both together", "cross": "Cross-modal branch"}


def port_label(port: str) -> str:
    """Return "ECG, high level" for ecg_3; "ECG" for the whole of it."""
    if port in _WHOLE:
        return _WHOLE[port]
    modality, level = port.split("_")
    return f"{_MODALITY[modality]}, {_LEVELS[level]} level"


def steps(branches: pd.DataFrame, scale: Scale) -> dict[str, float]:
    """Return port -> its value on the scale, in the order drawn."""
    column = "phi_logit" if scale == "log-odds" else "phi_prob"
    return dict(zip(branches["port"], branches[column].astype(float), strict=True))


def sum_in_words(base: float, parts: dict[str, float], total: float) -> str:
    """Return the sum as it can be checked by hand: base, one term per modality and for what is of both, total."""
    groups: dict[str, float] = {}
    for port, value in parts.items():
        name = _MODALITY.get(port.split("_")[0], _short(port))
        groups[name] = groups.get(name, 0.0) + value
    terms = " ".join(f"{'−' if value < 0 else '+'} {abs(value):.3f} ({name})" for name, value in groups.items())
    return f"{_minus(f'{base:.3f}')} {terms} = {_minus(f'{total:.3f}')}"


def _minus(number: str) -> str:
    return number.replace("-", "−")


def waterfall(
    branches: pd.DataFrame,
    *,
    base: float,
    total: float,
    scale: Scale,
    base_name: str = "Model's mean",
    ends: tuple[float, float] | None = None,
) -> go.Figure:
    """Return horizontal steps from `base` to `total`; modalities are bracketed at the left.

    Args:
        branches: port, phi_logit, phi_prob in drawing order, as `read_results.branch_values` gives them; se (one
            standard error, NaN where unknown) where steps have one.
        base, total: v(empty) and F(x) on `scale`; the steps lie between them. base_name: whose mean the base is.
        ends: of the axis, where it is shared with another waterfall; else those of `reach`.
    """
    values = steps(branches, scale)
    ports = list(values)
    texts = [_step(values[port]) for port in ports]
    if "se" in branches:  # no more digits than the error leaves
        texts = [
            signed(values[port]) + ("" if error != error else f" ± {error:.2f}")
            for port, error in zip(ports, branches["se"], strict=True)
        ]
    n = len(ports) + 2
    starts = _starts(base, values)
    low, high = ends or reach(branches, base=base, total=total, scale=scale)
    pad = (0.5 if "se" in branches else 0.25) * (high - low or 0.1)  # room for the numbers, on a phone too
    bars = {
        "type": "bar", "orientation": "h", "width": 0.62, "base": [round(start, 4) for start in starts],
        "x": [round(values[port], 4) for port in ports], "y": list(range(1, n - 1)),
        "marker": {"color": [RAISES if values[port] > 0 else LOWERS for port in ports]},
        "text": texts, "textposition": "outside", "cliponaxis": False,
        "textfont": {"size": 11}, "constraintext": "none",
        "hovertext": [f"{port_label(port)}: {_step(values[port])} {scale}" for port in ports], "hoverinfo": "text",
    }  # fmt: skip
    base_and_total = {
        "type": "scatter", "mode": "markers+text", "x": [round(base, 4), round(total, 4)], "y": [0, n - 1],
        "marker": {"symbol": "line-ns", "size": 12, "line": {"width": 3, "color": [CONTEXT, ACCENT]}},
        "text": [f"  {_shown(base, scale)}", f"  <b>{_shown(total, scale)}</b>"], "textposition": "middle right",
        "hoverinfo": "skip", "cliponaxis": False,
    }  # fmt: skip
    names = [html.escape(base_name), *(_short(port) for port in ports), "<b>This patient</b>"]
    axis = {"tickvals": list(range(n)), "ticktext": names, "range": [n - 0.4, -0.6], "showgrid": False}
    figure = go.Figure({"data": [bars, base_and_total], "layout": {"yaxis": axis, "shapes": _joints(base, values)}})
    laid_out(figure, height=n * ROW_PX + 6, uirevision=scale)
    margin = {"l": 142 if _groups(ports) else 92, "r": 40, "t": 2, "b": 4}
    figure.update_layout(margin=margin, annotations=_brackets(ports, n), dragmode=False)
    # Every step and both ends carry their number: an axis would say it again.
    figure.update_xaxes(range=[low - pad, high + pad], fixedrange=True, showticklabels=False, ticks="")
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(fixedrange=True, tickfont={"size": 11.5})
    for shape in _bracket_lines(ports):
        figure.add_shape(shape)
    return figure


def reach(branches: pd.DataFrame, *, base: float, total: float, scale: Scale) -> tuple[float, float]:
    """The least and the greatest value that the steps pass through."""
    values = steps(branches, scale)
    after = [start + value for start, value in zip(_starts(base, values), values.values(), strict=True)]
    return min(base, total, *after), max(base, total, *after)


def _starts(base: float, values: dict[str, float]) -> list[float]:
    """Where each step starts: the sum of the base and all steps before."""
    out, at = [], base
    for value in values.values():
        out.append(at)
        at += value
    return out


def _short(port: str) -> str:
    words = {"cross": "cross-modal", "joint": "together"}
    return words.get(port) or _WHOLE.get(port) or f"{_LEVELS[port.split('_')[1]]} level"


def _shown(value: float, scale: Scale) -> str:
    return f"{value:.2f}" if scale == "probability" else signed(value)


def _step(value: float) -> str:
    return _minus(f"{value:+.3f}")


def _joints(base: float, values: dict[str, float]) -> list[dict[str, object]]:
    """Return thin lines that carry each sum on to the next step."""
    out, at = [], base
    for place, value in enumerate([*values.values(), 0.0]):
        line = {"type": "line", "x0": at, "x1": at, "y0": place, "y1": place + 1, "layer": "below"}
        out.append(line | {"line": {"width": 1, "color": CONTEXT, "dash": "dot"}})
        at += value
    return out


def _groups(ports: list[str]) -> dict[str, tuple[int, int]]:
    """Return modality -> its first and last row."""
    found: dict[str, tuple[int, int]] = {}
    for row, port in enumerate(ports, start=1):
        if port not in _WHOLE:
            name = _MODALITY[port.split("_")[0]]
            found[name] = (found.get(name, (row, row))[0], row)
    return found


def _bracket_lines(ports: list[str]) -> list[dict[str, object]]:
    common = {"type": "line", "xref": "paper", "xsizemode": "pixel", "xanchor": 0, "x0": -78, "x1": -78, "yref": "y"}
    return [
        common | {"y0": first - 0.4, "y1": last + 0.4, "line": {"width": 2, "color": CONTEXT}}
        for first, last in _groups(ports).values()
    ]


def _brackets(ports: list[str], n: int) -> list[dict[str, object]]:
    return [
        {
            "xref": "paper", "x": 0, "xshift": -84, "xanchor": "right", "yref": "y", "y": (first + last) / 2,
            "text": name.replace(" ", "<br>") if last > first else _ONE_ROW.get(name, name),
            "showarrow": False, "align": "right", "yanchor": "middle",
        }
        for name, (first, last) in _groups(ports).items()
    ]  # fmt: skip
