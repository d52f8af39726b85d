"""Which steps of an ingest are done: fingerprints of what a step reads, and the table of those that finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from cohort_db.schema import ingest_step
from cohort_db.store import insert_new

# Part of every fingerprint: raise it when the same files must give other rows, and every step is done again.
_RULES_VERSION = 2
_SAMPLED_BYTES = 64 * 1024


def fingerprint(files: Iterable[Path], settings: Any) -> str:
    """Return a hash of the files' names and contents, and of the settings; times do not count.

    Of a gzip file its length and its first and last 64 KiB are read: it ends with a checksum of all that it holds.

    Args:
        settings: anything that JSON can hold.
    """
    digest = hashlib.sha256(json.dumps([_RULES_VERSION, settings], sort_keys=True).encode())
    for file in files:
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        with file.open("rb") as handle:
            if file.suffix == ".gz":
                digest.update(handle.read(_SAMPLED_BYTES))
                handle.seek(max(0, file.stat().st_size - _SAMPLED_BYTES))
                digest.update(handle.read(_SAMPLED_BYTES))
            else:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def finished_steps(conn: Connection, dataset_id: int | None) -> dict[str, str]:
    """Return step -> fingerprint of the steps that finished."""
    query = select(ingest_step.c.step, ingest_step.c.fingerprint).where(ingest_step.c.dataset_id == dataset_id)
    return {row.step: row.fingerprint for row in conn.execute(query)} if dataset_id is not None else {}


def mark_finished(conn: Connection, dataset_id: int, step: str, mark: str, n_rows: int) -> None:
    """The step counts as finished under this fingerprint."""
    forget(conn, dataset_id, step)
    done = {"dataset_id": dataset_id, "step": step, "fingerprint": mark, "n_rows": n_rows}
    insert_new(conn, ingest_step, [done | {"finished_at": datetime.now(UTC).replace(tzinfo=None)}])


def forget(conn: Connection, dataset_id: int | None, step: str) -> None:
    """The step counts as not finished; for every dataset where none is given."""
    chosen = delete(ingest_step).where(ingest_step.c.step == step)
    conn.execute(chosen if dataset_id is None else chosen.where(ingest_step.c.dataset_id == dataset_id))


def forget_cohorts(conn: Connection) -> None:
    """No cohort counts as finished, of any task: rows that it was built from have changed."""
    conn.execute(delete(ingest_step).where(ingest_step.c.step.startswith("cohort:")))
