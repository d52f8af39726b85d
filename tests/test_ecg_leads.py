"""Units and lead names of a record: every spelling of a voltage gives the same millivolts, and nothing else passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from cohort_db.ecg_leads import LEADS, in_millivolts, lead_of
from cohort_db.ecg_wfdb import read_signal
from cohort_db.errors import InputMistake
from dashboard import ecg_payload
from lemof_core import ecg_signal

SIGNAL_MV = np.array([[0.5, -1.25], [2.0, np.nan], [0.0, 0.004]])
UNITS = [("mV", 1.0), (" MV", 1.0), ("uV", 1000.0), ("\N{MICRO SIGN}V", 1000.0), ("\N{GREEK SMALL LETTER MU}V", 1000.0)]


@pytest.mark.parametrize(("unit", "factor"), [*UNITS, ("V", 0.001)])
def test_the_same_signal_in_other_units_is_the_same_in_millivolts(unit: str, factor: float) -> None:
    signal_mv, names = in_millivolts(SIGNAL_MV * factor, ["I", "V2"], [unit, unit])
    np.testing.assert_allclose(signal_mv, SIGNAL_MV)
    assert names == ("I", "V2")


def test_each_column_is_read_in_its_own_unit() -> None:
    signal_mv, _ = in_millivolts(SIGNAL_MV * [1000.0, 1.0], ["I", "V2"], ["uV", "mV"])
    np.testing.assert_allclose(signal_mv, SIGNAL_MV)


def test_what_is_no_voltage_is_left_out_and_a_lead_that_is_none_is_refused() -> None:
    signal_mv, names = in_millivolts(SIGNAL_MV, ["PLETH", "V2"], ["NU", "mV"])
    np.testing.assert_array_equal(signal_mv, SIGNAL_MV[:, 1:])
    assert names == ("V2",)
    with pytest.raises(InputMistake, match="lead v2 is in 'mmHg'"):
        in_millivolts(SIGNAL_MV, ["I", "v2"], ["mV", "mmHg"])
    with pytest.raises(InputMistake, match="none of the signals PLETH, ABP is a voltage"):
        in_millivolts(SIGNAL_MV, ["PLETH", "ABP"], ["NU", "mmHg"])


def test_a_record_in_microvolts_is_read_in_millivolts_from_its_file(tmp_path: Path) -> None:
    signal_mv = np.sin(np.arange(1000) / 20)[:, None] * [1.0, 0.5]
    wfdb.wrsamp(
        "case", fs=500, units=["uV"] * 2, sig_name=["I", "II"], p_signal=signal_mv * 1000, fmt=["16"] * 2,
        adc_gain=[10.0] * 2, baseline=[0] * 2, write_dir=str(tmp_path),
    )  # fmt: skip
    np.testing.assert_allclose(read_signal(tmp_path / "case").signal_mv, signal_mv, atol=1e-4)
    # wfdb drops what is not ASCII: a header with a Greek letter would be read in volts.
    header = tmp_path / "case.hea"
    header.write_text(header.read_text(encoding="utf-8").replace("uV", "\N{MICRO SIGN}V"), encoding="utf-8")
    assert wfdb.rdheader(str(tmp_path / "case")).units == ["V", "V"]
    with pytest.raises(InputMistake, match="microvolts are written uV"):
        read_signal(tmp_path / "case")
    in_ascii = header.read_text(encoding="utf-8").replace("\N{MICRO SIGN}V", "uV")
    header.write_text(f"{in_ascii}# Jos\u00e9\n", encoding="utf-8")  # in a comment nothing is lost
    np.testing.assert_allclose(read_signal(tmp_path / "case").signal_mv, signal_mv, atol=1e-4)


def test_names_are_leads_without_regard_to_case_and_blanks() -> None:
    assert [lead_of(name) for name in (" avf", "v1 ", "III", "ABP", "V7")] == ["aVF", "V1", "III", None, None]


def test_store_model_and_paper_have_the_leads_in_one_order() -> None:
    assert LEADS == ecg_signal.LEADS == ecg_payload.LEADS
