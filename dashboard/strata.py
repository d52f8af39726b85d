"""Stored metrics in, rows for the forest plots and tables of /performance out: by stratum and by branch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboard.wording import estimate
from lemof_core.evaluation.confusion import Rate, confusion
from lemof_core.evaluation.strata import groups, shown

KINDS = {
    "disease": "Disease group",
    "sex": "Sex",
    "age": "Age (years)",
    "unit": "Care unit",
    "ecg": "ECG",
    "quality": "ECG quality",
    "race": "Race",
    "insurance": "Insurance",
    "language": "Language",
}
# Kinds that are facts about people for audits alone: they never enter a model.
AUDITED = ("race", "insurance", "language")
COLUMNS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "acc_50": "ACC at 0.5",
    "acc_tuned": "ACC tuned",
    "f1_macro_50": "Macro-F1 at 0.5",
    "f1_macro_tuned": "Macro-F1 tuned",
    "brier": "Brier",
    "oe": "O/E",
    "cal_slope": "Calibration slope",
    "cal_intercept": "Calibration intercept",
}
SOURCES = {
    "ecg_1": "ECG level 1, low",
    "ecg_2": "ECG level 2, mid",
    "ecg_3": "ECG level 3, high",
    "ehr_1": "EHR level 1, low",
    "ehr_2": "EHR level 2, mid",
    "ehr_3": "EHR level 3, high",
    "cross": "Cross-modal branch (Module 2)",
    "late_mean": "Mean of ECG 3 and EHR 3 (late fusion)",
    "all_levels_mean": "Mean of all six levels",
    "final_paired": "LeMoF, the whole model",
}
FLOORS = {
    ("majority", "acc_50"): "ACC of always the commoner",
    ("majority", "f1_macro_50"): "Macro-F1 of always the commoner",
    ("base_rate", "brier"): "Brier of the base rate",
    ("base_rate", "auprc"): "AUPRC of the base rate",
}
EVERYBODY = "All stays"
STORED = ("auroc", "auprc", "brier", "cal_slope", "oe")  # measures of the forest that `lemof evaluate` leaves
AT_THRESHOLD = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}
MEASURES = {name: COLUMNS[name] for name in STORED} | AT_THRESHOLD
NOTHING = {"auroc": 0.5, "cal_slope": 1.0, "oe": 1.0}  # the value that means chance, or no error
SCALES: dict[str, tuple[float, float] | None] = dict.fromkeys(MEASURES, (0.0, 1.0)) | {"cal_slope": None, "oe": None}


def kinds_found(found: pd.DataFrame, deaths: str) -> list[str]:
    """The keys of KINDS of which the store holds metrics, in their order; an older store holds fewer.

    Args:
        found: the columns of `read_results.metrics`; deaths: with or without in-ICU deaths before the cut.
    """
    there = set(found.loc[(found["source"] == "final") & (found["deaths"] == deaths), "stratum_kind"])
    return [kind for kind in KINDS if kind in there]


def measures_found(found: pd.DataFrame) -> list[str]:
    """The keys of MEASURES that can be shown: those stored, and those that are counted at the threshold."""
    stored = set(found.loc[found["source"] == "final", "name"])
    return [name for name in MEASURES if name in stored or name in AT_THRESHOLD]


def counted_rows(frame: pd.DataFrame, alarm: np.ndarray, kind: str, name: str) -> pd.DataFrame:
    """The same as `strata_rows` for a key of AT_THRESHOLD, counted from the predictions with Wilson intervals.

    Args:
        frame: the columns of `read_analysis.analysed`; alarm: (N,) bool.
    """
    y, rows = frame["label"].to_numpy(), []
    members = {"all": np.ones(len(frame), dtype=bool)} | groups(frame, kind)
    for number, (stratum, some) in enumerate(members.items()):
        n, events = int(some.sum()), int(y[some].sum())
        if n:
            one: Rate = confusion(y[some], alarm[some]).rates()[list(AT_THRESHOLD).index(name)]
            of_kind = kind if number else "all"
            numbers = {"value": one.value, "lo": one.lo, "hi": one.hi, "n": n, "events": events}
            rows.append({"stratum_kind": of_kind, "stratum": stratum, **numbers})
    some = pd.DataFrame(rows, columns=["stratum_kind", "stratum", "value", "lo", "hi", "n", "events"])
    some = some.astype({"value": float, "lo": float, "hi": float})
    return _ordered_rows(some, kind)


def strata_rows(found: pd.DataFrame, kind: str, *, deaths: str = "with", name: str = "auroc") -> pd.DataFrame:
    """What `charts.forest` takes: everybody first, then the strata of a kind, the largest first.

    Strata with fewer than MIN_OF_CLASS stays of a class are there without their number, and say so.

    Args:
        found: the columns of `read_results.metrics`; deaths: with or without in-ICU deaths before the cut.
    """
    chosen = (found["source"] == "final") & (found["deaths"] == deaths) & (found["name"] == name)
    some = found[chosen & found["stratum_kind"].isin(["all", kind])]
    return _ordered_rows(some, kind)


def branch_rows(found: pd.DataFrame, *, name: str = "auroc") -> pd.DataFrame:
    """What `charts.forest` takes: the inner predictions and the whole model, on samples with both modalities."""
    some = found[(found["stratum_kind"] == "all") & (found["name"] == name) & found["source"].isin(SOURCES)]
    some = some.sort_values("source", key=lambda source: source.map(list(SOURCES).index))
    rows = _forest_rows(some, some["source"].map(SOURCES))
    return rows.assign(strong=(some["source"] == "final_paired").to_numpy())


def strata_table(found: pd.DataFrame, kind: str, *, deaths: str = "with") -> pd.DataFrame:
    """One row per stratum: n, long, each metric with its interval, and what forecasts score that look at nobody."""
    here = found[(found["deaths"] == deaths) & found["stratum_kind"].isin(["all", kind])]
    final = here[here["source"] == "final"]
    rows = []
    strata: Any = final.groupby(["stratum_kind", "stratum"], sort=False)
    for (of_kind, stratum), some in strata:
        by_name = {row["name"]: row for row in some.to_dict("records")}
        one = next(iter(by_name.values()))
        row = {"Group": EVERYBODY if of_kind == "all" else stratum, "n": one["n"], "Long": one["events"]}
        hidden = of_kind != "all" and not shown(one["n"], one["events"])
        written = {name: "suppressed" if hidden else _written(number) for name, number in by_name.items()}
        row |= {title: written[name] for name, title in COLUMNS.items() if name in written}
        of_stratum = here[(here["stratum_kind"] == of_kind) & (here["stratum"] == stratum)]
        for (source, name), title in FLOORS.items():
            floor = of_stratum[(of_stratum["source"] == source) & (of_stratum["name"] == name)]
            row[title] = _written(floor.to_dict("records")[0]) if len(floor) and not hidden else "–"
        rows.append(row)
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    first = table["Group"] == EVERYBODY
    return pd.concat([table[first], table[~first].sort_values("n", ascending=False, kind="stable")], ignore_index=True)


def floors_in_words(n_by_split: dict[str, dict[str, int]]) -> str:
    """What the floors of `strata_table` forecast, from the counts the run was fitted with; nothing without them."""
    fitted = [counts for part, counts in n_by_split.items() if part != "test"]
    n, events = (sum(counts[key] for counts in fitted) for key in ("n", "events"))
    if n == 0:
        return ""
    commoner = "a long stay" if 2 * events > n else "no long stay"
    return (
        f"The floors look at no patient. Always the commoner: {commoner} for everybody, the commoner class among the "
        f"{n:,} stays that the run was fitted with. Base rate: {events / n:.2f} for everybody, the share of long stays "
        "among them. The AUROC of both is 0.5."
    )


def not_estimable(rows: pd.DataFrame) -> int:
    """How many of the strata have no number."""
    return int(rows["value"].isna().sum())


def several_in_words(n_groups: int) -> str:
    """What so many 95 % intervals beside each other mean, in a sentence."""
    if n_groups < 2:
        return ""
    at_least_one = 100 * (1 - 0.95**n_groups)
    return (
        f"{n_groups} groups, {n_groups} intervals, none adjusted: about {0.05 * n_groups:.1f} of them miss their true "
        f"value by chance alone, and were the groups independent, at least one would with {at_least_one:.0f} %."
    )


def lower(title: str) -> str:
    """A title within a sentence: without its unit, its first letter small unless it is an abbreviation."""
    word = title.partition(" (")[0]
    return word if word[1:2].isupper() else word[0].lower() + word[1:]


def finding(rows: pd.DataFrame, measure: str, kind: str) -> str:
    """The lowest and the highest group in words, and how many have no number.

    Args:
        rows: of `strata_rows` or `counted_rows`; measure: a key of MEASURES; kind: of KINDS.
    """
    title = f"{MEASURES[measure]} by {lower(KINDS[kind])}"
    of_groups = rows[rows["label"] != EVERYBODY]
    known, gaps = of_groups[of_groups["value"].notna()], not_estimable(of_groups)
    left = f"; {gaps} of {len(of_groups)} groups suppressed or not estimable" if gaps else ""
    if len(known) < 2:
        return title + left
    low, high = known.loc[known["value"].idxmin()], known.loc[known["value"].idxmax()]
    return f"{title}: from {low['value']:.2f} ({low['label']}) to {high['value']:.2f} ({high['label']}){left}"


def _ordered_rows(some: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return everybody, then the groups, with their texts; what is too small loses its numbers."""
    everybody = some["stratum_kind"] == "all"
    ordered = pd.concat([some[everybody], _ordered(some[~everybody], kind)])
    enough = [
        of == "all" or shown(n, k) for of, n, k in ordered[["stratum_kind", "n", "events"]].itertuples(index=False)
    ]
    rows = _forest_rows(ordered, ordered["stratum"].where(ordered["stratum_kind"] != "all", EVERYBODY))
    rows = rows.assign(id=ordered["stratum"].to_numpy())
    hidden = ~np.array(enough, dtype=bool)
    rows.loc[hidden, ["value", "lo", "hi"]] = np.nan
    said = [f"suppressed   n = {n:,}, {k:,} long" for n, k in ordered[["n", "events"]].itertuples(index=False)]
    rows["text"] = np.where(hidden, said, rows["text"])
    return rows


def _ordered(some: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind == "age":
        return some.sort_values("stratum", key=lambda band: band.str.extract(r"(\d+)", expand=False).astype(int))
    return some.sort_values(["n", "stratum"], ascending=[False, True])


def _forest_rows(some: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    of_rows: list[Any] = some.to_dict("records")
    texts = [f"{_written(row)}   n = {row['n']:,}, {row['events']:,} long" for row in of_rows]
    numbers = some[["value", "lo", "hi"]].reset_index(drop=True)
    return numbers.assign(label=labels.to_numpy(), text=texts)


def _written(row: dict[str, Any]) -> str:
    return estimate(row["value"], row["lo"], row["hi"])
