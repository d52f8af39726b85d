"""Saliency, attention and a chosen window of the model's ten seconds in, what lies on the paper of the record out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cohort_db.ecg_leads import lead_of
from dashboard.queries_case import Attention, Explained, Waveform

MODEL_SECONDS = 10.0  # of a longer record the model reads the middle ten seconds
NONE, SALIENCY, ATTENTION = "plain", "saliency", "attention"


@dataclass(frozen=True)
class Overlay:
    """What lies on the paper: saliency (leads of the record, bins), attention over windows, one highlighted window."""

    saliency: np.ndarray | None = None
    attention: np.ndarray | None = None
    highlight: tuple[float, float] | None = None


def overlay_of(
    kind: str,
    record: Waveform,
    explained: Explained | None,
    attention: Callable[[], Attention | None] | None,
    highlight: tuple[float, float] | None,
) -> Overlay:
    """Return what is drawn on the record that the model saw; a window chosen in the attention panel is always shown."""
    duration_s, first_s = record.ecg_mv.shape[1] / record.fs, model_start_s(record)
    span = None
    if highlight is not None and highlight[0] + first_s < duration_s:
        span = (highlight[0] + first_s, min(highlight[1] + first_s, duration_s))
    if kind == SALIENCY and explained is not None and explained.saliency is not None:
        bins = on_record(explained.saliency, explained.seconds_per_bin, explained.leads, record)
        return Overlay(saliency=bins, highlight=span)
    maps = attention() if kind == ATTENTION and attention is not None else None
    if maps is not None:
        # Windows of equal width over the ten seconds that the model read; elsewhere it looked at nothing.
        width = maps.edges_s[1] - maps.edges_s[0]
        weights = maps.ehr_from_ecg.mean(axis=0)
        lead = Waveform(record.ecg_mv[:1], record.fs, ("all",))
        return Overlay(attention=on_record(weights[None], width, ["all"], lead)[0], highlight=span)
    return Overlay(highlight=span)


def model_start_s(record: Waveform) -> float:
    """Return where in the record the model's ten seconds begin."""
    return max(0.0, (record.ecg_mv.shape[1] / record.fs - MODEL_SECONDS) / 2)


def on_record(bins: np.ndarray, bin_s: float, leads: Sequence[str], record: Waveform) -> np.ndarray:
    """Return bins (leads of the record, bins over the record) of bins (leads, 10 s), rows found by name.

    MIMIC files have aVF before aVL and models the other way round: a row number means nothing here.
    """
    duration_s = record.ecg_mv.shape[1] / record.fs
    n_bins = max(1, round(duration_s / bin_s))
    first = round(model_start_s(record) / bin_s)
    row_of = {lead.lower(): row for row, lead in enumerate(leads)}
    out = np.zeros((len(record.leads), n_bins))
    for row, lead in enumerate(record.leads):
        if lead.lower() in row_of:
            own = bins[row_of[lead.lower()]][: n_bins - first]
            out[row, first : first + len(own)] = own
    return out


def twelve_leads(record: Waveform) -> Waveform:
    """Return the record without columns that are no ECG leads (some monitors add respiration or pressure)."""
    rows = [row for row, lead in enumerate(record.leads) if lead_of(lead)]
    return Waveform(record.ecg_mv[rows], record.fs, tuple(record.leads[row] for row in rows), record.problem)
