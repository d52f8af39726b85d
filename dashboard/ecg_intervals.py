"""Measured numbers, lead quality and readings by hand of one ECG in; HR, PR, QRS, QT and QTc out, each with who says so
or why there is none. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cohort_db.ecg_leads import LEADS, is_good
from cohort_db.ecg_readings import READABLE, Reading

FORMULAS = ("Fridericia", "Bazett", "Framingham", "Hodges")
QTC = "qtc_ms"
AUTOMATED = "automated, unconfirmed"
WIDE_QRS_MS = 120
# RMSSD above a tenth of the mean RR: an irregular rhythm (Dash et al., Ann Biomed Eng 2009;37:1701).
IRREGULAR_RMSSD_SHARE = 0.1
# Where Bazett is off by so much that QTc is read as long or short for the rate alone (AHA/ACCF/HRS 2009, part IV).
BAZETT_RANGE_BPM = (60, 100)
FEWEST_INDEPENDENT_LEADS = 4  # as for the model: half of the eight voltages that twelve leads are made of

# Of the first some lead must be good, and of the second, or the interval is not what its name says: a P wave is seen in
# these, QRS is as long as its longest projection in both planes, the end of T is read in these.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "heart_rate_bpm": (LEADS,),
    "pr_ms": (("I", "II", "aVF", "V1"),),
    "qrs_ms": (LEADS[:6], LEADS[6:]),
    "qt_ms": (("II", "V2", "V3", "V4", "V5", "V6"),),
}
_OF_RECORD = ("short", "cropped")  # flags that every lead has or none
_NOT_FOUND = {
    "heart_rate_bpm": "no heartbeat of one shape recurs",
    "pr_ms": "no P wave recurs before QRS",
    "qrs_ms": "QRS has no clear beginning and end",
    "qt_ms": "no T wave with a clear end",
}


@dataclass(frozen=True)
class Quality:
    """Which leads are good, and why the others are not: lead -> flags. usable: None where nobody has looked."""

    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    usable: bool | None = None

    @property
    def good(self) -> tuple[str, ...]:
        """The leads that carry their voltage."""
        return tuple(lead for lead in LEADS if is_good(self.flags.get(lead, ())))

    def faults(self) -> dict[str, str]:
        """Return lead -> what ails it, beside its name on the paper; what all leads share is no lead's fault."""
        own = {lead: [flag for flag in flags if flag not in _OF_RECORD] for lead, flags in self.flags.items()}
        return {lead: ", ".join(flags) for lead, flags in own.items() if flags}

    def words(self) -> str:
        """Return which leads are flagged and why, "noisy: V1, V2; flat: aVL"; nothing where none is."""
        by_flag: dict[str, list[str]] = {}
        for lead in LEADS:
            for flag in self.flags.get(lead, ()):
                by_flag.setdefault(flag, []).append(lead)
        told = (f"{flag}: {'all leads' if len(leads) == len(LEADS) else ', '.join(leads)}"
                for flag, leads in by_flag.items())  # fmt: skip
        return "; ".join(told)


@dataclass(frozen=True)
class Interval:
    """One quantity as the page shows it. value None: not measurable, and `reason` says why.

    automated: what the program measured and would be shown without a reading by hand. remark: why to read it with care.
    """

    name: str
    label: str
    unit: str
    value: float | None
    reason: str = ""
    automated: float | None = None
    reading: Reading | None = None
    remark: str = ""

    @property
    def shown(self) -> str:
        """The number with its unit, or "not measurable"."""
        return with_unit(self.value, self.unit)

    @property
    def source(self) -> str:
        """Who says so; for a reading by hand, with the automated value beside it."""
        if self.reading is None:
            return AUTOMATED if self.value is not None else self.reason
        when = f"{self.reading.created_at:%Y-%m-%d %H:%M} UTC"
        how = "from a reading" if self.name == QTC else "measured" if self.value is not None else "said so"
        beside = with_unit(self.automated, self.unit) if self.automated is not None else "none"
        return f"{how} by {self.reading.reader}, {when}; automated: {beside}"


def with_unit(value: float | None, unit: str) -> str:
    """Return 98 ms, 75/min or "not measurable"."""
    if value is None:
        return "not measurable"
    return f"{value:.0f}{unit}" if unit.startswith("/") else f"{value:.0f} {unit}"


def corrected_qt(qt_ms: float, rate_bpm: float, formula: str) -> float:
    """Return QT as it would be at 60 beats a minute, in ms, by one of FORMULAS."""
    rr_s = 60.0 / rate_bpm
    if formula == "Fridericia":
        return float(qt_ms / rr_s ** (1 / 3))
    if formula == "Bazett":
        return float(qt_ms / rr_s**0.5)
    if formula == "Framingham":
        return qt_ms + 154.0 * (1.0 - rr_s)
    if formula == "Hodges":
        return qt_ms + 1.75 * (rate_bpm - 60.0)
    raise ValueError(f"formula must be one of {', '.join(FORMULAS)}, not {formula}.")


def intervals_of(
    numbers: Mapping[str, float], quality: Quality, readings: Mapping[str, Reading], formula: str
) -> list[Interval]:
    """Return HR, PR, QRS, QT and QTc: a reading by hand before the automated value, and that only where leads allow it.

    Args:
        numbers: what was measured by the program, by the names of READABLE; what it could not measure is absent.
    """
    found = {name: _interval(name, numbers, quality, readings.get(name)) for name in READABLE}
    rate, qrs, qt = found["heart_rate_bpm"], found["qrs_ms"], found["qt_ms"]
    qtc = _qtc(rate, qt, formula, _remark(rate, qrs, numbers, formula))
    return [*found.values(), qtc]


def counted(numbers: Mapping[str, float], intervals: Sequence[Interval]) -> dict[str, float]:
    """Return the numbers with what the intervals say in place of theirs: what could not be measured is absent."""
    told = {interval.name: interval.value for interval in intervals}
    kept = {name: value for name, value in numbers.items() if name not in {*told, "qtcf_ms", "qtcb_ms"}}
    rate, qt = told.get("heart_rate_bpm"), told.get("qt_ms")
    if rate is not None and qt is not None:
        told["qtcf_ms"] = corrected_qt(qt, rate, "Fridericia")
    return kept | {name: value for name, value in told.items() if value is not None and name != QTC}


def differences(earlier: Sequence[Interval], later: Sequence[Interval]) -> str:
    """Return what changed between two ECGs, in words: "QRS 98 → 134 ms; unchanged: PR"."""
    moved, same, never = [], [], []
    for before, after in zip(earlier, later, strict=True):
        if before.value is None and after.value is None:
            never.append(before.label)
        elif before.shown == after.shown:
            same.append(f"{before.label} {before.shown}")
        elif before.value is None or after.value is None:
            moved.append(f"{before.label} {before.shown} → {after.shown}")
        else:
            moved.append(f"{before.label} {before.value:.0f} → {after.shown}")
    parts = [", ".join(moved) or "no interval changed"]
    parts += [f"unchanged: {', '.join(same)}"] if same else []
    parts += [f"not measurable in either: {', '.join(never)}"] if never else []
    return "; ".join(parts)


def _interval(name: str, numbers: Mapping[str, float], quality: Quality, reading: Reading | None) -> Interval:
    known, barred = READABLE[name], _barred(name, quality)
    automated = None if barred else numbers.get(name)
    if reading is not None:
        reason = "the reader could not measure it" if reading.value is None else ""
        return Interval(name, known.label, known.unit, reading.value, reason, automated, reading)
    if automated is not None:
        return Interval(name, known.label, known.unit, automated, automated=automated)
    first_missing = name if "heart_rate_bpm" in numbers else "heart_rate_bpm"
    if name in ("pr_ms", "qt_ms") and "qrs_ms" not in numbers and first_missing == name:
        first_missing = "qrs_ms"
    return Interval(name, known.label, known.unit, None, barred or _NOT_FOUND[first_missing])


def _barred(name: str, quality: Quality) -> str:
    """Return why the leads do not allow this quantity to be measured; nothing where they do."""
    if quality.usable is None and not quality.flags:
        return "this ECG was not prepared"
    good = quality.good
    if not good:
        return f"no lead is good enough ({quality.words()})"
    if quality.usable is False and name != "heart_rate_bpm":
        limb, chest = (sum(lead in group for lead in good) for group in (LEADS[:6], LEADS[6:]))
        if min(2, limb) + chest < FEWEST_INDEPENDENT_LEADS:
            return f"only {len(good)} of {len(LEADS)} leads are good enough ({quality.words()})"
        return "the record is too short"
    for leads in _NEEDED[name]:
        if not set(leads) & set(good):
            return f"none of the leads {', '.join(leads)} is good enough"
    return ""


def _qtc(rate: Interval, qt: Interval, formula: str, remark: str) -> Interval:
    automated = None
    if rate.automated is not None and qt.automated is not None:
        automated = corrected_qt(qt.automated, rate.automated, formula)
    label = f"QTc ({formula})"
    if rate.value is None or qt.value is None:
        missing = " and ".join(part.label for part in (rate, qt) if part.value is None)
        return Interval(QTC, label, "ms", None, f"needs {missing}", automated)
    value = corrected_qt(qt.value, rate.value, formula)
    readings = [part.reading for part in (rate, qt) if part.reading is not None]
    newest = max(readings, key=lambda reading: reading.created_at) if readings else None
    return Interval(QTC, label, "ms", value, automated=automated, reading=newest, remark=remark)


def _remark(rate: Interval, qrs: Interval, numbers: Mapping[str, float], formula: str) -> str:
    """Return why QTc of this record misleads, if it does."""
    told = []
    if qrs.value is not None and qrs.value >= WIDE_QRS_MS:
        told.append(f"QRS {qrs.value:.0f} ms: a wide QRS prolongs QT by itself")
    if is_irregular(numbers):
        told.append("irregular rhythm: QTc of a mean RR is unreliable")
    low, high = BAZETT_RANGE_BPM
    if formula == "Bazett" and rate.value is not None and not low <= rate.value <= high:
        told.append(f"at {rate.value:.0f}/min Bazett reads too {'long' if rate.value > high else 'short'}")
    return "; ".join(told)


def is_irregular(numbers: Mapping[str, float]) -> bool:
    """Return whether successive RR intervals differ by more than a tenth of their mean."""
    rmssd, rr = numbers.get("rr_rmssd_ms"), numbers.get("rr_mean_ms")
    return rmssd is not None and bool(rr) and rmssd / numbers["rr_mean_ms"] > IRREGULAR_RMSSD_SHARE
