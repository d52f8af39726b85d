"""Values and a chosen range in, a small histogram as SVG out, the chosen part in the accent colour."""

from __future__ import annotations

import html

import numpy as np

from dashboard.charts.theme import ACCENT, CONTEXT

_WIDTH, _HEIGHT = 240, 36


def range_histogram(values: np.ndarray, low: float, high: float, chosen: tuple[float, float], *, what: str) -> str:
    """An SVG as wide as its column: bars over [low, high], those within `chosen` in the accent colour.

    Args:
        values: (N,), NaN for absent; what: the quantity in words, for the text alternative.
    """
    known = values[np.isfinite(values)]
    counts, edges = np.histogram(known, bins=24, range=(low, high))
    top, step = max(int(counts.max()), 1), _WIDTH / len(counts)
    bars = []
    for index, count in enumerate(counts):
        middle = (edges[index] + edges[index + 1]) / 2
        color = ACCENT if chosen[0] <= middle <= chosen[1] else CONTEXT
        tall = _HEIGHT * int(count) / top
        bars.append(
            f'<rect x="{index * step:.1f}" y="{_HEIGHT - tall:.1f}" width="{step - 1:.1f}" height="{tall:.1f}" '
            f'fill="{color}"/>'
        )
    alt = html.escape(f"Histogram of {what}, n = {len(known)}", quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{alt}" '
        f'style="width:100%;height:{_HEIGHT}px;display:block">{"".join(bars)}</svg>'
    )
