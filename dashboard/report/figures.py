"""Outcomes, probabilities and estimates in, the figures of a report out, as SVG: vectors, with their text as text.

Drawn by Matplotlib, not by the pages' Plotly, because making a static picture of a Plotly figure takes a browser.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from threading import Lock
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from dashboard.charts.theme import ACCENT, CONTEXT, RAISES
from lemof_core.evaluation.calibration import calibration_groups
from lemof_core.evaluation.net_benefit import net_benefit

INK = "#010203"  # stands for the reader's own ink: the formats replace it
_FONT = "DejaVu Sans"  # comes with Matplotlib, so a PDF can hold it on any machine
_SQUARE = (3.3, 2.9)  # inches
_CUTS = np.arange(1, 100) / 100
_MOST_POINTS = 400  # of one curve: more are not seen and only weigh
_STYLE: dict[Any, Any] = {
    "font.family": _FONT,
    "font.size": 8,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": CONTEXT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": CONTEXT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "xtick.color": CONTEXT,
    "ytick.color": CONTEXT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.6,
}
# Matplotlib keeps its settings for the whole process, and a server draws in several threads.
_one_at_a_time = Lock()


def roc(y: np.ndarray, p: np.ndarray, alarm: np.ndarray) -> str:
    """Sensitivity against 1 - specificity; the mark is the alarms (N,), the dotted diagonal a coin."""
    false_rate, true_rate, _ = roc_curve(y, p)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], ":", color=CONTEXT, linewidth=1)
        axes.plot(*_thinned(false_rate, true_rate), color=ACCENT)
        _mark(axes, float(alarm[y == 0].mean()), float(alarm[y == 1].mean()))
        _unit_square(axes, "1 − specificity", "Sensitivity")

    return _svg("roc", _SQUARE, draw)


def precision_recall(y: np.ndarray, p: np.ndarray, alarm: np.ndarray) -> str:
    """PPV against sensitivity; the mark is the alarms, the dotted line the share of long stays: chance."""
    precision, recall, _ = precision_recall_curve(y, p)

    def draw(axes: Axes) -> None:
        axes.axhline(float(y.mean()), linestyle=":", color=CONTEXT, linewidth=1)
        axes.plot(*_thinned(recall, precision), color=ACCENT)
        if alarm.any():
            _mark(axes, float(alarm[y == 1].mean()), float(y[alarm].mean()))
        _unit_square(axes, "Sensitivity", "PPV")

    return _svg("pr", _SQUARE, draw)


def calibration(y: np.ndarray, p: np.ndarray) -> str:
    """Observed share against predicted, groups of equal size with 95 % Wilson intervals; the diagonal is ideal."""
    groups = calibration_groups(y, p)
    predicted, observed, low, high = groups[["predicted", "observed", "lo", "hi"]].to_numpy(float).T

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], ":", color=CONTEXT, linewidth=1)
        axes.errorbar(
            predicted,
            observed,
            yerr=[observed - low, high - observed],
            fmt="o",
            color=ACCENT,
            ecolor=CONTEXT,
            markersize=4,
        )
        _unit_square(axes, "Predicted", "Observed")

    return _svg("calibration", _SQUARE, draw)


def decision(y: np.ndarray, p: np.ndarray, thresholds: list[float]) -> str:
    """Net benefit against the threshold, beside acting on all and on nobody (Vickers and Elkin 2006)."""
    everybody, model = net_benefit(y, np.ones(len(y)), _CUTS), net_benefit(y, p, _CUTS)
    top = max(float(everybody[0]), float(model.max()), 0.05)

    def draw(axes: Axes) -> None:
        axes.plot(_CUTS, everybody, ":", color=CONTEXT, linewidth=1.2)
        axes.axhline(0, color=CONTEXT, linewidth=1)
        axes.plot(_CUTS, model, color=ACCENT)
        for threshold in thresholds:
            axes.axvline(threshold, color=RAISES, linewidth=1)
        where = int(np.argmin(np.abs(everybody + 0.16 * top)))
        axes.text(_CUTS[where] + 0.02, everybody[where], "all")
        axes.text(0.99, -0.03 * top, "none", ha="right", va="top")
        axes.set(xlabel="Threshold", ylabel="Net benefit", xlim=(0, 1), ylim=(-0.25 * top, 1.1 * top))

    return _svg("decision", _SQUARE, draw)


def forest(rows: pd.DataFrame, *, name: str, x_title: str, reference: float | None, overall: float | None) -> str:
    """One line per row: a square, its interval, and the number in words at the right; heads stand without a square.

    Args:
        rows: label, value, lo, hi (NaN: the text alone), text, head (bool: a title among the rows).
        reference: a value that means "nothing", solid; overall: the estimate for everybody, dotted.
    """
    rows = rows.reset_index(drop=True)
    known = rows[rows["value"].notna()]
    value, low, high = known[["value", "lo", "hi"]].to_numpy(float).T
    arms = np.nan_to_num([value - low, high - value])

    def draw(axes: Axes) -> None:
        for line, dash in ((reference, "-"), (overall, ":")):
            if line is not None:
                axes.axvline(line, linestyle=dash, color=CONTEXT, linewidth=1, zorder=0)
        axes.errorbar(value, known.index.to_numpy(), xerr=arms, fmt="s", color=ACCENT, markersize=4, elinewidth=1.3)
        axes.set_yticks(rows.index, rows["label"])
        for tick, head in zip(axes.get_yticklabels(), rows["head"], strict=True):
            tick.set_fontweight("bold" if head else "normal")
        for index, text in rows["text"].items():
            axes.text(1.02, float(str(index)), text, transform=axes.get_yaxis_transform(), va="center")
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(x_title)

    return _svg(name, (7.0, 0.21 * len(rows) + 0.75), draw)


def level_importance(choices: pd.DataFrame, names: dict[int, str]) -> str:
    """Mean |selection_phi| of each level, a bar each, ECG beside EHR; k* in the accent, with its frequency.

    Args:
        choices: modality, level, mean_abs_phi, frequency, is_k_star; names: level -> its name.
    """
    some = choices[choices["mean_abs_phi"].notna()].sort_values(["modality", "level"], ignore_index=True)
    of_levels = zip(some["modality"], some["level"], strict=True)
    labels = [f"{str(modality).upper()}, {names[int(level)].lower()}" for modality, level in of_levels]
    often = ["" if pd.isna(share) else f"k* in {100 * share:.0f} %" for share in some["frequency"]]

    def draw(axes: Axes) -> None:
        axes.barh(some.index, some["mean_abs_phi"], color=np.where(some["is_k_star"], ACCENT, CONTEXT), height=0.6)
        for index, text in enumerate(often):
            axes.text(1.02, index, text, transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(some.index, labels)
        axes.set_ylim(len(some) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("Mean |φ|, log-odds of the modality's stack")

    return _svg("levels", (7.0, 0.24 * len(some) + 0.75), draw)


def on_paper(svg: str) -> str:
    """The figure with dark ink on white, as it stands on its own: in a notebook, in a file."""
    return svg.replace(INK, "#1a1c1e").replace("<svg ", '<svg style="background: #ffffff" ', 1)


def _svg(name: str, inches: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """The drawn axes as one <svg> element without prolog, date or chance, its ids its own."""
    out = io.StringIO()
    with _one_at_a_time, mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=inches, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        draw(axes)
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Several figures stand in one document, and an id must be one of a kind there.
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", color=RAISES, markeredgecolor="white", markersize=6)


def _unit_square(axes: Axes, x_title: str, y_title: str) -> None:
    quarters = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlabel=x_title, ylabel=y_title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=quarters, yticks=quarters)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most _MOST_POINTS of a curve's points, its ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    return x[kept], y[kept]
