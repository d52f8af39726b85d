"""An uploaded WFDB header and its signal files in, their samples out; nothing outside the upload is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cohort_db.ecg_header_lines import header_lines
from cohort_db.ecg_wfdb import COMPRESSED_FORMATS, read_header, read_samples
from cohort_db.errors import InputMistake
from dashboard.live_raw_ecg import RawEcg, check_size


def signal_files(header: bytes, name: str) -> tuple[str, ...]:
    """Return the names of the files that hold the samples of the header called `name`; raise InputMistake."""
    return tuple(dict.fromkeys(header_lines(header, name).files))


def read_wfdb(name: str, files: Mapping[str, bytes]) -> RawEcg:
    """Return the record `name`.

    Args:
        files: file name -> content of the whole upload, of which the header may name no other.
    Raises: InputMistake saying in a sentence why the record cannot be read, or is too large.
    """
    header = next(content for file, content in files.items() if file.lower() == f"{name}.hea".lower())
    stated = header_lines(header, name)
    absent = [file for file in dict.fromkeys(stated.files) if file not in files]
    if absent:
        raise InputMistake(f"{name}.hea needs {', '.join(absent)}: choose both files together")
    if set(stated.formats) & set(COMPRESSED_FORMATS):
        raise InputMistake(f"{name} is compressed (FLAC), which is not taken from an upload: write it in format 16")
    with TemporaryDirectory() as folder:
        record = Path(folder) / name
        record.with_name(f"{name}.hea").write_bytes(header)
        for file in dict.fromkeys(stated.files):
            record.with_name(file).write_bytes(files[file])
        facts = read_header(record)
        check_size(facts.sig_len, len(facts.sig_name), name)
        return RawEcg(read_samples(record, facts), facts.sig_name, facts.units, facts.fs)
