"""What the live page takes: WFDB pairs and CSVs, and what it refuses before anything is predicted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from cohort_db.errors import InputMistake
from cohort_db.variables import catalogue
from dashboard.live_input import ehr_csv, read_ecg_csv, read_ehr_csv, read_wfdb
from dashboard.live_statics import statics_in_words

LEADS = ["I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"]


def record(folder: Path, scale: float = 1.0) -> dict[str, bytes]:
    signal = np.random.default_rng(0).normal(size=(5000, 12)).cumsum(0) / 50 * scale
    signal -= signal.mean(0)
    wfdb.wrsamp(
        "case", fs=500, units=["mV"] * 12, sig_name=LEADS, p_signal=signal, fmt=["16"] * 12, write_dir=str(folder)
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_wfdb_pair_is_read_as_wfdb_reads_it(tmp_path: Path) -> None:
    ecg = read_wfdb(record(tmp_path))
    expected = wfdb.rdrecord(str(tmp_path / "case"))
    np.testing.assert_allclose(ecg.signal_mv, expected.p_signal)
    assert ecg.sig_name == tuple(LEADS) and ecg.fs == 500


def test_microvolts_named_millivolts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMistake, match="microvolts"):
        read_wfdb(record(tmp_path, scale=1000))
    table = pd.DataFrame(np.tile(np.linspace(-900, 900, 1000)[:, None], 12), columns=LEADS)
    content = table.to_csv(index=False).encode()
    with pytest.raises(InputMistake, match="microvolts"):
        read_ecg_csv(content, fs=500, unit="mV")
    read = read_ecg_csv(content, fs=500, unit="uV")
    assert read.signal_mv.min() == pytest.approx(-0.9) and read.signal_mv.max() == pytest.approx(0.9)


def test_microvolts_in_one_lead_are_microvolts_in_that_lead(tmp_path: Path) -> None:
    signal = np.sin(np.arange(5000) / 50)[:, None] * np.ones(2)
    wfdb.wrsamp(
        "case", fs=500, units=["mV", "uV"], sig_name=["I", "V1"], p_signal=signal * [1.0, 1000.0], fmt=["16"] * 2,
        adc_gain=[1000.0, 1.0], baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    read = read_wfdb({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    np.testing.assert_allclose(read.signal_mv, signal, atol=1e-3)


def test_an_ecg_without_a_valid_sample_is_refused() -> None:
    table = pd.DataFrame(np.full((1000, 12), np.nan), columns=LEADS)
    with pytest.raises(InputMistake, match="no valid sample"):
        read_ecg_csv(table.to_csv(index=False).encode(), fs=500, unit="mV")


def test_half_a_record_is_refused(tmp_path: Path) -> None:
    files = record(tmp_path)
    with pytest.raises(InputMistake, match=r"one \.hea"):
        read_wfdb({"case.hea": files["case.hea"]})
    files["case.dat"] = files["case.dat"][:1000]
    with pytest.raises(InputMistake):
        read_wfdb(files)


def test_ehr_values_survive_their_csv() -> None:
    values = pd.DataFrame(
        {
            "variable": ["sbp", "lactate"],
            "offset_s": [3600.0, -60.0],
            "value": [120.0, 2.1],
            "stored_offset_s": [np.nan, 90.0],
        }
    )
    pd.testing.assert_frame_equal(read_ehr_csv(ehr_csv(values).encode()), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column variable"),
        ("variable,hours,value\nsbp,1,high\n", "line 2"),
        ("", "no CSV"),
        ("variable,hours,value,stored_hours\nsbp,1,120,late\n", "line 2"),
    ],
)
def test_a_wrong_ehr_file_is_named(text: str, message: str) -> None:
    with pytest.raises(InputMistake, match=message):
        read_ehr_csv(text.encode())


def test_what_was_given_is_said_in_words_without_the_digits_of_a_division() -> None:
    rows = [asdict(variable) for variable in catalogue() if variable.kind == "static"]
    words = statics_in_words(rows, {"age": 67.0, "sex": 1.0, "hours_to_icu": 106 / 60, "unit_cardiac": 1.0})
    assert words["age"] == "Age 67 years" and words["sex"] == "Female" and words["unit"] == "Care unit cardiac"
    assert words["hours_to_icu"] == "Hours in hospital before the ICU 1.8"
    assert words["height"].endswith("not given")
