"""A store, a run and whom it is judged on in; everything a report says out, in words, tables and vector figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cohort_db import read, read_analysis, read_results, saved_cohorts
from cohort_db.data_hash import data_hash
from cohort_db.errors import InputMistake
from cohort_db.store import Store
from dashboard.cohort_words import chosen_by
from dashboard.data_worth import data_warnings, worth_of_numbers
from dashboard.model_card import card_of, differences
from dashboard.model_card_checklist import NAMES, filled
from dashboard.model_card_facts import card_facts
from dashboard.model_card_tables import calibration_table, split_counts
from dashboard.report import performance
from dashboard.report.group import group_metrics
from dashboard.report.parts import FEWEST, Report, Section, Table
from dashboard.split_use import in_sample
from dashboard.stored_metrics import outdated
from dashboard.threshold_paths import tuned_thresholds
from dashboard.wording import RESEARCH_USE, Definition, definition_of, recipe
from lemof_core.evaluation.metrics import draws_while_waiting


@dataclass(frozen=True)
class Judged:
    """Whom the report is about: predictions with a known outcome, their stored or computed metrics, the thresholds."""

    frame: pd.DataFrame
    metrics: pd.DataFrame
    thresholds: dict[str, float]
    calibrations: pd.DataFrame
    split: str
    of_group: int | None  # how many samples the group named, whatever their split; None: the whole split

    @property
    def n(self) -> int:
        """Predictions."""
        return len(self.frame)

    @property
    def events(self) -> int:
        """Long stays among them."""
        return int(self.frame["label"].sum())


def contents(
    store: Store,
    run_id: str,
    split: str = "test",
    sample_ids: Sequence[str] | None = None,
    title: str | None = None,
) -> Report:
    """The report of a run on one of its splits, or on the chosen samples in it.

    Args:
        sample_ids: a group, such as a saved cohort; those outside the split, or without a known outcome, are counted.
        title: what the group is called.
    Raises:
        UnknownRun; InputMistake where nobody is scored or evaluated, or the group leaves fewer than FEWEST samples.
    """
    run = read_results.run(store, run_id)
    judged = _judged(store, run, split, sample_ids)
    defined, datasets = definition_of(run), read.datasets(store)
    words = card_of(defined, run["fitting"])
    worth = worth_of_numbers(run, datasets)
    flags = bool(datasets["synthetic"].any()), bool(datasets["surrogate_ecg"].any())
    taught = in_sample(run["fitting"], split)
    warnings = [*data_warnings(*flags, run), RESEARCH_USE]
    if taught is not None:
        warnings.append(f"In-sample: {taught} These numbers are better than what to expect from new patients.")
    old = outdated(judged.metrics, judged.n, judged.events, run_id=str(run["run_id"]), split=split)
    warnings += [old.replace("`", "")] if old else []
    name = f"{title or 'A chosen group'} (group)" if sample_ids is not None else f"{split} split"
    return Report(
        title=f"{defined.label}: run {run['run_id']}",
        subtitle=f"{name}, n = {judged.n:,}, {judged.events:,} long. {worth}".strip(),
        warnings=warnings,
        facts=_facts(store, run, judged, datasets),
        sections=[
            Section("What it predicts", [_predicts(defined), *_paragraphs(words["Intended use"])[:1]]),
            _cohort(store, run, judged, defined),
            *performance.sections(judged.frame, judged.metrics, judged.thresholds, defined, _draws(judged)),
            performance.levels(read_results.level_choices(store, run_id)),
            Section(
                "Calibration and threshold",
                ["Fitted on the run's own calibration part; a stay is held against the threshold of its own path."],
                table=Table.of(calibration_table(judged.calibrations)),
            ),
            _gaps(run, judged),
            Section("Known limits", points=_points(words["Known limits"])),
            Section("Not provided", points=_points(words["Not provided"])),
            _checklists(store, str(run["run_id"])),
            Section("Out of scope", points=_points(words["Out of scope"])),
        ],
    )


def of_cohort(store: Store, run_id: str, cohort_id: str, split: str = "test") -> Report:
    """The report of a run on the members of a saved cohort in one of its splits.

    Raises: UnknownCohort, and what `contents` raises.
    """
    saved = saved_cohorts.get(store, cohort_id)
    made = contents(store, run_id, split, saved_cohorts.sample_ids(store, cohort_id), f"Saved cohort “{saved.name}”")
    how = chosen_by(saved, definition_of(read_results.run(store, run_id)))
    when = f"Saved by {saved.author} on {saved.created_at:%Y-%m-%d} with {saved.n:,} stays, id {cohort_id}."
    text = [how, when, *([saved.note] if saved.note else [])]
    return replace(
        made,
        title=f"{made.title}, cohort “{saved.name}” alone",
        warnings=[
            *made.warnings,
            f"These numbers are of the saved cohort “{saved.name}” alone, not of the run's test.",
        ],
        sections=[Section(f"Saved cohort “{saved.name}”", text), *made.sections],
    )


def _judged(store: Store, run: dict[str, Any], split: str, sample_ids: Sequence[str] | None) -> Judged:
    """Raises InputMistake with what to do where there is nothing to report."""
    run_id = str(run["run_id"])
    calibrations = read_results.calibrations(store, run_id)
    thresholds = tuned_thresholds(calibrations)
    frame = read_analysis.analysed(store, run_id, split)
    if frame.empty:
        scored = read_results.scored_splits(store, run_id)
        other = f"; it has scored: {', '.join(scored)}" if scored else ": run `lemof score` first"
        raise InputMistake(f"run {run_id} has no prediction with a known outcome on split {split!r}{other}")
    if sample_ids is not None:
        frame = frame[frame["sample_id"].isin(set(sample_ids))].reset_index(drop=True)
        if len(frame) < FEWEST:
            raise InputMistake(
                f"{len(frame)} of the group's {len(sample_ids)} samples have a prediction and a known outcome on split "
                f"{split!r}: a report of fewer than {FEWEST} would describe single patients"
            )
        return Judged(
            frame, group_metrics(frame, thresholds, run["n_by_split"]), thresholds, calibrations, split, len(sample_ids)
        )
    found = read_results.metrics(store, run_id, split)
    if found.empty:
        raise InputMistake(f"run {run_id} is not evaluated on split {split!r}: run `lemof evaluate --split {split}`")
    return Judged(frame, found, thresholds, calibrations, split, None)


def _facts(store: Store, run: dict[str, Any], judged: Judged, datasets: pd.DataFrame) -> dict[str, str]:
    """What identifies the report: the same store gives the same facts, on whatever day."""
    frame = judged.frame
    rows = zip(frame["sample_id"], frame["label"], frame["p"], strict=True)
    fitted_on = "synthetic patients" if run["synthetic"] else "patients"
    settings = run["config"].get("settings", {})
    facts = {
        "Run": str(run["run_id"]),
        "Data hash (SHA-256)": data_hash(read.task_definition(store, str(run["task"])), rows),
        "Cohort revision": read_results.cohort_revision(store),
        "Data": ", ".join(str(name) for name in datasets["name"]),
        "Judged on": f"{judged.split} split, n = {judged.n:,}, {judged.events:,} long",
        "Model": f"{recipe(run)}: {run['ecg_encoder']} (ECG), {run['ehr_encoder']} (record)",
        "Set by hand": ", ".join(f"{name}={value}" for name, value in settings.items()) or "nothing",
        "Fitting": f"{run['fitting']}, seed {run['seed']}, on {fitted_on}",
        "Fitted": f"{run['created_at']:%Y-%m-%d %H:%M} UTC, code version {run['code_version']}",
        "Thresholds": _thresholds(judged.thresholds),
        "Differences from the paper": f"{len(differences())} marked in the source, listed on the model card",
    }
    if run["shipped"]:
        facts["Came with the project"] = "yes: no patient of this store was used to fit it"
    return facts


def _thresholds(thresholds: dict[str, float]) -> str:
    told = [f"{cut:.3f} {words}" for words, cut in performance.by_path(thresholds)]
    return ", ".join(told) or "not estimable: too few calibration samples"


def _predicts(defined: Definition) -> str:
    return (
        f"The probability, at {defined.t0} after ICU admission, that the patient is still in the ICU after "
        f"{defined.cut}. Death in the ICU before that ends the stay: label 0, a competing outcome, and numbers stand "
        "with and without these patients. A low probability is never good news by itself."
    )


def _cohort(store: Store, run: dict[str, Any], judged: Judged, defined: Definition) -> Section:
    """Who is in the cohort, who was left out, and what the run was fitted with."""
    flow = read.attrition(store, str(run["task"]))
    table = pd.DataFrame(
        {
            "Rule": flow["label"],
            "Left out": [f"{n:,}" for n in flow["n_left_out"]],
            "Stays kept": [f"{n:,}" for n in flow["n_after"]],
        }
    )
    died = int(judged.frame["died_before_cut"].sum())
    text = [
        f"Judged here: {judged.n:,} stays with a known outcome, {judged.events:,} of them long, "
        f"{_few(died)} died in the ICU before {defined.cut}; "
        f"{_few(int((judged.frame['path'] == 'ehr').sum()))} without a usable ECG."
    ]
    if judged.of_group is not None and judged.of_group > judged.n:
        text.append(
            f"The group names {judged.of_group:,} samples; those of other splits, or without a prediction and a known "
            "outcome, are left out here."
        )
    fitted = split_counts(run["n_by_split"], run["fitting"])
    counts = ", ".join(
        f"{row['Split']} {row['Stays']} ({row['Long']} long)" for row in fitted.to_dict("records") if row["Split"]
    )
    where = "elsewhere, before it came with the project" if run["shipped"] else "on this store"
    return Section("Cohort", text, table=Table.of(table), note=f"The run was fitted {where}, with stays: {counts}.")


def _few(n: int) -> str:
    """A count that may be of single patients: 0, fewer than 5, or the number."""
    return f"{n:,}" if n == 0 or n >= FEWEST else f"fewer than {FEWEST}"


def _draws(judged: Judged) -> int:
    return draws_while_waiting(0 if judged.of_group is None else judged.n)


def _gaps(run: dict[str, Any], judged: Judged) -> Section:
    points = [f"{what}: {why}" for what, why in run["not_estimable"].items()]
    missing = judged.metrics[judged.metrics["value"].isna()]
    if len(missing):
        points.append(
            f"{len(missing):,} of {len(judged.metrics):,} metrics: fewer than 5 stays of a class, or no threshold."
        )
    return Section("Not estimable", points=points or ["Everything that was asked for could be estimated."])


def _checklists(store: Store, run_id: str) -> Section:
    """How much of each checklist the store answers; the model card has the items."""
    facts = card_facts(store, run_id)
    lists = [filled(name, facts) for name in NAMES]
    points = [f"{one.name}: {one.counts}." for one in lists]
    return Section("Checklists", points=points, note="Item by item on the model card, which leaves the pages as JSON.")


def _paragraphs(markdown: str) -> list[str]:
    """The paragraphs of a section of the model card, each on one line, without the marks of emphasis."""
    return [" ".join(part.split()).replace("**", "") for part in markdown.split("\n\n") if part.strip()]


def _points(markdown: str) -> list[str]:
    """The bullets of a section of the model card, each on one line."""
    return [" ".join(part.split()) for part in ("\n" + markdown).split("\n- ")[1:]]
