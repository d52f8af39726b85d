"""A long ECG in, one lead of all of it as a strip out, with the window that is read marked on it."""

from __future__ import annotations

import html

import numpy as np

from dashboard.charts.theme import ACCENT, CONTEXT

N_COLUMNS = 700
_HEIGHT = 64


def envelope(signal_mv: np.ndarray, n_columns: int = N_COLUMNS) -> np.ndarray:
    """Return (n, 2) lowest and highest sample of each of n equal parts, NaN where a part has none: no peak is lost."""
    edges = np.linspace(0, len(signal_mv), min(n_columns, len(signal_mv)) + 1).round().astype(int)[:-1]
    known = np.isfinite(signal_mv)
    lowest = np.minimum.reduceat(np.where(known, signal_mv, np.inf), edges)
    highest = np.maximum.reduceat(np.where(known, signal_mv, -np.inf), edges)
    empty = ~np.isfinite(lowest)
    return np.where(empty[:, None], np.nan, np.stack([lowest, highest], axis=1))


def ecg_strip(signal_mv: np.ndarray, fs: float, lead: str, window_s: tuple[float, float]) -> str:
    """Return SVG with its caption: the whole record (sig_len,) mV of one lead, the window shaded.

    Artefacts do not flatten the rest: the strip is as high as all but the extreme hundredth of its parts.
    """
    parts = envelope(signal_mv)
    seconds = len(signal_mv) / fs
    low, high = np.nanpercentile(parts[:, 0], 1), np.nanpercentile(parts[:, 1], 99)
    y = 4 + (high - np.clip(parts, low, high)) / max(high - low, 1e-6) * (_HEIGHT - 8)
    x = (np.arange(len(parts)) + 0.5) * 1000 / len(parts)
    path = "".join(
        f"M{at:.1f} {top:.1f}V{bottom:.1f}" for at, (bottom, top) in zip(x, y, strict=True) if np.isfinite(top)
    )
    left, right = (1000 * limit / seconds for limit in window_s)
    words = f"Lead {lead}, all {seconds:.1f} s; seconds {window_s[0]:.1f} to {window_s[1]:.1f} are read"
    return (
        f'<svg class="live-strip" data-testid="live-strip" viewBox="0 0 1000 {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{html.escape(words)}" width="100%" height="{_HEIGHT}">'
        f'<rect data-testid="live-strip-window" x="{left:.1f}" y="0" width="{right - left:.1f}" height="{_HEIGHT}" '
        f'fill="{ACCENT}" fill-opacity="0.28" stroke="{ACCENT}" vector-effect="non-scaling-stroke"/>'
        f'<path d="{path}" stroke="{CONTEXT}" stroke-width="1.2" fill="none" vector-effect="non-scaling-stroke"/></svg>'
        f'<div class="case-footnote">{html.escape(words)}</div>'
    )
