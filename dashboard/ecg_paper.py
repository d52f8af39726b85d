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
_SCRIPTS = ("ecg_paper.js", "ecg_caliper.js", "ecg_print.js")
# Of the whole page, not of the component: what else stands there is not printed with the paper.
_PRINT = (_ASSETS / "ecg_print.css").read_text(encoding="utf-8")
# The leading newline: Streamlit takes a one-line js or css string for the path of a file.
_mount = st.components.v2.component(
    "lemof_ecg_paper",
    html="""<div class="ecg-host"><div class="ecg-paper"></div>
<div class="ecg-base"><div class="ecg-foot" data-testid="ecg-footer"></div><div class="ecg-tools">
<button type="button" class="ecg-measure" aria-pressed="false">Measure</button>
<button type="button" class="ecg-march" aria-pressed="false" disabled
  title="Repeat the caliper's interval along the paper (key M)">March out</button>
<button type="button" class="ecg-print-button" title="A4 landscape at true millimetres">Print 1:1</button></div></div>
<div class="ecg-live" aria-live="polite"></div><div class="ecg-print"></div></div>""",
    css="\n" + (_ASSETS / "ecg_paper.css").read_text(encoding="utf-8"),
    js="\n" + "\n".join((_ASSETS / script).read_text(encoding="utf-8") for script in _SCRIPTS),
)


@dataclass(frozen=True)
class EcgPaperResult:
    """What the reader did on the paper; times in seconds of the recording, None where nothing was done."""

    caliper: tuple[float, float, str] | None = None  # t0, t1, lead under the first caliper
    caliper_mv: float | None = None  # height of the caliper's bracket
    window: tuple[float, float] | None = None  # the highlighted or attention window clicked
    cleared: float | None = None  # when Escape let the chosen window go, in the browser's ms: tells one from the next


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
    start_s: float = 0.0,
    print_lines: Sequence[str] = (),
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
        start_s=start_s,
        print_lines=print_lines,
        px_per_mm=px_per_mm,
    )
    stamp = hashlib.blake2b(payload["identity"].encode(), digest_size=8).hexdigest()
    # The browser draws a moment after the page around the paper is there: what is drawn of another record stays unseen.
    hidden = f".st-key-{key} [data-drawn]:not([data-drawn='{stamp}']) {{ visibility: hidden; }}"
    st.html(f"<style>{_PRINT}\n{hidden}</style>")
    state = _mount(
        key=key,
        data=payload | {"stamp": stamp},
        on_caliper_change=lambda: None,  # a state without a callback has no attribute in the result
        on_window_change=lambda: None,
    )
    return read_state(state.get("caliper"), state.get("window"), payload["identity"], start_s)


def read_state(caliper: Any, window: Any, identity: str, start_s: float = 0.0) -> EcgPaperResult:
    """What the browser sent is a result, with None where it is no measurement of the record of this identity."""
    span = _span(window, identity, start_s)
    measured = _span(caliper, identity, start_s)
    cleared = _finite(window.get("cleared")) if isinstance(window, Mapping) and window.get("of") == identity else None
    if measured is None or caliper.get("lead") not in LEADS:
        return EcgPaperResult(window=span, cleared=cleared)
    return EcgPaperResult((*measured, caliper["lead"]), _finite(caliper.get("mv")), span, cleared)


def _span(state: Any, identity: str, start_s: float) -> tuple[float, float] | None:
    if not isinstance(state, Mapping) or state.get("of") != identity:
        return None
    t0, t1 = (_finite(state.get(name)) for name in ("t0", "t1"))
    return None if t0 is None or t1 is None else (t0 + start_s, t1 + start_s)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
