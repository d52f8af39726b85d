"""What a reader of any format found in a file, and the recording that it is once unit and rate are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohort_db.ecg_leads import LEADS, in_millivolts, lead_of
from cohort_db.errors import InputMistake
from dashboard.live_limits import HIGHEST_FS, LOWEST_FS, MOST_COLUMNS, MOST_SAMPLES

UNITS = ("mV", "uV", "V")
# "Lead II", "ECG_V1": what devices write before a lead's name; and a unit behind it, "I (uV)".
_NAMED = re.compile(r"(?:ecg|ekg|lead)?[\s_.:-]*([a-z]{0,3}\d?[a-z]?)\s*(?:[(\[]\s*(\S{1,3})\s*[)\]])?", re.IGNORECASE)
_LIMBS = LEADS[:6]


@dataclass(frozen=True)
class RawEcg:
    """signal (sig_len, n_sig) as the file has it, with names; fs in Hz and each column's unit, None if it is silent.

    fs_from says in words who gives the rate; times is the name of the column that gave it, if one did.
    """

    signal: NDArray[np.float64]
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    fs: float | None
    fs_from: str = "the file"
    times: str | None = None


@dataclass(frozen=True)
class Recording:
    """An ECG in mV: signal_mv (sig_len, n_leads), leads as LEADS names them in the file's order, fs in Hz.

    ignored: columns of the file that are no lead. unit: what the file's numbers were in. fs_from, unit_from: who says.
    """

    name: str
    kind: str
    signal_mv: NDArray[np.float64]
    leads: tuple[str, ...]
    ignored: tuple[str, ...]
    fs: float
    fs_from: str
    unit: str
    unit_from: str

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.signal_mv) / self.fs

    @property
    def missing(self) -> tuple[str, ...]:
        """The leads that it lacks."""
        return tuple(lead for lead in LEADS if lead not in self.leads)

    @property
    def derivable(self) -> tuple[str, ...]:
        """Missing limb leads that follow from two of I, II and III."""
        enough = sum(lead in self.leads for lead in ("I", "II", "III")) >= 2
        return tuple(lead for lead in self.missing if lead in _LIMBS and enough)


def lead_and_unit(name: str) -> tuple[str | None, str | None]:
    """Return the lead that a column's name means, and the unit it states: ("II", "uV") of "Lead II (uV)"."""
    match = _NAMED.fullmatch(name.strip())
    if not match:
        return None, None
    return lead_of(match[1]), match[2]


def check_size(n_samples: int, n_signals: int, what: str) -> None:
    """Raise InputMistake for more signals or samples than are read; called before room is made for them."""
    if n_signals > MOST_COLUMNS:
        raise InputMistake(f"{what} has {n_signals:,} signals: at most {MOST_COLUMNS} are read")
    if n_samples * n_signals > MOST_SAMPLES:
        raise InputMistake(
            f"{what} has {n_samples:,} samples of {n_signals} signals: at most {MOST_SAMPLES:,} together are read (12 "
            "leads for 16 min at 500 Hz); cut a part out of it"
        )


def recording_of(name: str, kind: str, raw: RawEcg, *, fs: float | None = None, unit: str | None = None) -> Recording:
    """Return the recording, with the reader's `fs` and `unit` where the file says nothing of them.

    Raises: InputMistake for a rate that no ECG has, a lead named twice, no lead at all, or no valid sample.
    """
    rate = raw.fs if raw.fs is not None else fs
    if rate is None or not LOWEST_FS <= rate <= HIGHEST_FS:
        raise InputMistake(
            f"{name} is sampled at {rate or 0:g} Hz: an ECG must have {LOWEST_FS:g} to {HIGHEST_FS:g}, and "
            f"from fewer than {LOWEST_FS:g} the model's own rate cannot be made"
        )
    leads = [lead_and_unit(column)[0] for column in raw.names]
    twice = sorted({lead for lead in leads if lead and leads.count(lead) > 1})
    if twice:
        raise InputMistake(f"{name} has lead {', '.join(twice)} twice: which one is meant?")
    kept = [column for column, lead in enumerate(leads) if lead]
    if not kept:
        raise InputMistake(f"{name} names no ECG lead ({', '.join(LEADS)}) among its {len(raw.names)} columns")
    named = [str(leads[column]) for column in kept]
    units = [raw.units[column] or unit or "" for column in kept]
    signal_mv, kept_leads = in_millivolts(raw.signal[:, kept], named, units)
    if not np.isfinite(signal_mv).any():
        raise InputMistake(f"{name} holds no valid sample")
    silent = any(raw.units[column] is None for column in kept)
    ignored = tuple(column for column, lead in zip(raw.names, leads, strict=True) if not lead and column != raw.times)
    return Recording(
        name, kind, signal_mv, kept_leads, ignored,
        float(rate), raw.fs_from if raw.fs is not None else "you", _in_words(units), "you" if silent else "the file",
    )  # fmt: skip


def _in_words(units: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(units))
