"""How much an upload may hold, and why: a server of many users reads it in memory, again at every click."""

from __future__ import annotations

# Ten seconds of a 12-lead ECG are 0.12 MB as WFDB and 0.6 MB as CSV; half an hour at 250 Hz is 11 MB and 50 MB.
MOST_ECG_MB = 32
MOST_FILES = 24
# Samples of all signals together: 12 leads for 16 min at 500 Hz. With the copies that reading makes, 200 MB.
MOST_SAMPLES = 6_000_000
MOST_COLUMNS = 64  # twelve leads, and what monitors write beside them
MOST_ROWS = 1_000_000  # 16 min at 1000 Hz
# A line of 64 numbers has 1.5 kB.
MOST_LINE_BYTES = 16 * 1024
# A day in an ICU has some 3,000 values.
MOST_EHR_MB = 2
MOST_EHR_ROWS = 50_000
# From fewer the model's 100 Hz cannot be made; more than electrocardiographs write is a wrong number.
LOWEST_FS, HIGHEST_FS = 100.0, 5_000.0
