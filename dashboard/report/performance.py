"""A report's predictions and metrics in; its sections on performance out: a table, four curves, groups, levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboard.charts.beeswarm import LEVEL_NAMES
from dashboard.level_tables import finding
from dashboard.report import figures
from dashboard.report.parts import FEWEST, Picture, Section, Table
from dashboard.strata import COLUMNS, EVERYBODY, FLOORS, KINDS, strata_rows
from dashboard.threshold_paths import PATHS, UNTUNED, alarms
from dashboard.wording import Definition, estimate

_IN_FOREST = ("disease", "sex", "age")


def by_path(thresholds: dict[str, float]) -> list[tuple[str, float]]:
    """(path in words, threshold) of each path that has one."""
    return [(words, thresholds[path]) for path, words in PATHS.items() if path in thresholds]


def sections(
    frame: pd.DataFrame, metrics: pd.DataFrame, thresholds: dict[str, float], defined: Definition, n_draws: int
) -> list[Section]:
    """The table of metrics, the curves, and the groups.

    Args:
        frame: the columns of `read_analysis.analysed`; metrics: those of `read_results.metrics`.
        n_draws: bootstrap draws behind the intervals.
    """
    auroc = _one(metrics, "auroc", "with")
    title = "Performance" if auroc is None else f"AUROC {_written(auroc)}, n = {auroc['n']:,}"
    note = (
        f"95 % intervals from {n_draws:,} bootstrap draws of patients; they do not hold the noise of fitting anew. "
        "Tuned: each stay at the threshold of its own path. Floor: a forecast that looks at no patient, the commoner "
        "class or the base rate of the stays the run was fitted with; its AUROC is 0.5."
    )
    return [
        Section(title, table=metric_table(metrics, defined), note=note),
        _curves(frame, metrics, thresholds),
        _groups(metrics),
    ]


def metric_table(metrics: pd.DataFrame, defined: Definition) -> Table:
    """One row per metric: all stays, those that did not die before the cut, and what no knowledge scores."""
    heads = []
    for deaths, words in (("with", "All stays"), ("without", f"Without deaths before {defined.cut}")):
        one = _one(metrics, "brier", deaths)
        heads.append(words if one is None else f"{words} (n = {one['n']:,}, {one['events']:,} long)")
    floors = {name: source for source, name in FLOORS}
    has_floor = bool(metrics["source"].isin(set(floors.values())).any())
    rows = []
    for name, label in COLUMNS.items():
        found = [_one(metrics, name, deaths) for deaths in ("with", "without")]
        if any(found):
            floor = _one(metrics, name, "with", floors.get(name, "")) if has_floor else None
            rows.append([label, *(_written(one) for one in found), "–" if floor is None else _written(floor)])
    columns = ["Metric", *heads, "Floor"]
    return Table(columns, rows) if has_floor else Table(columns[:-1], [row[:-1] for row in rows])


def _curves(frame: pd.DataFrame, metrics: pd.DataFrame, thresholds: dict[str, float]) -> Section:
    y, p = frame["label"].to_numpy(int), frame["p"].to_numpy(float)
    title = "Ranking, calibration and net benefit"
    if len(np.unique(y)) < 2:
        why = f"The curves are not estimable: n = {len(y)}, {int(y.sum())} long, and they need both outcomes."
        return Section(title, [why])
    cuts = {str(path): thresholds.get(str(path), UNTUNED) for path in frame["path"].unique()}
    alarm = alarms(frame.astype({"path": object}), cuts)
    said = {name: _written(_one(metrics, name, "with")) for name in ("auroc", "auprc", "cal_slope", "cal_intercept")}
    n = f"n = {len(y):,}, {int(y.sum()):,} long"
    pictures = [
        Picture("roc", f"AUROC {said['auroc']}", f"ROC curve, {n}", figures.roc(y, p, alarm)),
        Picture("pr", f"AUPRC {said['auprc']}", f"Precision-recall curve, {n}", figures.precision_recall(y, p, alarm)),
        Picture(
            "calibration",
            f"Calibration slope {said['cal_slope']}",
            f"Observed against predicted share, {n}",
            figures.calibration(y, p),
        ),
        Picture(
            "decision",
            "Net benefit of acting on alarms",
            f"Decision curve, {n}",
            figures.decision(y, p, sorted(set(cuts.values()))),
        ),
    ]
    used = ", ".join(f"{cut:.2f} {words}" for words, cut in by_path(cuts))
    untuned = [words for path, words in PATHS.items() if path in cuts and path not in thresholds]
    stands = f" None was tuned for stays {' and '.join(untuned)}: {UNTUNED} stands." if untuned else ""
    note = (
        f"{n}. Orange: the alarms, at threshold {used}.{stands} Calibration intercept {said['cal_intercept']}; each "
        "point of the calibration chart is a group of equal size with its 95 % Wilson interval."
    )
    return Section(title, pictures=pictures, note=note)


def _groups(metrics: pd.DataFrame) -> Section:
    """The forest of all kinds of groups on one axis; groups of fewer than five stays are counted, not shown."""
    parts: list[pd.DataFrame] = []
    hidden = 0
    overall = _one(metrics, "auroc", "with")
    for kind in _IN_FOREST:
        of_kind = metrics[(metrics["stratum_kind"] != kind) | (metrics["n"] >= FEWEST)]
        here = (metrics["stratum_kind"] == kind) & (metrics["n"] > 0) & (metrics["n"] < FEWEST)
        hidden += int(metrics.loc[here & (metrics["deaths"] == "with"), "stratum"].nunique())
        rows = strata_rows(of_kind, kind)
        rows = (rows if not parts else rows.iloc[1:]).assign(head=False)
        if len(rows) > (0 if parts else 1):
            title = pd.DataFrame({"label": [KINDS[kind]], "text": [""], "head": [True]})
            parts += [rows.iloc[:1], title, rows.iloc[1:]] if not parts else [title, rows]
    gone = f" {hidden} groups of fewer than {FEWEST} stays are not shown." if hidden else ""
    if not parts:
        return Section("For whom it works", [f"No group was evaluated.{gone}"])
    table = pd.concat(parts, ignore_index=True)
    groups = table[~table["head"] & (table["label"] != EVERYBODY)]
    gaps = int(groups["value"].isna().sum())
    at = None if overall is None or pd.isna(overall["value"]) else float(overall["value"])
    svg = figures.forest(table, name="forest", x_title="AUROC", reference=0.5, overall=at)
    shown = table[~table["head"]]
    rows_of_table = [[str(row["label"]), str(row["text"])] for row in shown.to_dict("records")]
    note = (
        "Solid line: chance. Dotted: all stays. 95 % intervals, not adjusted for the number of groups: of twenty, one "
        f"misses by chance. Disease groups are coded at discharge, unknown at the prediction, and overlap.{gone}"
    )
    title = "AUROC by disease group, sex and age" + (f", {gaps} of {len(groups)} groups not estimable" if gaps else "")
    alt = "; ".join(": ".join(row) for row in rows_of_table)
    return Section("For whom it works", pictures=[Picture("forest", title, alt, svg, wide=True)], note=note)


def levels(choices: pd.DataFrame) -> Section:
    """Which level of each encoder weighs most, never without how often it does."""
    if choices.empty or choices["mean_abs_phi"].notna().sum() == 0:
        return Section("Which level matters", ["This run has no levels to choose between."])
    told = [finding(choices, modality) for modality in ("ecg", "ehr") if (choices["modality"] == modality).any()]
    svg = figures.level_importance(choices, LEVEL_NAMES)
    picture = Picture("levels", "Importance of the levels in their modality's stack", ". ".join(told), svg, wide=True)
    note = (
        "φ is selection_phi: Shapley values of the stack's own three inputs, on the rows it was fitted on. It says "
        "which level the stack weighs most, not what the ECG or the record contributed."
    )
    return Section("Which level matters", [f"{one}." for one in told], pictures=[picture], note=note)


def _one(metrics: pd.DataFrame, name: str, deaths: str, source: str = "final") -> dict[str, Any] | None:
    here = (metrics["source"] == source) & (metrics["stratum_kind"] == "all") & (metrics["deaths"] == deaths)
    rows: list[Any] = metrics[here & (metrics["name"] == name)].to_dict("records")
    return rows[0] if rows else None


def _written(one: dict[str, Any] | None) -> str:
    if one is None:
        return "not evaluated"
    return estimate(one["value"], one["lo"], one["hi"])
