"""Uploads made to do harm: each is refused in one sentence, in little memory; nothing outside the upload is read."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from live_support import LEADS, csv_file, heart, npz_file, read_all, wfdb_files, zipped

from cohort_db import ecg_wfdb
from cohort_db.errors import InputMistake
from dashboard.live_ehr import ehr_csv, neutral, read_ehr_csv
from dashboard.live_files import check_upload
from dashboard.live_limits import MOST_ECG_MB, MOST_SAMPLES
from dashboard.wording import literal

SIGNAL = heart()
Files = dict[str, bytes]


def rewritten(old: str, new: str) -> Files:
    files = wfdb_files(SIGNAL)
    text = files["case.hea"].decode()
    assert old in text
    return files | {"case.hea": text.replace(old, new).encode("utf-8")}


def assert_refused(files: Files, sentence: str, *, most_mb: float = 60) -> None:
    """The upload is refused in one sentence that names no path, in bounded memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputMistake, match=sentence) as raised:
            read_all(files, fs=500, unit="mV")
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    said = str(raised.value)
    assert "\n" not in said and len(said) < 300 and "Traceback" not in said and "/tmp" not in said
    assert peak_mb < most_mb


PLACES = ["../../etc/passwd", "/etc/passwd", "..", "sub/case.dat", "https://example.org/case.dat", "s3://b/case.dat",
          "file:///etc/passwd", "C:\\case.dat", "~", "-", "case.dat::zip", "pn-dir/mitdb/100.dat"]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_header_that_names_a_file_elsewhere_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("wfdb was asked")

    monkeypatch.setattr(ecg_wfdb.wfdb, "rdheader", opened)
    monkeypatch.setattr(ecg_wfdb.wfdb, "rdrecord", opened)
    files = rewritten("case.dat", place)
    # A file of that very name in the upload does not help.
    assert_refused(
        files | ({place: b"x" * 120_000} if "/" not in place else {}), "not beside it|no WFDB header|needs|no name has"
    )


def test_nothing_but_the_uploads_own_bytes_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret.dat"
    secret.write_bytes(b"\x01\x02" * 60_000)
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    real_open = io.open

    def noted(file: object, *args: object, **kwargs: object) -> object:
        asked.append(os.fspath(file) if not isinstance(file, int) else str(file))  # type: ignore[call-overload]
        return real_open(file, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", noted)
    monkeypatch.setattr(io, "open", noted)
    with pytest.raises(InputMistake, match="needs secret"):
        read_all(rewritten("case.dat", "secret.dat"))
    assert not any("secret" in name for name in asked)
    read_all(wfdb_files(SIGNAL))
    assert {Path(name).name for name in asked} >= {"case.hea"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("case 12 500 5000", "case 12 500 1000000000000", "cut short"),
        ("case 12 500 5000", "case 12 500 " + "9" * 30, "no WFDB header"),
        ("case 12 500 5000", "case 1000000 500 5000", "promises 1000000 signals"),
        ("case 12 500 5000", "case -1 500 5000", "no WFDB header"),
        ("case 12 500 5000", "case 12 -500 5000", "no WFDB header"),
        ("case 12 500 5000", "case 12 0 5000", "0 samples a second"),
        ("case 12 500 5000", "case 12 500 -5000", "no WFDB header|does not say how many"),
        ("case 12 500 5000", "case 12 500 0", "does not say how many"),
        ("case 12 500 5000", "case 12 1e300 5000", "no WFDB header"),
        ("case 12 500 5000", "case/3 12 500 5000", "several segments"),
        ("case 12 500 5000", "../case 12 500 5000", "no WFDB header"),
        ("case.dat 16 ", "case.dat 16:999999999999 ", "skew or a frame"),
        ("case.dat 16 ", "case.dat 16x1000000 ", "skew or a frame"),
        ("case.dat 16 ", "case.dat 16+999999999999 ", "cut short"),
        ("case.dat 16 ", "case.dat 16+-24 ", "no WFDB header"),
        ("case.dat 16 ", "case.dat 516 ", "compressed"),
        ("case.dat 16 ", "case.dat 77 ", "signal format 77"),
        ("case.dat 16 ", "case.dat 16\x00 ", "no WFDB header"),
        ("case.dat 16 ", "case.dat 16\x0b", "no WFDB header"),
        ("mV", "µV", "not ASCII"),
        ("V6", "V" + "6" * 5000, "a line of more than"),
    ],
)
def test_a_header_of_absurd_numbers_is_refused(old: str, new: str, sentence: str) -> None:
    assert_refused(rewritten(old, new), sentence)


def test_a_multi_segment_header_reads_no_segment(tmp_path: Path) -> None:
    files = wfdb_files(SIGNAL) | {"case.hea": b"case/2 12 500 10000\n../../etc/passwd 5000\nhttp://x.org/y 5000\n"}
    assert_refused(files, "several segments")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no WFDB header"),
        (b"\x00" * 100, "no WFDB header"),
        (b"#" * 10 + b"\n" * 100_000, "more than 64 kB"),
        ("case 12 500 5000".encode("utf-16"), "no WFDB header"),
        (b"case 12 500 5000\n", "does not name each"),
    ],
)
def test_a_header_that_is_none_is_refused(content: bytes, sentence: str) -> None:
    assert_refused(wfdb_files(SIGNAL) | {"case.hea": content}, sentence)


def test_a_record_larger_than_is_read_is_refused_before_room_is_made_for_it() -> None:
    n = MOST_SAMPLES + 2
    header = f"case 1 500 {n}\ncase.dat 80 200 8 0 0 0 0 I\n"
    assert_refused({"case.hea": header.encode(), "case.dat": bytes(n)}, "at most 6,000,000", most_mb=40)


def test_truncated_signal_files_are_refused() -> None:
    files = wfdb_files(SIGNAL)
    for left in (0, 1, 1000):
        assert_refused(files | {"case.dat": files["case.dat"][:left]}, "cut short")


def raw_npy(shape: str, descr: str = "'<f8'", body: bytes = b"") -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


class Harm:
    ran = False

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return setattr, (Harm, "ran", True)


def test_a_pickle_in_an_npz_is_never_loaded() -> None:
    with_object = npz_file({"I": np.array([Harm()] * 5, dtype=object), "fs": 500})
    assert_refused({"a.npz": with_object}, "pickle")
    assert_refused({"a.npz": zipped({"I.npy": pickle.dumps(Harm())})}, "no array that can be read")
    assert_refused({"a.npz": pickle.dumps(Harm())}, "is no NPZ file")
    assert not Harm.ran


def bomb_with_false_size() -> bytes:
    """A zip whose directory states 100 bytes for a member of 300 MB."""
    content = bytearray(zipped({"I.npy": raw_npy("(5000,)") + bytes(300_000_000)}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 100)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda: zipped({"I.npy": bytes(200_000_000)}), "unpacks to 200 MB"),
        (bomb_with_false_size, "not as long as it says|damaged|no array"),
        (lambda: zipped({"I.npy": bytes(40_000_000)}, zipfile.ZIP_BZIP2), "NumPy does not write"),
        (lambda: zipped({"I.npy": bytes(40_000_000)}, zipfile.ZIP_LZMA), "NumPy does not write"),
        (lambda: zipped({"I.npy": raw_npy("(1000000000000,)")}), "not as long as it says"),
        (lambda: zipped({"I.npy": raw_npy("(-5,)", body=bytes(40))}), "not as long|no array"),
        (lambda: zipped({"I.npy": raw_npy("(0,)", "'<f8'")}), "no valid sample|one length|not as long"),
        (lambda: zipped({"I.npy": raw_npy("(5,)", "'|V8'", bytes(40))}), "neither numbers nor text"),
        (lambda: zipped({"I.npy": raw_npy("(5,)", "[('a', '<f8')]", bytes(40))}), "neither numbers nor text"),
        (lambda: zipped({"I.npy": raw_npy("(5,)", "__import__('os').system('x')", bytes(40))}), "no array"),
        (lambda: zipped({"I.npy": raw_npy("(" * 3000, "'<f8'")}), "no array that can be read"),
        (lambda: zipped({"../../I.npy": raw_npy("(5,)", body=bytes(40))}), "no array of its own"),
        (lambda: zipped({"/etc/I.npy": raw_npy("(5,)", body=bytes(40))}), "no array of its own"),
        (lambda: zipped({f"a{n}.npy": raw_npy("(1,)", body=bytes(8)) for n in range(1000)}), "holds 1,000 arrays"),
        (lambda: zipped({"inner.zip": bytes(100)}), "no array of its own"),
        (lambda: npz_file(dict.fromkeys(LEADS, SIGNAL[:, 0]))[:5000], "no NPZ file|damaged"),
        (lambda: b"", "no NPZ file"),
        (lambda: b"\x00" * 1000, "no NPZ file"),
        (lambda: npz_file({"I": np.array(["=cmd()"] * 5000), "fs": 500}), "text where the numbers"),
        (lambda: npz_file({"signal": np.zeros((10, 70), np.int8), "names": np.array(["I"] * 70)}), "70 signals"),
        (lambda: npz_file({"I": np.zeros(MOST_SAMPLES + 1, np.int8)}), "at most 6,000,000"),
    ],
)
def test_an_npz_made_to_harm_is_refused_in_little_memory(content: Callable[[], bytes], sentence: str) -> None:
    assert_refused({"a.npz": content()}, sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"I,II\n1,2\n\x003,4\n", "NUL bytes"),
        ("I,II\n1,2\n".encode("utf-16"), "NUL bytes|UTF-8"),
        (b"I,II\n1,\xff\xfe\n", "not UTF-8"),
        (b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", "a line of 7,7"),
        (b"I," * 100 + b"\n" + b"1," * 100, "101 columns"),
        (b"I,II\n" + b"1,2\n" * 1_000_001, "1,000,002 lines"),
        (b"I,II\n1," + b"9" * 5_000_000 + b"\n", "a line of 4,8"),
        (b'I,II\n1,"' + b"9\n" * 5000, "no table|text where"),
        (b"I,II\n1,2,3\n", "no table"),
        (b"I,II\n1,2\n=cmd|' /C calc'!A0,4\n", "line 3: lead I holds text"),
        (b"I,II\n1,2\n@SUM(A1),4\n", "line 3: lead I holds text"),
        (b"I,II\n1,1e9999\n" * 1, "text where|no valid|sampled"),
        (b"\xef\xbb\xbf", "no header|empty"),
    ],
)
def test_a_csv_made_to_harm_is_refused(content: bytes, sentence: str) -> None:
    assert_refused({"a.csv": content}, sentence, most_mb=200)
    assert b"cmd" not in sentence.encode()


def test_every_cut_of_good_files_is_read_or_refused_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    good = {"a.npz": npz_file({"signal": SIGNAL[:600], "names": np.array(LEADS), "fs": 500})}
    good |= {"b.csv": csv_file(SIGNAL[:600])} | wfdb_files(SIGNAL[:600])
    outcomes = []
    for _ in range(150):
        name = str(rng.choice(list(good)))
        content = bytearray(good[name])
        for at in rng.integers(0, len(content), rng.integers(1, 6)):
            content[at] = rng.integers(0, 256)
        cut = content[: rng.integers(0, len(content) + 1)] if rng.random() < 0.4 else content
        try:
            outcomes.append(bool(read_all(good | {name: bytes(cut)}, fs=500, unit="mV")))
        except InputMistake as mistake:
            assert "\n" not in str(mistake)
            outcomes.append(False)
    assert any(outcomes) and not all(outcomes)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ([(f"{n}.dat", 1) for n in range(25)], "at most 24"),
        ([("a.csv", MOST_ECG_MB * 1_000_000 + 1)], "MB together"),
        ([("../a.csv", 1)], "holds a path"),
        ([("a\x00.csv", 1)], "holds a path"),
        ([("C:\\a.csv", 1)], "holds a path"),
        ([("a" * 200 + ".csv", 1)], "holds a path"),
        ([("a.csv", 1), ("a.csv", 1)], "the same name"),
    ],
)
def test_names_and_sizes_are_checked_before_any_content(sizes: list[tuple[str, int]], sentence: str) -> None:
    with pytest.raises(InputMistake, match=sentence):
        check_upload(sizes)


@pytest.mark.parametrize("cell", ["=cmd()", "+1+cmd|'/C calc'!A0", "-2+3+cmd()", "@SUM(A1:A9)", "\t=cmd()", "=1"])
def test_a_formula_in_the_record_is_refused_and_not_repeated(cell: str) -> None:
    for row, where in ((f"{cell},1,2", "line 3"), (f"sbp,{cell},2", "line 3"), (f"sbp,1,{cell}", "line 3")):
        content = f"variable,hours,value\nsbp,1,120\n{row}\n".encode()
        with pytest.raises(InputMistake, match=where) as raised:
            read_ehr_csv(content)
        assert "cmd" not in str(raised.value) and "SUM" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"variable,hours,value\n" + b"x" * 20_000 + b",1,2\n", "a line of 19 kB"),
        (b"variable,hours,value\n<img src=x>,1,2\n", "names no variable"),
        (b"variable,hours,value\n![x](http://a.b/c.png),1,2\n", "names no variable"),
        (b"variable,hours,value\nsbp,1,2\x00\n", "NUL"),
        (b"variable,hours,value\n" + b"sbp,1,2\n" * 50_001, "lines"),
        (b"variable,hours,value\n" + b"sbp,1,2\n" * 300_000, "more than 2 MB"),
        ("variable,hours,value\nsbp,1,µ\n".encode("latin-1"), "not UTF-8"),
        (b"variable,hours,value\nsbp,inf,2\n", "no number for hours"),
    ],
)
def test_a_record_made_to_harm_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(InputMistake, match=sentence) as raised:
        read_ehr_csv(content)
    assert "<img" not in str(raised.value) and "http" not in str(raised.value)


def test_downloads_hold_no_formula_for_a_spreadsheet() -> None:
    import pandas as pd

    values = pd.DataFrame({"variable": ["=cmd()"], "offset_s": [0.0], "value": [-1.0], "stored_offset_s": [np.nan]})
    text = ehr_csv(values, {"@age": 3.0})
    assert not any(cell.startswith(("=", "@")) for line in text.splitlines() for cell in line.split(","))
    assert neutral("sbp") == "sbp" and neutral("+1") == "'+1"


def test_words_of_a_file_are_no_markdown() -> None:
    assert literal("![x](http://a.b/c.png)") == r"\!\[x\]\(http\:\/\/a.b/c.png\)".replace(r"\/", "/")
