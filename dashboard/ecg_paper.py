"""A 12-lead ECG in mV comes in; true-scale ECG paper goes out, and what its reader measured or clicked comes back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.ecg_payload import LEADS, Layout, ecg_payload

_ASSETS = Path(__file__).resolve().parents[1] / "assets"
_SCRIPTS = ("ecg_paper.js", "ecg_caliper.js")
# The leading newline: Streamlit takes a one-line js or css string for the path of a file.
_mount = st.components.v2.component(
    "lemof_ecg_paper",
    html='<div class="ecg-host"><button type="button" class="ecg-measure" aria-pressed="false">Measure</button>'
    '<div class="ecg-paper"></div><div class="ecg-live" aria-live="polite"></div></div>',
    css="\n" + (_ASSETS / "ecg_paper.css").read_text(encoding="utf-8"),
    js="\n" + "\n".join((_ASSETS / script).read_text(encoding="utf-8") for script in _SCRIPTS),
)


@dataclass(frozen=True)
class EcgPaperResult:
    """What the reader did on the paper; times in seconds from the first sample, None where nothing was done."""

    caliper: tuple[float, float, str] | None = None  # t0, t1, lead under the first caliper
    caliper_mv: float | None = None  # height of the caliper's bracket
    window: tuple[float, float] | None = None  # the highlighted or attention window clicked


def ecg_paper(
    ecg_mv: np.ndarray,
    fs: int,
    lead_names: Sequence[str],
    *,
    stay_id: int | str,
    run_id: str,
    key: str,
    layout: Layout = "3x4+II",
    speed: int = 25,
    gain: int = 10,
    saliency: np.ndarray | None = None,
    saliency_top: float = 0.10,
    highlight: tuple[float, float] | None = None,
    attention: np.ndarray | None = None,
    quality: Mapping[str, str] | None = None,
    caption: str = "",
    px_per_mm: float = 4.0,
) -> EcgPaperResult:
    """The paper stands on the page at true scale; the reader's caliper and clicked window come back.

    Arguments and errors are those of `ecg_payload`. What comes back was measured on this very record of this stay: the
    browser stamps it with the payload's identity. The stay is not in the widget's key, for Streamlit keeps a widget
    of another key on the page until the script ends, and two patients' ECGs would stand there together. `key` is
    letters, digits, - and _ alone.
    """
    payload = ecg_payload(
        ecg_mv,
        fs,
        lead_names,
        stay_id=stay_id,
        run_id=run_id,
        layout=layout,
        speed=speed,
        gain=gain,
        saliency=saliency,
        saliency_top=saliency_top,
        highlight=highlight,
        attention=attention,
        quality=quality,
        caption=caption,
        px_per_mm=px_per_mm,
    )
    stamp = hashlib.blake2b(payload["identity"].encode(), digest_size=8).hexdigest()
    # The browser draws a moment after the page around the paper is there: what is drawn of another record stays unseen.
    st.html(f"<style>.st-key-{key} [data-drawn]:not([data-drawn='{stamp}']) {{ visibility: hidden; }}</style>")
    state = _mount(
        key=key,
        data=payload | {"stamp": stamp},
        on_caliper_change=lambda: None,  # a state without a callback has no attribute in the result
        on_window_change=lambda: None,
    )
    return read_state(state.get("caliper"), state.get("window"), payload["identity"])


def read_state(caliper: Any, window: Any, identity: str) -> EcgPaperResult:
    """What the browser sent is a result, with None where it is no measurement of the record of this identity."""
    span = _span(window, identity)
    measured = _span(caliper, identity)
    if measured is None or caliper.get("lead") not in LEADS:
        return EcgPaperResult(window=span)
    return EcgPaperResult((*measured, caliper["lead"]), _finite(caliper.get("mv")), span)


def _span(state: Any, identity: str) -> tuple[float, float] | None:
    if not isinstance(state, Mapping) or state.get("of") != identity:
        return None
    t0, t1 = (_finite(state.get(name)) for name in ("t0", "t1"))
    return None if t0 is None or t1 is None else (t0, t1)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
