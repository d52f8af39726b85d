"""Columns of a record with their names and units in, millivolts out: the twelve leads, and the one table of units.

A reader of files converts once; whoever gets the signal from it, model or page, gets millivolts and sees no unit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cohort_db.errors import InputMistake

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_MV_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "\N{MICRO SIGN}v": 1e-3, "\N{GREEK SMALL LETTER MU}v": 1e-3, "v": 1e3}
_LEAD_OF = {lead.lower(): lead for lead in LEADS}
_SPOILT, _LOST = {"saturated", "noisy"}, {"missing", "flat"}


def lead_of(name: str) -> str | None:
    """Return the lead as it is written here, without regard to case and blanks around it; None for no lead."""
    return _LEAD_OF.get(name.strip().lower())


def is_good(flags: Collection[str]) -> bool:
    """Return whether a lead with these quality flags carries its voltage: a lost limb lead may have been derived."""
    lost = set() if "derived" in flags else _LOST
    return (_SPOILT | lost).isdisjoint(flags)


def in_millivolts(
    p_signal: NDArray[np.floating], sig_name: Sequence[str], units: Sequence[str]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return (signal_mv (sig_len, n), names) of the columns that are voltages, in their order; others are left out.

    Args:
        p_signal: (sig_len, n_sig) in `units`: mV, uV or V, in any case, with either Greek letter.
    Raises: InputMistake where a lead has another unit, or no column is a voltage.
    """
    signal = np.asarray(p_signal, dtype=np.float64)
    scales = [_MV_PER_UNIT.get(str(unit).strip().lower()) for unit in units]
    for name, unit, scale in zip(sig_name, units, scales, strict=True):
        if scale is None and lead_of(name):
            raise InputMistake(f"lead {name} is in {unit!r}, which is not a known unit: it must be mV, uV or V")
    kept = [column for column, scale in enumerate(scales) if scale is not None]
    if not kept:
        raise InputMistake(f"none of the signals {', '.join(sig_name) or '(none)'} is a voltage (mV, uV or V)")
    factors = np.array([scales[column] for column in kept], dtype=np.float64)
    return signal[:, kept] * factors, tuple(sig_name[column] for column in kept)
