"""The bytes of a WFDB header in, its lines checked out: nothing reaches wfdb that names other files or absurd numbers.

wfdb opens whatever file a header names, by a local path or a remote address, and believes the sizes it states. So a
header is read here first, by a narrower grammar: one segment, plain file names, numbers of a few digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cohort_db.errors import InputMistake

# A header of 64 signals with long comments has 10 kB.
MOST_HEADER_BYTES = 64 * 1024
MOST_LINE = 1024
# Samples by which a signal may lag behind the others of its file: wfdb makes room for as many.
MOST_SKEW = 10_000
MOST_PER_FRAME = 64

_NAME = re.compile(r"\w[\w-]*(\.\w+)?", re.ASCII)
_RECORD = re.compile(
    r"(?P<name>\S+)\s+(?P<n_sig>\d{1,12})(\s+(?P<fs>\S+)(\s+(?P<sig_len>\d{1,18})(\s.*)?)?)?", re.ASCII
)
_FS = re.compile(r"\d{1,12}(\.\d{0,12})?(/[-\d.]{1,24}(\([-\d.]{1,24}\))?)?", re.ASCII)
_FORMAT = re.compile(
    r"(?P<fmt>\d{1,3})(x(?P<per_frame>\d{1,12}))?(:(?P<skew>\d{1,12}))?(\+(?P<offset>\d{1,12}))?", re.ASCII
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class HeaderLines:
    """What a header states: the number of signals, and for each the file that holds it and its format."""

    n_sig: int
    files: tuple[str, ...]
    formats: tuple[str, ...]


def header_lines(content: bytes, name: str) -> HeaderLines:
    """Return what the header called `name` (without suffix) states.

    Raises: InputMistake saying in a sentence why it cannot be read, or must not be.
    """
    lines = _plain_lines(content, name)
    if not lines:
        raise InputMistake(f"{name}.hea is no WFDB header")
    record = _RECORD.fullmatch(lines[0])
    if record and re.fullmatch(r"[\w-]+/\d*", record["name"], re.ASCII):
        raise InputMistake(f"{name} has several segments: only single records can be read")
    if not record or not _NAME.fullmatch(record["name"]) or not _FS.fullmatch(record["fs"] or "250"):
        raise InputMistake(f"{name}.hea is no WFDB header")
    n_sig = int(record["n_sig"])
    if n_sig and len(lines) - 1 != n_sig:
        raise InputMistake(f"{name}.hea promises {n_sig} signals but does not name each of them once")
    signals = [_signal(line, name) for line in lines[1:]]
    return HeaderLines(n_sig, tuple(file for file, _ in signals), tuple(fmt for _, fmt in signals))


def _plain_lines(content: bytes, name: str) -> list[str]:
    """Return the lines that are no comments, in letters that every reader reads alike."""
    if len(content) > MOST_HEADER_BYTES:
        raise InputMistake(f"{name}.hea has more than {MOST_HEADER_BYTES // 1024} kB: that is no header of an ECG")
    lines = [line.strip() for line in content.replace(b"\r\n", b"\n").split(b"\n")]
    stated = [line for line in lines if line and not line.startswith(b"#")]
    if any(_CONTROL.search(line) for line in lines):
        raise InputMistake(f"{name}.hea is no WFDB header")
    if not all(line.isascii() for line in stated):
        # wfdb drops such letters in silence: it reads µV as V, a million times more.
        raise InputMistake(f"{name}.hea holds a letter that is not ASCII (a µ in a unit?): microvolts are written uV")
    if any(len(line) > MOST_LINE for line in stated):
        raise InputMistake(f"{name}.hea has a line of more than {MOST_LINE} letters: that is no header of an ECG")
    return [line.decode("ascii") for line in stated]


def _signal(line: str, name: str) -> tuple[str, str]:
    """Return (file, format) of one signal's line."""
    file, stated = (*line.split(maxsplit=2), "", "")[:2]
    if not _NAME.fullmatch(file):
        raise InputMistake(f"{name}.hea names a file that is not beside it: a path or an address is not followed")
    fields = _FORMAT.fullmatch(stated)
    if not fields:
        raise InputMistake(f"{name}.hea is no WFDB header")
    if int(fields["skew"] or 0) > MOST_SKEW or int(fields["per_frame"] or 1) > MOST_PER_FRAME:
        raise InputMistake(f"{name}.hea gives a signal a skew or a frame that no ECG has")
    return file, fields["fmt"]
