"""In: a MIMIC-IV folder and, if there is one, a MIMIC-IV-ECG folder. Out: the same patients in the store, with samples.

Everything is read and judged before the first row is written, so a mistake in the files leaves the store as it was.
Then step after step is written in short transactions. A step that is due makes its rows those of its files and leaves
equal ones alone, hence it may be done twice: an ingest that was killed is finished by the same command, a second one
changes nothing, and a corrected file replaces what it said before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import polars as pl
from sqlalchemy import Connection, select, update

from cohort_db import mimic_iv
from cohort_db.cohort import CohortRules, build
from cohort_db.ecg_records import (
    Row,
    add_records,
    change_records,
    compare_records,
    describe_records,
    waveform_state,
)
from cohort_db.ecg_wfdb import RECORD_LIST, read_record_list
from cohort_db.ingest_checks import (
    read_description,
    refuse_other_dataset,
    refuse_other_patients,
    refuse_other_variables,
)
from cohort_db.ingest_patients import patient_differences, read_patients, store_patients
from cohort_db.ingest_report import IngestReport
from cohort_db.ingest_rows import SourceRows
from cohort_db.ingest_scored import planned_cohort, refuse_ecgs, refuse_patients, refuse_source, scored_in
from cohort_db.ingest_steps import fingerprint, finished_steps, forget, forget_cohorts, mark_finished
from cohort_db.mimic_intervals import TABLE_OF as INTERVAL_TABLES
from cohort_db.mimic_intervals import stage_intervals
from cohort_db.mimic_measurements import TABLE_OF as MEASUREMENT_TABLES
from cohort_db.mimic_measurements import stage_measurements
from cohort_db.mimic_staging import SourceCount
from cohort_db.sample_tables import refuse_cohort, store_cohort
from cohort_db.schema import dataset, ecg_record, variable
from cohort_db.splits import SPLITS_FILE, read_given_parts
from cohort_db.store import Store, insert_new
from cohort_db.variables import CATALOGUE_FILE, variable_rows

DEFAULT_RULES = CohortRules()
_ECGS_PER_TRANSACTION = 5_000
Progress = Callable[[str, int, int], None]


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
        self.given = read_given_parts(self.mimic.path)
        with self._timed("read patients"):
            self.patients, counts = read_patients(self.mimic)
        self.report.sources += counts
        self.records = self._read_record_list(self.ecg_folder) if self.ecg_folder else None
        with store.reading() as conn:
            by_name = select(dataset.c.dataset_id).where(dataset.c.name == self.report.dataset)
            self.dataset_id: int | None = conn.execute(by_name).scalar()
            self.done = finished_steps(conn, self.dataset_id)
            refuse_other_dataset(conn, self.report.dataset, self.description, self.patients.subject)
            refuse_other_patients(conn, self.patients, self.records, self.report.dataset)
            refuse_other_variables(conn)
        self.marks = self._fingerprints()
        self.cohort_step = f"cohort:{rules.task}"
        self.due = {step for step, mark in self.marks.items() if self.done.get(step) != mark}
        self.report.skipped += [step for step in self.marks if step not in self.due]

    def run(self) -> IngestReport:
        with tempfile.TemporaryDirectory(prefix="lemof-ingest-") as scratch:
            sources = self._stage(Path(scratch))
            ecgs = self._describe_ecgs()
            self._refuse_changes(sources, ecgs)
            if "patients" in self.due:
                self._write_patients()
            for step, rows in sources.items():
                self._write_source(step, rows)
            if ecgs is not None:
                self._write_ecgs(ecgs)
        if self.cohort_step in self.due:
            self._write_cohort()
        with self.store.reading() as conn:
            self.report.describe_cohort(conn, self.rules.task)
        return self.report

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
            waveforms = [str(self.ecg_folder), waveform_state(self.ecg_folder, self.records)]
            marks["ecg_record"] = fingerprint([*small, self.ecg_folder / RECORD_LIST], waveforms)
        parts = [file for file in [self.mimic.path / SPLITS_FILE] if file.is_file()]
        ecgs = marks.get("ecg_record", self.done.get("ecg_record"))
        settings = {"rules": asdict(self.rules), "seed": self.seed, "patients": marks["patients"], "ecgs": ecgs}
        return marks | {f"cohort:{self.rules.task}": fingerprint(parts, settings)}

    def _stage(self, scratch: Path) -> dict[str, SourceRows]:
        """Every big file that is due is read to its end; what will be written waits on disk."""
        sources = {}
        stages = dict.fromkeys(MEASUREMENT_TABLES, ("measurement", stage_measurements))
        stages |= dict.fromkeys(INTERVAL_TABLES, ("event_interval", stage_intervals))
        for source, (table, stage) in stages.items():
            step = f"{table}:{source}"
            if step in self.due:
                folder = scratch / source
                folder.mkdir()
                with self._timed(f"read {source}"):
                    told = self._telling(f"read {source}")
                    staged = stage(self.mimic, source, self.patients.stay, folder, read=told)
                    sources[step] = SourceRows(source, staged, self.patients.stay, folder)
                self.report.sources.append(staged.count)
        return sources

    def _describe_ecgs(self) -> list[Row] | None:
        if self.records is None or self.ecg_folder is None or "ecg_record" not in self.due:
            return None
        with self._timed("read ECGs"):
            told = self._telling("read ECGs", len(self.records))
            return describe_records(self.ecg_folder, self.records, told)

    def _refuse_changes(self, sources: dict[str, SourceRows], ecgs: list[Row] | None) -> None:
        """Raise InputMistake where a due step would change what predictions and reviews refer to."""
        with self._timed("compare with results"), self.store.reading() as conn:
            scored = scored_in(conn, self.dataset_id)
            if "patients" in self.due:
                refuse_patients(scored, patient_differences(conn, self.patients, self.dataset_id))
            for step, rows in sources.items():
                refuse_source(conn, scored, step.partition(":")[2], rows)
            if ecgs is not None and self.ecg_folder is not None:
                refuse_ecgs(scored, compare_records(conn, ecgs, self.dataset_id, self.ecg_folder))
            if self.cohort_step in self.due:
                cohort = planned_cohort(conn, self.dataset_id, self.patients, ecgs, self.rules)
                refuse_cohort(conn, cohort, task=self.rules.task, given=self.given)

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
                # Without its key: a key that is written makes SQLite look through all measurements for references.
                number = known.pop("variable_id")
                conn.execute(update(variable).where(variable.c.variable_id == number).values(known))
            self.report.added |= store_patients(conn, patient_differences(conn, self.patients, self.dataset_id))
            forget_cohorts(conn)
            self._mark(conn, "patients", len(self.patients))
        self.progress("patients", 1, 1)

    def _write_source(self, step: str, rows: SourceRows) -> None:
        """The store has the rows of the source, slice by slice, then the step counts as finished."""
        self.report.added[step] = 0
        with self._timed(step):
            for done, number in enumerate(rows.slices, start=1):
                with self.store.writing() as conn:
                    # Else a step killed half-way would count as finished once its old file is back.
                    forget(conn, self._stored_dataset(), step)
                    difference = rows.difference_in(conn, number)
                    self.report.added[step] += difference.write(conn)
                    difference.remove(conn)
                self.progress(step, done, len(rows.slices))
            with self.store.writing() as conn:
                self._mark(conn, step, rows.count.kept)

    def _write_ecgs(self, rows: list[Row]) -> None:
        """The store has the listed records: what it had is changed at once with the folder, then new ones are added."""
        step, dataset_id, folder = "ecg_record", self._stored_dataset(), self.ecg_folder
        if folder is None:
            raise RuntimeError("records were described without a folder")
        of_dataset = update(dataset).where(dataset.c.dataset_id == dataset_id)
        with self._timed(step):
            with self.store.writing() as conn:
                changes = compare_records(conn, rows, dataset_id, folder)
                forget(conn, dataset_id, step)
                forget_cohorts(conn)
                change_records(conn, changes)
                conn.execute(of_dataset.values(ecg_folder=str(folder)))
            self.report.added[step] = 0
            for start in range(0, len(changes.new), _ECGS_PER_TRANSACTION):
                some = changes.new[start : start + _ECGS_PER_TRANSACTION]
                with self.store.writing() as conn:
                    self.report.added[step] += add_records(conn, some, dataset_id)
                self.progress(step, start + len(some), len(changes.new))
            with self.store.writing() as conn:
                surrogate = select(ecg_record.c.study_id).where(
                    ecg_record.c.dataset_id == dataset_id, ecg_record.c.surrogate
                )
                conn.execute(of_dataset.values(surrogate_ecg=conn.execute(surrogate.limit(1)).first() is not None))
                self._mark(conn, step, len(rows))
        count = next(count for count in self.report.sources if count.source == "record_list")
        count.note("kept, though it cannot be read", sum(not row["readable"] for row in rows))

    def _write_cohort(self) -> None:
        """Samples, attrition and parts of all patients in the store are those that the rules give."""
        step = self.cohort_step
        with self._timed(step), self.store.writing() as conn:
            cohort = build(conn, self.rules)
            store_cohort(conn, cohort, rules=self.rules, seed=self.seed, given=self.given)
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
