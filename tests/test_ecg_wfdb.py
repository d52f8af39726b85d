"""ECG records: signals in millivolts, broken files refused in one sentence, lists checked, contents told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mimic_support import MIMIC_LEADS, SHARED, at, needs_demo, write_ecgs, write_record

from cohort_db.ecg_wfdb import content_sha256, read_header, read_record_list, read_signal, record_path
from cohort_db.errors import InputMistake


def test_a_signal_comes_back_in_millivolts_by_the_headers_gain(tmp_path: Path) -> None:
    signal = np.random.default_rng(1).normal(0, 0.4, (5000, 12))
    for gain in (200.0, 1000.0):
        write_record(tmp_path / f"g{gain:.0f}", signal, gain=gain, comments=["SURROGATE WAVEFORM"])
        found = read_signal(tmp_path / f"g{gain:.0f}")
        # Half a step of the converter.
        assert np.abs(found.signal_mv - signal).max() <= 0.5 / gain + 1e-9
        assert found.signal_mv.shape == (5000, 12) and found.fs == 500
        assert list(found.sig_name) == MIMIC_LEADS
    header = read_header(tmp_path / "g200")
    assert header.surrogate and not header.synthetic and header.adc_gain == (200.0,) * 12 and header.sig_len == 5000


def _break_dat(record: Path) -> None:
    record.with_suffix(".dat").write_bytes(record.with_suffix(".dat").read_bytes()[:100])


def _rewrite(old: str, new: str) -> Callable[[Path], None]:
    def change(record: Path) -> None:
        header = record.with_suffix(".hea")
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("breaking", "sentence"),
    [
        (_break_dat, r"r\.dat is cut short: it has 100 of 120000 bytes"),
        (lambda record: record.with_suffix(".dat").unlink(), r"r\.dat is missing"),
        (lambda record: record.with_suffix(".hea").unlink(), r"r\.hea is missing"),
        (lambda record: record.with_suffix(".hea").write_bytes(b"\x00\xff\x01"), r"r\.hea is no WFDB header"),
        (lambda record: record.with_suffix(".hea").write_text(""), r"r\.hea is no WFDB header"),
        (_rewrite("r 12 500 5000", "r 12 0 5000"), r"0 samples a second"),
        (_rewrite("r 12 500 5000", "r 12 500 99999999999999"), r"is cut short"),
        (_rewrite("r 12 500 5000", "r 12 500"), r"does not say how many samples"),
        (_rewrite("r 12 500 5000", "r 13 500 5000"), r"promises 13 signals but does not name each"),
        (_rewrite("r 12 500 5000", "r 0 500 5000"), r"promises 0 signals"),
        (_rewrite("r.dat 16 ", "r.dat 999 "), r"signal format 999"),
    ],
)
def test_a_broken_record_is_refused_in_one_sentence(
    tmp_path: Path, breaking: Callable[[Path], object], sentence: str
) -> None:
    write_record(tmp_path / "r", np.zeros((5000, 12)))
    breaking(tmp_path / "r")
    with pytest.raises(InputMistake, match=sentence) as raised:
        read_signal(tmp_path / "r")
    assert "\n" not in str(raised.value)


def test_record_lists_are_checked_and_paths_stay_inside_their_folder(tmp_path: Path) -> None:
    folder = write_ecgs(tmp_path / "ecg")
    assert read_record_list(folder)["study_id"].to_list() == [11, 12, 13, 14, 21, 71]
    with pytest.raises(InputMistake, match="leads out of the ECG folder"):
        record_path(folder, "../../secret")
    with pytest.raises(InputMistake, match=r"has no record_list\.csv"):
        read_record_list(tmp_path)
    listed = folder / "record_list.csv"
    text = listed.read_text()
    for old, new, sentence in [
        ("study_id", "number", "has no column study_id"),
        ("1,12,12,", "1,11,12,", "has study_id 11 twice"),
        (at(1001, -5), "noon", "without a readable ecg_time"),
    ]:
        listed.write_text(text.replace(old, new, 1))
        with pytest.raises(InputMistake, match=sentence):
            read_record_list(folder)


@needs_demo
def test_a_real_recording_in_another_format_is_read() -> None:
    signal = read_signal(SHARED / "data/ecg-12lead/cinc2021/JS20019")
    assert signal.signal_mv.shape == (5000, 12) and signal.fs == 500 and set(signal.sig_name) == set(MIMIC_LEADS)
    assert 0.2 < np.nanmax(np.abs(signal.signal_mv)) < 10


def test_a_hash_tells_contents_of_header_and_samples_apart_wherever_they_lie(tmp_path: Path) -> None:
    signal = np.random.default_rng(2).normal(0, 0.3, (5000, 12))
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        write_record(tmp_path / place / "r", signal)
    one, other = (tmp_path / place / "r" for place in ("a", "b"))
    known = content_sha256(one, read_header(one))
    assert known == content_sha256(other, read_header(other)) and len(known) == 64
    samples = other.with_suffix(".dat")
    content = samples.read_bytes()
    samples.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert content_sha256(other, read_header(other)) != known
    samples.write_bytes(content)
    _rewrite("V6", "V7")(other)
    assert content_sha256(other, read_header(other)) != known
