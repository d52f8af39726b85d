"""An uploaded CSV with a column a lead in, its samples out; a column of times gives the rate."""

from __future__ import annotations

import re

import numpy as np

from cohort_db.errors import InputMistake
from dashboard.live_limits import HIGHEST_FS, LOWEST_FS, MOST_ROWS
from dashboard.live_raw_ecg import RawEcg, check_size, lead_and_unit
from dashboard.live_table import Table, read_table

# Seconds or milliseconds, as a column of times may say; without a unit they are seconds.
_TIME = re.compile(
    r"(?:time|t|seconds|sec|s)?[\s_]*[(\[]?\s*(s|sec|seconds|ms|msec|milliseconds)?\s*[)\]]?", re.IGNORECASE
)
# By how much steps between times may differ: what rounding to six digits does.
_UNEVEN = 0.05


def read_ecg_csv(name: str, content: bytes) -> RawEcg:
    """Return the ECG of a CSV: a header line with the leads' names, and a line a sample.

    Raises: InputMistake in one sentence; text in a lead's column is never quoted back.
    """
    table = read_table(content, name, most_rows=MOST_ROWS)
    leads = [column for column, named in enumerate(table.names) if lead_and_unit(named)[0]]
    if not leads:
        raise InputMistake(f"{name} has no column named by a lead (I, II, III, aVR, aVL, aVF, V1 to V6)")
    check_size(len(table.cells), len(leads), name)
    signal = np.full((len(table.cells), len(table.names)), np.nan)
    for column in leads:
        signal[:, column], bad = table.numbers(column)
        if bad.any():
            lead = lead_and_unit(table.names[column])[0]
            raise InputMistake(f"{name}, line {int(np.argmax(bad)) + 2}: lead {lead} holds text where a number belongs")
    units = tuple(lead_and_unit(named)[1] for named in table.names)
    for column, named in enumerate(table.names):
        if (rate := _rate(table, column)) is not None:
            return RawEcg(signal, table.names, units, rate, "its column of times", named)
    return RawEcg(signal, table.names, units, None)


def _rate(table: Table, column: int) -> float | None:
    """Return samples a second where the column holds evenly spaced times; None where it does not."""
    match = _TIME.fullmatch(table.names[column])
    if not table.names[column] or not match or len(table.cells) < 3:
        return None
    times, bad = table.numbers(column)
    steps = np.diff(times)
    if bad.any() or not np.isfinite(steps).all() or steps.min() <= 0:
        return None
    step = (times[-1] - times[0]) / len(steps)
    if np.abs(steps - step).max() > _UNEVEN * step:
        return None
    per_second = 1000.0 if (match[1] or "s").lower().startswith("m") else 1.0
    rate = round(float(per_second / step), 2)
    return rate if LOWEST_FS <= rate <= HIGHEST_FS else None
