"""Stored metrics in, rows for the forest plots and tables of /performance out: by stratum and by branch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.wording import estimate

KINDS = {"disease": "Disease group", "sex": "Sex", "age": "Age (years)", "unit": "Care unit", "ecg": "ECG"}
COLUMNS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "acc_50": "ACC at 0.5",
    "acc_tuned": "ACC tuned",
    "f1_macro_50": "Macro-F1 at 0.5",
    "f1_macro_tuned": "Macro-F1 tuned",
    "brier": "Brier",
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


def strata_rows(found: pd.DataFrame, kind: str, *, deaths: str = "with", name: str = "auroc") -> pd.DataFrame:
    """What `charts.forest` takes: everybody first, then the strata of a kind, the largest first.

    Args:
        found: the columns of `read_results.metrics`; deaths: with or without in-ICU deaths before the cut.
    """
    chosen = (found["source"] == "final") & (found["deaths"] == deaths) & (found["name"] == name)
    some = found[chosen & found["stratum_kind"].isin(["all", kind])]
    everybody = some["stratum_kind"] == "all"
    ordered = pd.concat([some[everybody], _ordered(some[~everybody], kind)])
    return _forest_rows(ordered, ordered["stratum"].where(ordered["stratum_kind"] != "all", EVERYBODY))


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
        row |= {title: _written(by_name[name]) for name, title in COLUMNS.items() if name in by_name}
        of_stratum = here[(here["stratum_kind"] == of_kind) & (here["stratum"] == stratum)]
        for (source, name), title in FLOORS.items():
            floor = of_stratum[(of_stratum["source"] == source) & (of_stratum["name"] == name)]
            row[title] = _written(floor.to_dict("records")[0]) if len(floor) else "–"
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
