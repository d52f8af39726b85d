"""A store and a run in; a folder of Parquet or CSV tables out, with a data dictionary and a manifest of hashes.

Everything is read at one moment of the store and written some thousand rows at a time, so that 100,000 stays need no
more memory than a hundred. The manifest is written last: a folder without one is not finished.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from sqlalchemy import Connection

from cohort_db import read, read_results
from cohort_db.data_hash import hash_of_run
from cohort_db.errors import InputMistake
from cohort_db.export_arrays import SALIENCY, array_tables
from cohort_db.export_tables import TableQuery, tables_of
from cohort_db.store import Store

FORMATS = ("parquet", "csv")
MANIFEST, DICTIONARY = "manifest.json", "dictionary.csv"
FORMAT_VERSION = 1
_ROWS_AT_ONCE = 20_000
_NOT_OF_THE_RUN = ("config", "fit_report", "folder")  # long, or a place on this machine


@dataclass(frozen=True)
class _Source:
    """A table to be written: its name, its schema, and its batches once there is a connection."""

    name: str
    schema: pa.Schema
    batches: Callable[[Connection], Iterator[pa.RecordBatch]]


def export_tables(
    store: Store,
    run_id: str,
    out: Path,
    *,
    format: str = "parquet",
    audit: bool = False,
    saliency: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Leave the run's tables in the folder `out`; return the manifest.

    The files hold ids and shifted times of patients: guard them like the data.

    Args:
        out: made where it is not there; an earlier export in it is replaced.
        audit: race group, insurance and language of the samples too.
        saliency: the ECG saliency too (12 leads x bins a sample), Parquet alone.
    Raises: UnknownRun; InputMistake for another format, a folder with other files, or a run that has scored nobody.
    """
    run = read_results.run(store, run_id)
    if format not in FORMATS:
        raise InputMistake(f"the format of an export is one of {', '.join(FORMATS)}, however: {format!r}")
    if saliency and format != "parquet":
        raise InputMistake(f"{SALIENCY} is a list of numbers per lead, which {format} cannot hold: export parquet")
    if read_results.n_predictions(store, run_id) == 0:
        raise InputMistake(f"run {run_id} has predicted nobody in this store: run `lemof score` first")
    sources = [_Source(one.name, one.schema, _batches_of(one)) for one in tables_of(run_id, audit=audit)]
    sources += [_Source(one.name, one.schema, one.batches) for one in array_tables(store, run_id, saliency=saliency)]
    _emptied(out)
    files = []
    with store.reading() as conn:
        for number, source in enumerate(sources):
            files.append(_written(source, conn, out / f"{source.name}.{format}"))
            if progress is not None:
                progress(source.name, number + 1, len(sources))
        hashed = hash_of_run(store, run_id, conn=conn)
    _write_dictionary(out / DICTIONARY, sources)
    files.append(_file(out / DICTIONARY, sum(len(source.schema) for source in sources)))
    manifest = {
        "format_version": FORMAT_VERSION,
        "run": {name: value for name, value in run.items() if name not in _NOT_OF_THE_RUN},
        "definition": read.task_definition(store, str(run["task"])),
        "data_hash": hashed,
        "cohort_revision": read_results.cohort_revision(store),
        "files": files,
    }
    text = json.dumps(manifest, indent=2, default=str, sort_keys=True)
    (out / MANIFEST).write_text(text, encoding="utf-8")
    return dict(json.loads(text))


def _emptied(out: Path) -> None:
    """The folder is there, without the files of an earlier export: none of them outlives its manifest."""
    if out.exists() and not out.is_dir():
        raise InputMistake(f"{out} is a file: an export takes a folder")
    known = {MANIFEST, DICTIONARY}
    if (out / MANIFEST).is_file():
        told = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        known |= {str(one["file"]) for one in told.get("files", [])}
    elif out.is_dir() and any(out.iterdir()):
        raise InputMistake(f"the folder {out} holds other files: give a new or an empty one")
    out.mkdir(parents=True, exist_ok=True)
    for name in known:
        (out / Path(name).name).unlink(missing_ok=True)


def _batches_of(table: TableQuery) -> Callable[[Connection], Iterator[pa.RecordBatch]]:
    def batches(conn: Connection) -> Iterator[pa.RecordBatch]:
        found = conn.execute(table.query, execution_options={"yield_per": _ROWS_AT_ONCE})
        for rows in found.partitions():
            columns = []
            for one, values in zip(table.schema, zip(*rows, strict=True), strict=True):
                if one.name in table.json:
                    values = tuple(None if value is None else json.dumps(value, sort_keys=True) for value in values)
                columns.append(pa.array(values, type=one.type))
            yield pa.record_batch(columns, schema=table.schema)

    return batches


def _written(source: _Source, conn: Connection, path: Path) -> dict[str, Any]:
    """The table lies in the file, a row group a batch; returns its entry in the manifest."""
    n_rows = 0
    with _writer(path, source.schema) as writer:
        for batch in source.batches(conn):
            writer.write_batch(batch)
            n_rows += batch.num_rows
    return _file(path, n_rows)


def _writer(path: Path, schema: pa.Schema) -> Any:
    if path.suffix == ".csv":
        return pacsv.CSVWriter(path, schema)
    return pq.ParquetWriter(path, schema, compression="zstd")


def _file(path: Path, n_rows: int) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "table": path.stem, "rows": n_rows, "bytes": path.stat().st_size, "sha256": digest}


def _write_dictionary(path: Path, sources: list[_Source]) -> None:
    """One row per table and column: its type, whether it may be absent, what it means with its unit."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "column", "type", "may_be_absent", "description"])
        for source in sources:
            for one in source.schema:
                words = one.metadata[b"description"].decode()
                writer.writerow([source.name, one.name, str(one.type), str(one.nullable).lower(), words])
