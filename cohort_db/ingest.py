"""In: a MIMIC-IV folder and, if there is one, a MIMIC-IV-ECG folder. Out: the same patients in the store, with samples.

Everything is read and judged before the first row is written, so a mistake in the files leaves the store as it was.
Then step after step is written in short transactions. Rows that are there stay as they are, hence a step may be done
twice: an ingest that was killed is finished by the same command, and a second one changes nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table, select, update

from cohort_db import mimic_iv
from cohort_db.cohort import CohortRules, build
from cohort_db.ecg_records import describe_records, store_records, waveform_fingerprint
from cohort_db.ecg_wfdb import RECORD_LIST, read_record_list
from cohort_db.ingest_checks import read_description, refuse_other_patients, refuse_other_variables
from cohort_db.ingest_report import IngestReport
from cohort_db.ingest_steps import fingerprint, finished_steps, forget, mark_finished
from cohort_db.mimic_intervals import TABLE_OF as INTERVAL_TABLES
from cohort_db.mimic_intervals import stage_intervals
from cohort_db.mimic_measurements import TABLE_OF as MEASUREMENT_TABLES
from cohort_db.mimic_measurements import stage_measurements
from cohort_db.mimic_staging import SourceCount, StagedRows
from cohort_db.sample_tables import store_cohort
from cohort_db.schema import (
    admission,
    dataset,
    diagnosis,
    ecg_record,
    event_interval,
    measurement,
    stay,
    subject,
    variable,
)
from cohort_db.splits import SPLITS_FILE, read_test_patients
from cohort_db.store import Store, insert_frame, insert_new
from cohort_db.variables import CATALOGUE_FILE, variable_rows

DEFAULT_RULES = CohortRules()
_ECGS_PER_TRANSACTION = 5_000
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Patients:
    """Patients with at least one ICU stay, as rows of their tables."""

    subject: pl.DataFrame
    admission: pl.DataFrame
    stay: pl.DataFrame
    diagnosis: pl.DataFrame


def ingest(
    store: Store,
    ehr_folder: Path,
    ecg_folder: Path | None = None,
    *,
    rules: CohortRules = DEFAULT_RULES,
    progress: Progress | None = None,
    seed: int = 0,
) -> IngestReport:
    """Return what was done; afterwards the store holds the folders' patients and the samples of `rules.task`.

    Args:
        progress: told (step, done, total) while working; total is 0 where it is not known beforehand.
        seed: of the split.
    Raises: InputMistake where a folder, file, column or value cannot be used, or samples with predictions would change.
    """
    return _Ingest(store, ehr_folder, ecg_folder, rules, progress or (lambda step, done, total: None), seed).run()


class _Ingest:
    """One ingest: made = every small file is read and checked; `run` = big files are staged, then all is written."""

    def __init__(
        self, store: Store, ehr: Path, ecg: Path | None, rules: CohortRules, progress: Progress, seed: int
    ) -> None:
        self.store, self.rules, self.progress, self.seed = store, rules, progress, seed
        self.mimic = mimic_iv.open_mimic(ehr.resolve())
        self.ecg_folder = ecg.resolve() if ecg is not None else None
        self.description = read_description(self.mimic.path)
        self.report = IngestReport(str(self.description.get("name") or self.mimic.path.name))
        self.test_patients = read_test_patients(self.mimic.path)
        self.patients = self._read_patients()
        self.records = self._read_record_list(self.ecg_folder) if self.ecg_folder else None
        with store.reading() as conn:
            by_name = select(dataset.c.dataset_id).where(dataset.c.name == self.report.dataset)
            self.dataset_id: int | None = conn.execute(by_name).scalar()
            self.done = finished_steps(conn, self.dataset_id)
            refuse_other_patients(conn, self.patients.subject, self.patients.stay, self.report.dataset)
            refuse_other_variables(conn)
        self.marks = self._fingerprints()

    def run(self) -> IngestReport:
        with tempfile.TemporaryDirectory(prefix="lemof-ingest-") as scratch:
            staged = self._stage(Path(scratch))
            ecgs = self._describe_ecgs()
            if self._is_due("patients"):
                self._write_patients()
            for step, rows in staged.items():
                self._write_staged(step, rows)
            if ecgs is not None:
                self._write_ecgs(ecgs)
        if self._is_due(f"cohort:{self.rules.task}"):
            self._write_cohort()
        with self.store.reading() as conn:
            self.report.describe_cohort(conn, self.rules.task)
        return self.report

    def _read_patients(self) -> _Patients:
        """The small tables, checked, without patients who were never in an ICU."""
        with self._timed("read patients"):
            subjects = mimic_iv.subjects(self.mimic)
            admissions = mimic_iv.admissions(self.mimic)
            stays = mimic_iv.stays(self.mimic, subjects, admissions)
            kept = [frame.join(stays, on="subject_id", how="semi") for frame in (subjects, admissions)]
            for name, frame, of_icu in zip(("patients", "admissions"), (subjects, admissions), kept, strict=True):
                count = SourceCount(name, read=len(frame), kept=len(of_icu))
                count.drop("patient without an ICU stay", len(frame) - len(of_icu))
                self.report.sources.append(count)
            self.report.sources.append(SourceCount("icustays", read=len(stays), kept=len(stays)))
            diagnoses = mimic_iv.diagnoses(self.mimic, kept[1])
        return _Patients(kept[0], kept[1], stays, diagnoses)

    def _read_record_list(self, folder: Path) -> pl.DataFrame:
        records = read_record_list(folder)
        kept = records.join(self.patients.stay, on="subject_id", how="semi")
        count = SourceCount("record_list", read=len(records), kept=len(kept))
        count.drop("patient without an ICU stay", len(records) - len(kept))
        self.report.sources.append(count)
        return kept

    def _fingerprints(self) -> dict[str, str]:
        """What each step reads, by step; the cohort's follows from patients and ECGs."""
        files = self.mimic.files
        small = [files[table] for table in ("hosp/patients", "hosp/admissions", "icu/icustays")]
        place = {"folder": str(self.mimic.path), "description": self.description}
        marks = {"patients": fingerprint([*small, files["hosp/diagnoses_icd"], CATALOGUE_FILE], place)}
        for source, table in MEASUREMENT_TABLES.items():
            marks[f"measurement:{source}"] = fingerprint([*small, files[table], CATALOGUE_FILE], source)
        for source, table in INTERVAL_TABLES.items():
            marks[f"event_interval:{source}"] = fingerprint([*small, files[table], files["icu/d_items"]], source)
        if self.records is not None and self.ecg_folder is not None:
            waveforms = waveform_fingerprint(self.ecg_folder, self.records)
            marks["ecg_record"] = fingerprint(
                [*small, self.ecg_folder / RECORD_LIST], [str(self.ecg_folder), waveforms]
            )
        parts = [file for file in [self.mimic.path / SPLITS_FILE] if file.is_file()]
        ecgs = marks.get("ecg_record", self.done.get("ecg_record"))
        settings = {"rules": asdict(self.rules), "seed": self.seed, "patients": marks["patients"], "ecgs": ecgs}
        return marks | {f"cohort:{self.rules.task}": fingerprint(parts, settings)}

    def _is_due(self, step: str) -> bool:
        """True where the step must be done; where not, the report says so."""
        due = step in self.marks and self.done.get(step) != self.marks[step]
        if not due and step in self.marks:
            self.report.skipped.append(step)
        return due

    def _stage(self, scratch: Path) -> dict[str, StagedRows]:
        """Every big file that is due is read to its end; what will be written waits on disk."""
        staged = {}
        stages = dict.fromkeys(MEASUREMENT_TABLES, ("measurement", stage_measurements))
        stages |= dict.fromkeys(INTERVAL_TABLES, ("event_interval", stage_intervals))
        for source, (table, stage) in stages.items():
            step = f"{table}:{source}"
            if self._is_due(step):
                folder = scratch / source
                folder.mkdir()
                with self._timed(f"read {source}"):
                    told = self._telling(f"read {source}")
                    staged[step] = stage(self.mimic, source, self.patients.stay, folder, read=told)
                self.report.sources.append(staged[step].count)
        return staged

    def _describe_ecgs(self) -> list[dict[str, Any]] | None:
        if self.records is None or self.ecg_folder is None or not self._is_due("ecg_record"):
            return None
        with self._timed("read ECG headers"):
            told = self._telling("read ECG headers", len(self.records))
            return describe_records(self.ecg_folder, self.records, told)

    def _write_patients(self) -> None:
        """Dataset, variables, patients, admissions, stays and diagnoses are stored, in one transaction."""
        with self._timed("patients"), self.store.writing() as conn:
            described = {
                "synthetic": bool(self.description.get("synthetic", False)),
                "ehr_folder": str(self.mimic.path),
                "description": self.description or None,
            }
            name = self.report.dataset
            row = {"name": name, "surrogate_ecg": False, "ecg_folder": None}
            insert_new(conn, dataset, [row | described])
            conn.execute(update(dataset).where(dataset.c.name == name).values(described))
            self.dataset_id = conn.execute(select(dataset.c.dataset_id).where(dataset.c.name == name)).scalar_one()
            insert_new(conn, variable, variable_rows())
            for known in variable_rows():
                conn.execute(update(variable).where(variable.c.variable_id == known["variable_id"]).values(known))
            frames = {
                subject: self.patients.subject.with_columns(pl.lit(self.dataset_id).alias("dataset_id")),
                admission: self.patients.admission,
                stay: self.patients.stay,
                diagnosis: self.patients.diagnosis,
            }
            for table, frame in frames.items():
                self.report.added[table.name] = insert_frame(conn, table, frame)
            self._mark(conn, "patients", sum(len(frame) for frame in frames.values()))
        self.progress("patients", 1, 1)

    def _write_staged(self, step: str, rows: StagedRows) -> None:
        """The staged rows are stored, slice by slice, then the step counts as finished."""
        table: Table = measurement if step.startswith("measurement") else event_interval
        self.report.added[step] = 0
        with self._timed(step):
            for number, part in enumerate(rows.slices(), start=1):
                with self.store.writing() as conn:
                    self.report.added[step] += insert_frame(conn, table, part)
                self.progress(step, number, len(rows))
            with self.store.writing() as conn:
                self._mark(conn, step, rows.count.kept)

    def _write_ecgs(self, rows: list[dict[str, Any]]) -> None:
        step = "ecg_record"
        self.report.added[step] = 0
        with self._timed(step):
            for start in range(0, len(rows), _ECGS_PER_TRANSACTION):
                some = rows[start : start + _ECGS_PER_TRANSACTION]
                with self.store.writing() as conn:
                    self.report.added[step] += store_records(conn, some, self._stored_dataset())
                self.progress(step, start + len(some), len(rows))
            with self.store.writing() as conn:
                own = ecg_record.c.dataset_id == self._stored_dataset()
                surrogate = select(ecg_record.c.study_id).where(own, ecg_record.c.surrogate).limit(1)
                values = {
                    "ecg_folder": str(self.ecg_folder),
                    "surrogate_ecg": conn.execute(surrogate).first() is not None,
                }
                conn.execute(update(dataset).where(dataset.c.dataset_id == self._stored_dataset()).values(values))
                self._mark(conn, step, len(rows))
        count = next(count for count in self.report.sources if count.source == "record_list")
        count.note("kept, though it cannot be read", sum(not row["readable"] for row in rows))

    def _write_cohort(self) -> None:
        """Samples, attrition and parts of all patients in the store are those that the rules give."""
        step = f"cohort:{self.rules.task}"
        with self._timed(step), self.store.writing() as conn:
            cohort = build(conn, self.rules)
            store_cohort(conn, cohort, task=self.rules.task, seed=self.seed, test_patients=self.test_patients)
            # The cohort is one for all datasets: those that were ingested under other rules are not up to date now.
            forget(conn, None, step)
            self._mark(conn, step, len(cohort.samples))
        self.progress(step, 1, 1)

    def _mark(self, conn: Connection, step: str, n_rows: int) -> None:
        mark_finished(conn, self._stored_dataset(), step, self.marks[step], n_rows)

    def _stored_dataset(self) -> int:
        if self.dataset_id is None:
            raise RuntimeError("the step `patients` must come first")
        return self.dataset_id

    def _telling(self, step: str, total: int = 0) -> Callable[[int], None]:
        return lambda done: self.progress(step, done, total)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.report.seconds[step] = round(time.perf_counter() - start, 3)
