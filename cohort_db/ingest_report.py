"""What an ingest did, as numbers: rows by source and reason, attrition, samples, parts, seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from cohort_db.mimic_staging import SourceCount
from cohort_db.schema import attrition, sample, split


@dataclass
class IngestReport:
    """One ingest; `as_dict` gives the same as JSON.

    Attributes:
        dataset: its name.
        sources: rows read, kept and dropped by reason, for every source that was read this time.
        added: rows new in the store, by step.
        skipped: steps that had finished before with the same files and settings.
        attrition: rows of the table attrition, in order.
        n_samples, n_with_ecg, n_events: samples of the task, those with a linked ECG, those with label 1.
        n_by_split: part -> n of samples and events.
        seconds: by step.
    """

    dataset: str
    sources: list[SourceCount] = field(default_factory=list)
    added: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    attrition: list[dict[str, Any]] = field(default_factory=list)
    n_samples: int = 0
    n_with_ecg: int = 0
    n_events: int = 0
    n_by_split: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts, lists, numbers and text."""
        return asdict(self)

    def describe_cohort(self, conn: Connection, task: str) -> None:
        """Attrition, samples and parts are those in the store."""
        query = select(attrition).where(attrition.c.task == task).order_by(attrition.c.step)
        self.attrition = [dict(row) for row in conn.execute(query).mappings()]
        counts = (func.count(), func.coalesce(func.sum(sample.c.label), 0))
        of_task = sample.c.task == task
        ecgs = func.count(sample.c.study_id)
        self.n_samples, self.n_events, self.n_with_ecg = map(
            int, conn.execute(select(*counts, ecgs).where(of_task)).one()
        )
        parts = (
            select(split.c.split, *counts)
            .join_from(sample, split, (split.c.subject_id == sample.c.subject_id) & (split.c.task == sample.c.task))
            .where(of_task)
            .group_by(split.c.split)
        )
        self.n_by_split = {part: {"n": int(n), "events": int(events)} for part, n, events in conn.execute(parts)}
