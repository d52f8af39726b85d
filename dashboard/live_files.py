"""The files of an upload in, the ECG recordings among them out; each is read when it is chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cohort_db.errors import InputMistake
from dashboard.live_ecg_csv import read_ecg_csv
from dashboard.live_limits import MOST_ECG_MB, MOST_FILES
from dashboard.live_npz import read_npz
from dashboard.live_raw_ecg import RawEcg
from dashboard.live_wfdb import read_wfdb, signal_files

ECG_TYPES = ("hea", "dat", "mat", "csv", "npz")
# A name and nothing of a path; what it holds beside letters is shown as it is, never as markup.
_FILE_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,120}")
_WFDB_NAME = re.compile(r"[\w-]+\.hea", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Upload:
    """One recording of the upload: its name, and the format it is in."""

    name: str
    kind: str


def check_upload(sizes: Iterable[tuple[str, int]]) -> None:
    """Raise InputMistake for more than is read, or names that are none; called before any content is touched."""
    sizes = list(sizes)
    if len(sizes) > MOST_FILES:
        raise InputMistake(f"{len(sizes)} files were chosen: at most {MOST_FILES} are read at once")
    if sum(size for _, size in sizes) > MOST_ECG_MB * 1_000_000:
        raise InputMistake(
            f"the files have more than {MOST_ECG_MB} MB together: cut the part out that is to be predicted"
        )
    names = [name for name, _ in sizes]
    if not all(_FILE_NAME.fullmatch(name) for name in names):
        raise InputMistake("a file's name holds a path or signs that no name has: rename it")
    if len(set(names)) < len(names):
        raise InputMistake("two files have the same name: are they of one patient?")


def uploads_in(files: Mapping[str, bytes]) -> tuple[list[Upload], list[str]]:
    """Return the recordings in the order of their names, and a sentence for each file that belongs to none.

    Raises: InputMistake where there is no recording at all.
    """
    found, used, notes = [], set(), []
    for name in sorted(files):
        suffix = name.rpartition(".")[2].lower()
        if suffix == "hea" and _WFDB_NAME.fullmatch(name):
            found.append(Upload(name[:-4], "WFDB"))
            used |= {name, *_named_by(files[name], name[:-4])}
        elif suffix == "hea":
            raise InputMistake(f"{name} cannot be a record's name: letters, digits, - and _ alone")
        elif suffix in ("csv", "npz"):
            found.append(Upload(name, suffix.upper()))
            used.add(name)
    notes = [f"{name} is named by no header and is not read" for name in sorted(set(files) - used)]
    if not found:
        raise InputMistake(f"a WFDB record is one .hea and its .dat or .mat, however: {', '.join(sorted(files))}")
    return found, notes


def read_upload(upload: Upload, files: Mapping[str, bytes]) -> RawEcg:
    """Return what the recording's file holds; raise InputMistake in one sentence for what cannot be read."""
    if upload.kind == "WFDB":
        return read_wfdb(upload.name, files)
    reader = read_npz if upload.kind == "NPZ" else read_ecg_csv
    return reader(upload.name, files[upload.name])


def _named_by(header: bytes, name: str) -> tuple[str, ...]:
    """Return the signal files of a header; none of one that cannot be read, which is said when it is chosen."""
    try:
        return signal_files(header, name)
    except InputMistake:
        return ()
