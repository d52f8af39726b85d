"""A window dragged on the ECG in, what it contributes out: the attribution inside, and the model without it."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from cohort_db.errors import InputMistake
from cohort_db.store import Store
from dashboard.case_overlay import MODEL_SECONDS
from dashboard.case_panel import stamped
from dashboard.live_case import stored_case
from dashboard.live_service import service
from dashboard.queries_case import Case, Explained, Waveform
from dashboard.wording import signed
from lemof_core.errors import ModelMistake
from lemof_core.live import run_folder

SHORTEST_S = 0.04  # one bin of the attribution


def on_model_time(window: tuple[float, float], record: Waveform) -> tuple[float, float] | None:
    """Return the window in the ten seconds that the model read; None where it lies outside them, or is too short."""
    duration_s = record.ecg_mv.shape[1] / record.fs
    first_s = max(0.0, (duration_s - MODEL_SECONDS) / 2)
    t0, t1 = (min(max(t - first_s, 0.0), min(MODEL_SECONDS, duration_s)) for t in window)
    return (t0, t1) if t1 - t0 >= SHORTEST_S else None


def window_attribution(explained: Explained, window: tuple[float, float], lead: str) -> tuple[float, float]:
    """Return the log-odds attributed inside the window: in the lead, and in all leads; a bin counts by its overlap."""
    if explained.saliency is None:
        raise ValueError("attributions of an ECG are needed, however: None")
    width = explained.seconds_per_bin
    starts = np.arange(explained.saliency.shape[1]) * width
    share = np.clip(np.minimum(starts + width, window[1]) - np.maximum(starts, window[0]), 0.0, None) / width
    by_lead = explained.saliency.astype(np.float64) @ share
    return float(by_lead[list(explained.leads).index(lead)]), float(by_lead.sum())


def window_panel(
    store: Store,
    case: Case,
    run: dict[str, Any] | None,
    explained: Explained | None,
    caliper: tuple[float, float, str] | None,
    record: Waveform | None,
) -> None:
    """Draw what the window under the caliper contributes; nothing without a caliper on the ECG that the model read."""
    if explained is None or explained.saliency is None or run is None or caliper is None or record is None:
        return
    window, lead = on_model_time(caliper[:2], record), caliper[2]
    if window is None or lead not in explained.leads:
        return
    of_lead, of_all = window_attribution(explained, window, lead)
    words = (
        f"{caliper[0]:.2f} to {caliper[1]:.2f} s: attribution {signed(of_lead)} in {lead}, {signed(of_all)} in all "
        "leads (log-odds, against 0 mV)."
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="case-window"):
        st.html(stamped(case, "window", f'<span data-testid="window-contribution">{html.escape(words)}</span>'))
        key = f"window-{case.stay_id}-{case.run_id}-{window[0]:.3f}-{window[1]:.3f}"
        if st.button("Ask the model without it", key=key, type="tertiary"):
            st.html(stamped(case, "window-answer", _without(store, case, run, window)))


def _without(store: Store, case: Case, run: dict[str, Any], window: tuple[float, float]) -> str:
    """Return how the log-odds change when the window is at 0 mV in all leads, as markup."""
    asked = replace(stored_case(store, case.stay_id), silenced=((*window, ""),), explain=False)
    try:
        with st.spinner("Asking the model"):
            result = service().predict(asked, run_folder(run["folder"], store.runs_folder))
    except (ModelMistake, InputMistake) as mistake:
        return html.escape(str(mistake))
    change = float(result.prediction["logit"]) - float((case.prediction or {})["logit"])
    return f'<span data-testid="window-without">Without it, all leads at 0 mV: log-odds {signed(change)}.</span>'
