"""Reading a WFDB record, and preparing it for a model, against numpy.fromfile of the same samples."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from side_by_side import ratio, report

from cohort_db.ecg_wfdb import read_signal
from cohort_db.synthetic import write_cohort
from lemof_core.ecg_measure import measure_ecg
from lemof_core.ecg_signal import arrange_leads, prepare_ecg

N_STAYS = 30


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder) / "raw", n_stays=N_STAYS, seed=0)
        records = [path.with_suffix("") for path in sorted((Path(folder) / "raw" / "ecg").rglob("*.hea"))]
        signals = [read_signal(record) for record in records]

        def bare() -> None:
            for record in records:
                np.fromfile(record.with_suffix(".dat"), dtype="<i2").reshape(-1, 12).astype(np.float32)

        def read() -> None:
            for record in records:
                read_signal(record)

        def prepare() -> None:
            for signal in signals:
                prepare_ecg(signal.signal_mv, fs=signal.fs, sig_name=signal.sig_name)

        def measure() -> None:
            for signal in signals:
                measure_ecg(arrange_leads(signal.signal_mv, sig_name=signal.sig_name), signal.fs)

        found = {"records": len(records)}
        steps = (("read_vs_fromfile", read), ("prepare_vs_fromfile", prepare), ("measure_vs_fromfile", measure))
        report("ecg_loading_ratio", found | {name: ratio(step, bare, repeats=5) for name, step in steps})


if __name__ == "__main__":
    main()
