"""A run and its samples in, one hash of the data that every number about them is made of, out.

Two reports or exports with the same hash were made of the same outcomes, the same predictions and the same definition
of the cohort, in whatever store and on whatever day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from cohort_db import read, read_results
from cohort_db.schema import prediction, sample
from cohort_db.store import Store


def data_hash(definition: Mapping[str, Any], rows: Iterable[tuple[str, int | None, float]]) -> str:
    """SHA-256 over the definition and the rows (sample_id, label or None, p), sorted; 64 hexadecimal digits.

    Probabilities are hashed bit by bit (as hexadecimal floats), so that no rounding hides a difference.

    Args:
        definition: what `read.task_definition` says: task, t0_hours, cut_hours, rules.
    """
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True, default=str).encode())
    # Sorted here, because databases do not agree on the order of texts.
    for sample_id, label, p in sorted(rows, key=lambda row: row[0]):
        digest.update(f"\n{sample_id}\t{'' if label is None else int(label)}\t{float(p).hex()}".encode())
    return digest.hexdigest()


def hash_of_run(store: Store, run_id: str, split: str | None = None, *, conn: Connection | None = None) -> str:
    """The hash of the run's predictions (on one split), those without a known outcome among them.

    Args:
        conn: the caller's reading connection, where the hash must be of the very moment that it sees.
    Raises: UnknownRun; InputMistake where the task has no definition.
    """
    definition = read.task_definition(store, str(read_results.run(store, run_id)["task"]))
    if conn is not None:
        return data_hash(definition, _rows(conn, run_id, split))
    with store.reading() as own:
        return data_hash(definition, _rows(own, run_id, split))


def _rows(conn: Connection, run_id: str, split: str | None) -> Iterable[tuple[str, int | None, float]]:
    joined = prediction.join(sample, sample.c.sample_id == prediction.c.sample_id)
    query = select(prediction.c.sample_id, sample.c.label, prediction.c.p).select_from(joined)
    query = query.where(prediction.c.run_id == run_id)
    if split is not None:
        query = query.where(prediction.c.split == split)
    return ((row.sample_id, row.label, row.p) for row in conn.execute(query))
