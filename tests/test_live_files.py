"""What the live page takes: WFDB, CSV and NPZ of one and the same ECG are one recording, by name and in millivolts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from live_support import LEADS, csv_file, heart, npz_file, read_all, wfdb_files

from cohort_db.errors import InputMistake
from dashboard.live_files import uploads_in
from dashboard.live_raw_ecg import Recording, lead_and_unit
from dashboard.live_window import leads_in_words

SIGNAL = heart()


def same(found: Recording, signal: np.ndarray = SIGNAL, fs: float = 500, atol: float = 1e-9) -> bool:
    """The recording holds each lead's own signal, wherever its column stands."""
    order = [found.leads.index({"aVR": "aVR"}.get(lead, lead)) for lead in LEADS]
    return found.fs == fs and bool(np.allclose(found.signal_mv[:, order], signal, atol=atol))


def test_a_wfdb_pair_is_read_as_wfdb_reads_it(tmp_path: Path) -> None:
    files = wfdb_files(SIGNAL)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (found,) = read_all(files)
    np.testing.assert_array_equal(found.signal_mv, wfdb.rdrecord(str(tmp_path / "case")).p_signal)
    assert (found.leads, found.fs, found.unit, found.unit_from) == (tuple(LEADS), 500, "mV", "the file")


@pytest.mark.parametrize("unit_and_scale", [("mV", 1.0), ("uV", 1000.0), ("V", 0.001)])
def test_one_ecg_in_every_format_unit_and_layout_is_the_same_recording(unit_and_scale: tuple[str, float]) -> None:
    unit, scale = unit_and_scale
    scaled = SIGNAL * scale
    by_lead = {lead: scaled[:, column] for column, lead in enumerate(LEADS)} | {"fs": 500, "unit": unit}
    matrix = {"signal": scaled, "names": np.array(LEADS), "fs": np.array([500.0]), "units": unit}
    uploads = {
        "table.csv": csv_file(scaled),
        "named.csv": csv_file(scaled, [f"Lead {lead} ({unit})" for lead in LEADS]),
        "semicolons.csv": csv_file(scaled).replace(b",", b";").replace(b".", b","),
        "timed.csv": csv_file(scaled, time_s=np.arange(len(scaled)) / 500),
        "leads.npz": npz_file(by_lead),
        "matrix.npz": npz_file(matrix),
        "turned.npz": npz_file(matrix | {"signal": scaled.T, "names": np.array(LEADS, dtype="S")}, packed=False),
        "columns.npz": npz_file(matrix | {"signal": np.asfortranarray(scaled.astype(">f8"))}),
    }
    found = read_all(uploads, fs=500, unit=unit)
    assert [one.name for one in found] == sorted(uploads)
    for one in found:
        assert same(one), one.name
    says = {one.name: (one.unit_from, one.fs_from) for one in found}
    assert says["table.csv"] == ("you", "you") and says["named.csv"] == ("the file", "you")
    assert says["timed.csv"][1] == "its column of times" and says["leads.npz"] == ("the file", "the file")


@pytest.mark.parametrize("fs", [100, 250, 500, 1000])
def test_the_rate_is_taken_from_the_file_or_its_times_whatever_it_is(fs: int) -> None:
    signal = heart(fs=fs)
    ms = csv_file(signal, **{"time (ms)": np.arange(len(signal)) * 1000 / fs})
    for found in (*read_all(wfdb_files(signal, fs=fs)), *read_all({"a.csv": ms}, unit="mV")):
        assert found.fs == fs and found.seconds == pytest.approx(10.0)


def test_several_recordings_of_one_upload_are_all_there_and_a_file_of_none_is_named() -> None:
    files = wfdb_files(SIGNAL, name="one") | wfdb_files(-SIGNAL, name="two") | {"three.csv": csv_file(SIGNAL)}
    one, three, two = read_all(files, fs=500, unit="mV")
    assert same(one, atol=1e-3) and same(two, -SIGNAL, atol=1e-3) and same(three)
    _, notes = uploads_in(files | {"left.dat": b"12"})
    assert notes == ["left.dat is named by no header and is not read"]


def test_other_columns_are_not_read_and_named_and_missing_leads_are_said() -> None:
    kept = [0, 1, 6, 7, 8, 9, 10]
    leads = [LEADS[column] for column in kept]
    content = csv_file(SIGNAL[:, kept], leads, SpO2=np.full(5000, 97.0), comment=["a word"] * 5000)
    (found,) = read_all({"a.csv": content}, fs=500, unit="mV")
    assert found.ignored == ("SpO2", "comment") and found.leads == tuple(leads)
    assert found.missing == ("III", "aVR", "aVL", "aVF", "V6") and found.derivable == ("III", "aVR", "aVL", "aVF")
    words = leads_in_words(found)
    assert (
        words
        == "7 of 12; III, aVR, aVL, aVF missing, derived from the other limb leads; V6 missing, empty to the model"
    )
    (one_limb,) = read_all({"a.csv": csv_file(SIGNAL[:, [0, 6]], ["I", "V1"])}, fs=500, unit="mV")
    assert one_limb.derivable == ()


def test_microvolts_in_one_lead_are_microvolts_in_that_lead() -> None:
    content = csv_file(SIGNAL * ([1000.0] + [1.0] * 11), ["I (uV)", *(f"{lead} (mV)" for lead in LEADS[1:])])
    (found,) = read_all({"a.csv": content}, fs=500)
    assert same(found) and found.unit == "uV and mV"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("II", ("II", None)), ("avr", ("aVR", None)), ("Lead V3", ("V3", None)), ("ECG_aVF [mV]", ("aVF", "mV")),
        ("V6(uV)", ("V6", "uV")), ("V7", (None, None)), ("VI", (None, None)), ("", (None, None)),
        ("IV", (None, None)), ("V1 V2", (None, None)), ("MCL1", (None, None)),
    ],
)  # fmt: skip
def test_a_columns_name_means_a_lead_or_nothing(column: str, expected: tuple[str | None, str | None]) -> None:
    assert lead_and_unit(column) == expected


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.csv": csv_file(SIGNAL[:, :2], ["I", "Lead I"])}, "has lead I twice"),
        ({"a.csv": csv_file(SIGNAL[:, :2], ["x", "y"])}, "no column named by a lead"),
        ({"a.csv": csv_file(np.full((5000, 2), np.nan), ["I", "II"])}, "no valid sample"),
        ({"a.npz": npz_file({"signal": SIGNAL, "fs": 500})}, "array without names of its leads"),
        (
            {"a.npz": npz_file({"signal": SIGNAL, "names": np.array(LEADS[:5]), "fs": 500})},
            "one side must be the leads",
        ),
        ({"a.npz": npz_file({"pressure": SIGNAL[:, 0]})}, "neither arrays of one length named by lead"),
        ({"a.npz": npz_file({"I": SIGNAL[:, 0], "II": SIGNAL[:9, 1]})}, "neither arrays of one length"),
        ({"case.hea": wfdb_files(SIGNAL)["case.hea"]}, "needs case.dat: choose both files"),
        ({"case.dat": b"12"}, r"one \.hea and its \.dat"),
        (wfdb_files(SIGNAL[::10], fs=50), "sampled at 50 Hz"),
        (wfdb_files(SIGNAL, unit="mmHg"), "not a known unit"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(files: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(InputMistake, match=sentence) as raised:
        read_all(files, fs=500, unit="mV")
    assert "\n" not in str(raised.value)
