"""A probability with its interval, base rate and threshold in, one slim scale from 0 to 1 as inline SVG out.

SVG and not Plotly: nothing to explore here, and it stands on the page at once. Its text takes the page's colour.
"""

from __future__ import annotations

import html

from dashboard.charts.theme import ACCENT, CONTEXT
from dashboard.wording import probability

WIDTH, HEIGHT = 400, 52
_LEFT, _RIGHT, _AXIS = 6, 394, 26


def risk_scale(
    p: float, low: float | None, high: float | None, *, base_rate: float | None, threshold: float | None
) -> str:
    """Return the SVG: interval as a bar, p as a tall tick, base rate and threshold as labelled marks."""
    parts = [f'<line x1="{_LEFT}" y1="{_AXIS}" x2="{_RIGHT}" y2="{_AXIS}" stroke="{CONTEXT}" stroke-width="1"/>']
    for tenth in range(0, 11, 5):
        x = _x(tenth / 10)
        parts.append(f'<line x1="{x}" y1="{_AXIS - 3}" x2="{x}" y2="{_AXIS + 3}" stroke="{CONTEXT}"/>')
    if low is not None and high is not None:
        parts.append(
            f'<rect data-testid="risk-interval" x="{_x(low)}" y="{_AXIS - 5}" width="{round(_x(high) - _x(low), 1)}" '
            f'height="10" fill="{ACCENT}" fill-opacity="0.28"/>'
        )
    parts += _labels(base_rate, threshold)
    x = _x(p)
    parts.append(
        f'<line data-testid="risk-mark" x1="{x}" y1="{_AXIS - 9}" x2="{x}" y2="{_AXIS + 9}" stroke="{ACCENT}" '
        f'stroke-width="4"/>'
    )
    told = html.escape(_told(p, low, high, base_rate, threshold))
    return (
        f'<svg class="risk-scale" role="img" aria-label="{told}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="xMinYMid meet">{"".join(parts)}</svg>'
    )


def _labels(base_rate: float | None, threshold: float | None) -> list[str]:
    """Return the marks: the base rate named below the scale, the threshold above it, so that they never collide."""
    parts = []
    for value, name, end, at in (
        (base_rate, "base rate", _AXIS + 11, HEIGHT - 3),
        (threshold, "threshold", _AXIS - 11, 11),
    ):
        if value is None:
            continue
        x = _x(value)
        anchor = "start" if value < 0.15 else "end" if value > 0.85 else "middle"
        parts.append(f'<line x1="{x}" y1="{_AXIS}" x2="{x}" y2="{end}" stroke="currentColor" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{x}" y="{at}" text-anchor="{anchor}" font-size="12" fill="currentColor">{name} '
            f"{probability(value)}</text>"
        )
    return parts


def _x(value: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * min(max(value, 0.0), 1.0), 1)


def _told(p: float, low: float | None, high: float | None, base_rate: float | None, threshold: float | None) -> str:
    """Return what the scale shows, for those who do not see it."""
    words = [f"Probability {probability(p)} on a scale from 0 to 1"]
    if low is not None and high is not None:
        words.append(f"90 % interval {probability(low)} to {probability(high)}")
    words += [] if base_rate is None else [f"base rate {probability(base_rate)}"]
    words += [] if threshold is None else [f"threshold {probability(threshold)}"]
    return ", ".join(words)
