"""What may be asked of stored runs: a store, a run and samples in, DataFrames, dicts and arrays out (see `frames`).

Level, port and stage names are those of `schema.results`. An unknown run raises where one run is asked for; its
predictions, scores and metrics are empty.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Executable, Float, Select, Table, cast, func, literal_column, select

from cohort_db import read
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from cohort_db.frames import frame_of
from cohort_db.inner_ports import ports_of
from cohort_db.read_course import UnknownId
from cohort_db.schema import array_ref, ingest_step, level_choice, level_score, metric, sample, stage_weight
from cohort_db.schema import branch_value as branch_table
from cohort_db.schema import calibration as calibration_table
from cohort_db.schema import conformal as conformal_table
from cohort_db.schema import input_effect as effect_table
from cohort_db.schema import prediction as prediction_table
from cohort_db.schema import run as run_table
from cohort_db.schema import trust as trust_table
from cohort_db.store import Store


class UnknownRun(UnknownId):
    """The store holds no run of that name."""


def runs(store: Store, task: str | None = None) -> pd.DataFrame:
    """Every run (of the task), newest first: the columns of table run, less fit_report."""
    shown = [column for column in run_table.c if column.name != "fit_report"]
    query = select(*shown).order_by(run_table.c.created_at.desc(), run_table.c.run_id)
    with store.reading() as conn:
        return frame_of(conn, query if task is None else query.where(run_table.c.task == task))


def newest_run(store: Store, task: str = "los") -> str:
    """The run_id of the task's newest run. Raises: InputMistake when there is none, or no cohort of the task."""
    query = select(run_table.c.run_id).where(run_table.c.task == task)
    with store.reading() as conn:
        found = conn.execute(query.order_by(run_table.c.created_at.desc(), run_table.c.run_id).limit(1)).scalar()
    if found is None:
        read.task_definition(store, task)
        raise InputMistake(f"the store holds no run of task {task!r}: run `lemof train` first")
    return str(found)


def run(store: Store, run_id: str) -> dict[str, Any]:
    """All facts of a run: the columns of table run. Raises: UnknownRun."""
    row = _first(store, select(run_table).where(run_table.c.run_id == run_id))
    if row is None:
        known = ", ".join(runs(store)["run_id"].head(5)) or "none"
        raise UnknownRun(f"the store holds no run {run_id}; it holds: {known}")
    return row


def calibrations(store: Store, run_id: str) -> pd.DataFrame:
    """One row per path (both, ehr): path, slope, intercept, threshold, n, events, base_logit, base_p, base_rate,
    n_base (Int64)."""
    return _of_run(store, calibration_table, run_id)


def conformals(store: Store, run_id: str) -> pd.DataFrame:
    """One row per path and class: path, label, alpha, n, cutoff (NaN where n was too small)."""
    return _of_run(store, conformal_table, run_id)


def trust(store: Store, run_id: str, sample_id: str) -> pd.DataFrame:
    """The checks of a prediction's attributions, one row per modality: modality, deleted_salient, deleted_random,
    deleted_random_most, n_random, rank_correlation (NaN: constant); empty where none was explained."""
    return _of_run(store, trust_table, run_id, sample_id)


def level_choices(store: Store, run_id: str) -> pd.DataFrame:
    """One row per modality and level: modality, level, mean_abs_phi, weight, frequency, is_k_star, is_cross_level,
    cross_frequency, auroc."""
    return _of_run(store, level_choice, run_id)


def stage_weights(store: Store, run_id: str) -> pd.DataFrame:
    """One row per path, stage and input: path, stage, input, weight, mean, scale, lo, hi."""
    return _of_run(store, stage_weight, run_id)


def predictions(store: Store, run_id: str, split: str | None = None) -> pd.DataFrame:
    """The run's predictions (on one split), by sample.

    Columns: sample_id, split, path, logit, p, p_lo, p_hi, logit_raw, array_row (Int64); of the sample: label (Int64),
    died_before_cut, subject_id, stay_id, outcome_hours.
    """
    query = _predicted(run_id).order_by(prediction_table.c.sample_id)
    with store.reading() as conn:
        return frame_of(conn, query if split is None else query.where(prediction_table.c.split == split))


def scored_splits(store: Store, run_id: str) -> list[str]:
    """The splits of which the run has predictions, sorted; empty for an unknown run."""
    query = select(prediction_table.c.split).where(prediction_table.c.run_id == run_id).distinct()
    with store.reading() as conn:
        return sorted(conn.execute(query).scalars())


def scored_paths(store: Store, run_id: str) -> list[str]:
    """The paths (both, ehr) of which the run has predictions, sorted; empty for an unknown run."""
    query = select(prediction_table.c.path).where(prediction_table.c.run_id == run_id).distinct()
    with store.reading() as conn:
        return sorted(conn.execute(query).scalars())


def prediction(store: Store, run_id: str, sample_id: str) -> dict[str, Any] | None:
    """One row of `predictions` as a dict; None where the run has not scored the sample."""
    return _first(store, _predicted(run_id).where(prediction_table.c.sample_id == sample_id))


def level_scores(store: Store, run_id: str, sample_id: str | None = None) -> pd.DataFrame:
    """Per sample, modality and level (of one sample, or all): sample_id, modality, level, logit, phi_logit, phi_prob.

    The phi are selection_phi: importance inside G_m, not what the ECG or the EHR contributed.
    """
    return _of_run(store, level_score, run_id, sample_id)


def branch_values(store: Store, run_id: str, sample_id: str) -> pd.DataFrame:
    """The case waterfall, ports in the order ecg_1..3, ehr_1..3, cross: sample_id, port, logit, phi_logit, phi_prob."""
    found = _of_run(store, branch_table, run_id, sample_id)
    return found.sort_values("port", key=lambda port: port.where(port != "cross", "~"), ignore_index=True)


def ports(store: Store, run_id: str, split: str | None = None) -> pd.DataFrame:
    """The inner predictions of every sample (on one split), log-odds: indexed by sample_id, columns ecg_1..3, ehr_1..3,
    cross (NaN where the sample's path has no such port)."""
    with store.reading() as conn:
        return ports_of(conn, run_id, split)


def input_effect(store: Store, run_id: str, sample_id: str) -> dict[str, Any] | None:
    """What each raw modality did: sample_id, v_none, v_ecg, v_ehr, v_both (logits), n_background. Or None."""
    shown = [column for column in effect_table.c if column.name != "run_id"]
    of_sample = (effect_table.c.run_id == run_id, effect_table.c.sample_id == sample_id)
    return _first(store, select(*shown).where(*of_sample))


def metrics(store: Store, run_id: str, split: str) -> pd.DataFrame:
    """The run's metrics on a split: source, stratum_kind, stratum, deaths, name, value, lo, hi, n, events, note."""
    shown = [column for column in metric.c if column.name not in ("run_id", "split")]
    query = select(*shown).where(metric.c.run_id == run_id, metric.c.split == split)
    with store.reading() as conn:
        return frame_of(conn, query.order_by(*metric.primary_key.columns))


def array_row(store: Store, owner: str, name: str, row: int) -> NDArray[Any]:
    """One row of an array: shape and axes as `array_meta` says. Raises: InputMistake for what is not there."""
    return ArrayStore(store, owner).read(name, int(row))


def array_meta(store: Store, owner: str, name: str) -> dict[str, Any]:
    """owner, name, folder, n_rows, shape (of a row, a tuple), dtype, axes, note, sha256. Raises: InputMistake."""
    return ArrayStore(store, owner).meta(name)


def revision(store: Store) -> str:
    """A text that changes whenever a job changes stays, samples, splits, prepared ECGs, runs, predictions or metrics.

    Asked for at every view, so it reads tables that do not grow with the number of stays: what an ingest changes it
    marks in ingest_step in the same transaction, and what it prepares or explains in array_ref.
    """
    metrics = [func.round(cast(1e9, Float) * metric.c[name]) for name in ("value", "lo", "hi")]
    counted = [func.sum(column) for column in (*metrics, metric.c.n, metric.c.events)]
    queries: list[Executable] = [
        select(ingest_step).order_by(*ingest_step.primary_key.columns),
        select(array_ref.c.owner, array_ref.c.name, array_ref.c.sha256).order_by(*array_ref.primary_key.columns),
        select(func.count(), func.max(run_table.c.created_at)).select_from(run_table),
        # Sums of whole numbers, because those of floats depend on the order of the rows.
        select(func.count(), *counted).select_from(metric),
    ]
    with store.reading() as conn:
        # Predictions are only ever added; PostgreSQL has no row number to ask for.
        newest = func.max(literal_column("rowid")) if conn.dialect.name == "sqlite" else func.count()
        queries.append(select(newest).select_from(prediction_table))
        return _hash_of(conn, queries)


def cohort_revision(store: Store) -> str:
    """A text that changes whenever a job changes stays, samples, splits or prepared ECGs, and with no run's work."""
    of_dataset = array_ref.c.owner.startswith("dataset:")
    queries: list[Executable] = [
        select(ingest_step).order_by(*ingest_step.primary_key.columns),
        select(array_ref.c.owner, array_ref.c.name, array_ref.c.sha256)
        .where(of_dataset)
        .order_by(*array_ref.primary_key.columns),
    ]
    with store.reading() as conn:
        return _hash_of(conn, queries)


def n_predictions(store: Store, run_id: str) -> int:
    """How many samples the run has scored: as predictions are only ever added, it changes with them."""
    with store.reading() as conn:
        return int(conn.execute(select(func.count()).where(prediction_table.c.run_id == run_id)).scalar_one())


def scored(store: Store, run_id: str, split: str) -> tuple[int, int]:
    """How many of the run's predictions on a split have a known outcome, and how many of those are long stays."""
    joined = prediction_table.join(sample, sample.c.sample_id == prediction_table.c.sample_id)
    query = select(func.count(sample.c.label), func.coalesce(func.sum(sample.c.label), 0)).select_from(joined)
    of_split = (prediction_table.c.run_id == run_id, prediction_table.c.split == split)
    with store.reading() as conn:
        n, events = conn.execute(query.where(*of_split)).one()
    return int(n), int(events)


def evaluated(store: Store, run_id: str, split: str) -> tuple[int, int] | None:
    """What `scored` was when the run's metrics on the split were computed; None where they never were."""
    overall = (metric.c.source == "final", metric.c.stratum_kind == "all", metric.c.deaths == "with")
    of_split = (metric.c.run_id == run_id, metric.c.split == split, metric.c.name == "auroc")
    with store.reading() as conn:
        found = conn.execute(select(metric.c.n, metric.c.events).where(*overall, *of_split)).first()
    return None if found is None else (int(found.n), int(found.events))


def _hash_of(conn: Connection, queries: list[Executable]) -> str:
    found = [tuple(row) for query in queries for row in conn.execute(query)]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _predicted(run_id: str) -> Select[Any]:
    """Predictions of a run beside what is known of their samples."""
    shown = [column for column in prediction_table.c if column.name not in ("run_id", "stay_id")]
    of_sample = [sample.c[name] for name in ("label", "died_before_cut", "subject_id", "stay_id", "outcome_hours")]
    joined = prediction_table.join(sample, sample.c.sample_id == prediction_table.c.sample_id)
    # sample_id and split are the prediction's own.
    return select(*shown, *of_sample).select_from(joined).where(prediction_table.c.run_id == run_id)


def _of_run(store: Store, table: Table, run_id: str, sample_id: str | None = None) -> pd.DataFrame:
    """The run's rows of a table (of one sample), by key, without run_id."""
    query = select(*(column for column in table.c if column.name != "run_id")).where(table.c.run_id == run_id)
    if sample_id is not None:
        query = query.where(table.c.sample_id == sample_id)
    with store.reading() as conn:
        return frame_of(conn, query.order_by(*table.primary_key.columns))


def _first(store: Store, query: Select[Any]) -> dict[str, Any] | None:
    """The first row of the query, or None."""
    with store.reading() as conn:
        row = conn.execute(query).mappings().first()
    return None if row is None else dict(row)
