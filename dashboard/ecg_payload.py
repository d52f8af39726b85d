"""A 12-lead ECG in mV comes in; the JSON that draws it on paper at true scale goes out."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cohort_db.ecg_leads import LEADS, lead_of

Layout = Literal["3x4+II", "3x4", "6x2", "12x1", "Cabrera"]

ROWS_PER_LAYOUT: dict[str, int] = {"3x4+II": 3, "3x4": 3, "6x2": 6, "12x1": 12, "Cabrera": 6}
# The limb leads by their angle in the frontal plane, -30 to 120 degrees: each looks at the heart from 30 degrees on.
# At +30 that is aVR seen from the other side (Kligfield et al., Circulation 2007;115:1306).
CABRERA = ("aVL", "I", "aVR", "II", "aVF", "III", *LEADS[6:])
INVERTED_IN_CABRERA = "aVR"
SPEEDS_MM_PER_S = (25, 50)
GAINS_MM_PER_MV = (5, 10, 20)

GAP = -32768  # the one int16 that saturation at +-32767 uV leaves free
SATURATION_UV = 32767
MIN_HALF_ROW_MM = 10
MAX_HALF_ROW_MV = 5.0  # taller than any QRS; an electrode artefact beyond it is clipped, and the paper says so
MAX_SALIENCY_BINS = 500  # 20 ms of a 10 s record, narrower than a QRS


def ecg_payload(
    ecg_mv: np.ndarray,
    fs: int,
    lead_names: Sequence[str],
    *,
    stay_id: int | str,
    run_id: str,
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
) -> dict[str, Any]:
    """The paper as JSON: leads in clinical order in microvolts (base64 of `_steps`), rows with their heights in mm.

    Args:
        ecg_mv: (n_leads, sig_len) in mV, rows named by lead_names; NaN is a gap, a lead not named has no signal.
        lead_names: in any order and case; MIMIC-IV-ECG, for one, has aVF before aVL.
        saliency: (n_leads, n_bins), rows as in ecg_mv, bins of equal width; above 0 raises, below lowers.
        saliency_top: share of the bins, over all leads, that is coloured.
        highlight: one window in seconds.
        attention: (n_windows,) weights >= 0 of windows of equal width over the record.
        quality: lead -> why it is not to be trusted ("flat", "noisy").
        start_s: where in a longer recording the first sample lies; the time axis counts from there.
        print_lines: what must stand on every printed page: whose ECG this is, when, of what run.
    Raises:
        ValueError: names, shapes, times or settings that cannot be drawn truly.
    """
    ecg_mv = np.asarray(ecg_mv, dtype=np.float64)
    _check_scale(fs, layout, speed, gain, px_per_mm)
    position = _position_by_lead(lead_names)
    if ecg_mv.ndim != 2 or ecg_mv.shape[0] != len(position) or ecg_mv.shape[1] < 2:
        raise ValueError(f"ecg_mv must be ({len(position)} leads, samples) like its names, not {ecg_mv.shape}.")
    sig_len = ecg_mv.shape[1]
    duration_s = sig_len / fs
    if highlight is not None and not 0 <= highlight[0] < highlight[1] <= duration_s + 1 / fs:
        raise ValueError(f"highlight {highlight} is not a window within the record's 0 to {duration_s:g} s.")
    notes = {_clinical_name(name): str(reason) for name, reason in (quality or {}).items()}

    microvolts, n_saturated = _microvolts(ecg_mv, position)
    rows = _rows(microvolts, layout, gain)
    no_signal = [lead for lead, uv in zip(LEADS, microvolts, strict=True) if (uv == GAP).all()]
    record = hashlib.blake2b(microvolts.tobytes(), digest_size=8).hexdigest()  # a stay may have several ECGs
    return {
        "stay": str(stay_id),
        "run": run_id,
        "identity": f"{stay_id}/{run_id}/{record}",
        "layout": layout,
        "speed": speed,
        "gain": gain,
        "px_per_mm": px_per_mm,
        "fs": fs,
        "sig_len": sig_len,
        "leads": list(LEADS),
        "steps": base64.b64encode(_steps(microvolts)).decode("ascii"),
        "n_saturated": n_saturated,
        "no_signal": no_signal,
        "notes": notes,
        "rows": rows,
        "saliency": None if saliency is None else _saliency(saliency, position, saliency_top, rows, sig_len),
        "highlight": None if highlight is None else [float(highlight[0]), float(highlight[1])],
        "attention": None if attention is None else _attention(attention),
        "caption": caption,
        "start_s": float(start_s),
        "print_lines": list(print_lines),
    }


def _check_scale(fs: int, layout: str, speed: int, gain: int, px_per_mm: float) -> None:
    for name, value, known in (
        ("layout", layout, tuple(ROWS_PER_LAYOUT)),
        ("speed (mm/s)", speed, SPEEDS_MM_PER_S),
        ("gain (mm/mV)", gain, GAINS_MM_PER_MV),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, not {value}.")
    if not fs > 0 or not 1 <= px_per_mm <= 20:
        raise ValueError(f"fs must be above 0 and px_per_mm within 1 to 20, not {fs} and {px_per_mm}.")


def _clinical_name(name: str) -> str:
    lead = lead_of(str(name))
    if lead is not None:
        return lead
    raise ValueError(f"{name!r} is not a lead of the 12-lead ECG; expected {', '.join(LEADS)}.")


def _position_by_lead(lead_names: Sequence[str]) -> dict[str, int]:
    """Each named lead has its row in ecg_mv."""
    position = {_clinical_name(name): row for row, name in enumerate(lead_names)}
    if len(position) != len(lead_names) or not position:
        raise ValueError(f"each lead must be named once; got {', '.join(map(str, lead_names)) or 'no names'}.")
    return position


def _microvolts(ecg_mv: np.ndarray, position: Mapping[str, int]) -> tuple[np.ndarray, int]:
    """(12, sig_len) little-endian int16 in clinical order with gaps as GAP, and how many samples were saturated."""
    microvolts = np.full((len(LEADS), ecg_mv.shape[1]), GAP, dtype="<i2")
    n_saturated = 0
    for row, lead in enumerate(LEADS):
        if lead in position:
            uv = np.rint(ecg_mv[position[lead]] * 1000.0)
            n_saturated += int((np.abs(uv) > SATURATION_UV).sum())
            uv = np.clip(uv, -SATURATION_UV, SATURATION_UV)
            microvolts[row] = np.where(np.isnan(uv), GAP, uv)
    return microvolts, n_saturated


def _steps(microvolts: np.ndarray) -> bytes:
    """The samples, lead after lead, as steps from one to the next modulo 2**16: an int8, or -128 and an int16 after it.

    A heart seldom moves by more than 127 uV in 2 ms, so this is little more than half of the plain int16. By hand: the
    script that draws needs six lines to read it at once, where the browser's own inflate answers only later.
    """
    flat = microvolts.ravel().astype(np.int32)
    steps = np.diff(flat, prepend=0).astype("<i2")  # wraps, as the sum in the script's Int16Array does
    long = np.abs(steps.astype(np.int32)) > 127
    at = np.cumsum(np.where(long, 3, 1)) - np.where(long, 3, 1)
    coded = np.zeros(int(len(steps) + 2 * long.sum()), np.uint8)
    coded[at[~long]] = steps[~long].astype(np.int8).view(np.uint8)
    coded[at[long]] = 0x80
    halves = steps[long].view(np.uint8).reshape(-1, 2)
    coded[at[long] + 1], coded[at[long] + 2] = halves[:, 0], halves[:, 1]
    return coded.tobytes()


def _rows(microvolts: np.ndarray, layout: str, gain: int) -> list[dict[str, Any]]:
    """Rows from the top: mm above and below the zero line, and segments {lead, i0, i1, rhythm, clipped, inverted}.

    Columns are consecutive windows in time, as an electrocardiograph prints them; heights are whole 5 mm squares.
    """
    n_rows, sig_len = ROWS_PER_LAYOUT[layout], microvolts.shape[1]
    edges = np.linspace(0, sig_len, len(LEADS) // n_rows + 1).round().astype(int).tolist()
    order = CABRERA if layout == "Cabrera" else LEADS
    plan = [list(zip(order[row::n_rows], edges[:-1], edges[1:], strict=True)) for row in range(n_rows)]
    if layout.endswith("+II"):
        plan.append([("II", 0, sig_len)])
    rows = []
    for number, planned in enumerate(plan):
        segments, up_mv, down_mv = [], 0.0, 0.0
        for lead, i0, i1 in planned:
            uv = microvolts[LEADS.index(lead), i0:i1]
            inverted = layout == "Cabrera" and lead == INVERTED_IN_CABRERA
            high, low = (uv.max(initial=0) / 1000, -uv.min(initial=0, where=uv != GAP) / 1000)
            if inverted:
                high, low = low, high
            up_mv, down_mv = max(up_mv, high), max(down_mv, low)
            segment = {"lead": LEADS.index(lead), "i0": i0, "i1": i1, "rhythm": number == n_rows}
            segments.append(segment | {"clipped": bool(max(high, low) > MAX_HALF_ROW_MV), "inverted": inverted})
        row = {"above_mm": _half_row_mm(up_mv, gain), "below_mm": _half_row_mm(down_mv, gain), "segments": segments}
        rows.append(row)
    return rows


def _half_row_mm(peak_mv: float, gain: int) -> int:
    """Whole large squares that hold the peak and 2 mm of air."""
    return max(MIN_HALF_ROW_MM, 5 * math.ceil((min(float(peak_mv), MAX_HALF_ROW_MV) * gain + 2) / 5))


def _saliency(
    saliency: np.ndarray, position: Mapping[str, int], top: float, rows: list[dict[str, Any]], sig_len: int
) -> dict[str, Any]:
    """int8 levels (12, n_bins): 0 below the threshold, else 127 value / max |value|; the share that no row shows."""
    given = np.asarray(saliency, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != len(position) or given.shape[1] < 1 or np.isinf(given).any():
        raise ValueError(f"saliency must be finite and ({len(position)} leads, bins), not {given.shape}.")
    if not 0 < top <= 1:
        raise ValueError(f"saliency_top is a share within 0 to 1, not {top}.")
    n_bins = given.shape[1]
    value = np.zeros((len(LEADS), n_bins))
    for row, lead in enumerate(LEADS):
        if lead in position:
            value[row] = np.nan_to_num(given[position[lead]])
    size = np.abs(value)
    kept = np.where((size >= np.quantile(np.abs(np.nan_to_num(given)), 1 - top)) & (size > 0), value, 0.0)

    shown = np.zeros(kept.shape, dtype=bool)
    centre = (np.arange(n_bins) + 0.5) * sig_len / n_bins
    for segment in (segment for row in rows for segment in row["segments"]):
        shown[segment["lead"]] |= (centre >= segment["i0"]) & (centre < segment["i1"])
    pooled = math.ceil(n_bins / MAX_SALIENCY_BINS)
    most = np.maximum.reduceat(kept, np.arange(0, n_bins, pooled), axis=1)
    least = np.minimum.reduceat(kept, np.arange(0, n_bins, pooled), axis=1)
    peaks = np.where(most >= -least, most, least)
    highest = np.abs(kept).max()
    level = np.sign(peaks) * np.ceil(127 * np.abs(peaks) / highest) if highest > 0 else peaks
    return {
        "level": base64.b64encode(level.astype(np.int8).tobytes()).decode("ascii"),
        "n_bins": level.shape[1],
        "bin_share": pooled / n_bins,
        "top": top,
        "unseen": float((kept[~shown] != 0).sum() / max((kept != 0).sum(), 1)),
    }


def _attention(attention: np.ndarray) -> list[float]:
    weights = np.asarray(attention, dtype=np.float64)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"attention must be finite weights >= 0 over time windows, not of shape {weights.shape}.")
    return [round(float(weight), 6) for weight in weights]
