"""A store and a run in; what the model card's checklists may say of them out, in words; what is unknown is absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cohort_db import read, read_results
from cohort_db.read_people import people
from cohort_db.splits import SHARES
from cohort_db.store import Store
from dashboard.data_worth import worth_of_numbers
from dashboard.model_card import differences
from dashboard.split_use import how_fitted
from dashboard.threshold_paths import PATHS, tuned_thresholds
from dashboard.wording import definition_of, estimate, recipe

# What a checklist says is missing where the store does not know the fact yet, and how it comes to know it.
WANTED = {
    "auroc": "the AUROC of the test split (`lemof evaluate`)",
    "brier": "the Brier score of the test split (`lemof evaluate`)",
    "cal_slope": "the calibration slope of the test split (`lemof evaluate`)",
    "cal_intercept": "the calibration intercept of the test split (`lemof evaluate`)",
    "n_test": "the n of the test split (`lemof evaluate`)",
    "groups_evaluated": "numbers by group (`lemof evaluate`)",
    "thresholds": "a tuned threshold: too few calibration samples",
    "n_fitted": "the n of each split that the run was fitted with",
    "base_rate": "the share of long stays among the stays it was fitted with",
    "flow": "the flow of the cohort (`lemof ingest`)",
    "people": "age and sex of the cohort (`lemof ingest`)",
    "without_ecg": "how many have no ECG (`lemof ingest`)",
    "external": "an external validation",
}
_GROUPED_BY = {"disease": "disease group", "sex": "sex", "age": "age", "unit": "care unit", "ecg": "ECG or none"}
_METRICS = ("auroc", "brier", "cal_slope", "cal_intercept")


def card_facts(store: Store, run_id: str) -> dict[str, str]:
    """Fact -> what is known, in words; n and interval with every number. Raises: UnknownRun."""
    run = read_results.run(store, run_id)
    datasets, defined = read.datasets(store), definition_of(run)
    task, found = str(run["task"]), read_results.metrics(store, run_id, "test")
    variables = read.variables(store)["kind"].value_counts()
    facts = {
        "run_id": run_id,
        "recipe": recipe(run),
        "ecg_encoder": str(run["ecg_encoder"]),
        "ehr_encoder": str(run["ehr_encoder"]),
        "code_version": str(run["code_version"]),
        "created": f"{run['created_at']:%Y-%m-%d}",
        "t0": defined.t0,
        "label": defined.label[:1].lower() + defined.label[1:],
        "fitting": how_fitted(run["fitting"]),
        "data": ", ".join(str(name) for name in datasets["name"]),
        "data_kind": _data_kind(datasets),
        "where_fitted": _where_fitted(run),
        "n_variables": f"{variables.get('series', 0)} variables over time and {variables.get('static', 0)} fixed ones",
        "n_differences": str(len(differences())),
        "worth": worth_of_numbers(run, datasets),
        "thresholds": _thresholds(tuned_thresholds(read_results.calibrations(store, run_id))),
    }
    facts |= _of_fit(run["n_by_split"]) | _of_cohort(read.attrition(store, task), people(store, task))
    facts |= _of_test(found) | _external(run, datasets, found)
    # An empty word of worth is known: there is nothing to warn of.
    return {name: value for name, value in facts.items() if value or name == "worth"}


def _data_kind(datasets: pd.DataFrame) -> str:
    kinds = [(bool(datasets["synthetic"].any()), "Synthetic patients, made by the project's own generator")]
    kinds += [(bool(datasets["surrogate_ecg"].any()), "ECGs of other people stand in for the patients' own")]
    return "; ".join(words for true, words in kinds if true) or "Patients and ECGs as recorded, of one hospital"


def _where_fitted(run: dict[str, Any]) -> str:
    if run["shipped"]:
        fitted_on = "synthetic patients" if run["synthetic"] else "patients of another store"
        return f"the run was fitted elsewhere, on {fitted_on}; nobody of this store took part"
    return "fitted on this store, split by patient"


def _thresholds(tuned: dict[str, float]) -> str:
    return ", ".join(f"{tuned[path]:.3f} {words}" for path, words in PATHS.items() if path in tuned)


def _of_fit(n_by_split: dict[str, dict[str, int]]) -> dict[str, str]:
    fitted = {name: n_by_split[name] for name in SHARES if name in n_by_split and name != "test"}
    n, events = (sum(one[key] for one in fitted.values()) for key in ("n", "events"))
    if n == 0:
        return {}
    parts = ", ".join(f"{name} {one['n']:,} ({one['events']:,} long)" for name, one in fitted.items())
    return {
        "n_fitted": f"{n:,} stays, {events:,} long: {parts}",
        "base_rate": f"{events / n:.2f} ({events:,} of {n:,})",
    }


def _of_cohort(flow: pd.DataFrame, counted: pd.DataFrame) -> dict[str, str]:
    facts = {}
    if len(flow):
        first, last = int(flow["n_before"].iloc[0]), int(flow["n_after"].iloc[-1])
        gone = [f"{row['n_left_out']:,} by “{row['label']}”" for row in flow.to_dict("records") if row["n_left_out"]]
        facts["flow"] = f"{last:,} of {first:,} stays in the cohort" + (
            f"; left out: {', '.join(gone)}" if gone else ""
        )
    n = int(counted["n"].sum())
    if n:
        ages = np.repeat(counted["age_years"].to_numpy(int), counted["n"].to_numpy(int))
        low, middle, high = np.quantile(ages, [0.25, 0.5, 0.75])
        women = int(counted.loc[counted["sex"] == "F", "n"].sum())
        without = n - int(counted["with_ecg"].sum())
        facts["people"] = (
            f"Cohort of this store: n = {n:,}, median age {middle:.0f} [quartiles {low:.0f}–{high:.0f}] years, "
            f"{100 * women / n:.0f} % women"
        )
        facts["without_ecg"] = f"{without:,} of {n:,} stays without a usable ECG"
    return facts


def _of_test(found: pd.DataFrame) -> dict[str, str]:
    """The overall metrics as the page Performance says them, and how many groups have a number."""
    final = found[(found["source"] == "final") & (found["deaths"] == "with")]
    overall = final[final["stratum_kind"] == "all"].set_index("name")
    facts = {}
    for name in _METRICS:
        if name in overall.index and pd.notna(overall.loc[name, "value"]):
            one = overall.loc[name]
            facts[name] = f"{estimate(one['value'], one['lo'], one['hi'])} (n = {one['n']:,})"
    if len(overall):
        first = overall.iloc[0]
        facts["n_test"] = f"{first['n']:,} stays of the test split, {first['events']:,} long"
    groups = final[final["stratum_kind"].isin(list(_GROUPED_BY)) & (final["name"] == "auroc") & (final["n"] > 0)]
    if len(groups):
        counts = groups["stratum_kind"].value_counts()
        kinds = ", ".join(f"{n} by {_GROUPED_BY[str(kind)]}" for kind, n in counts.items())
        gaps = int(groups["value"].isna().sum())
        facts["groups_evaluated"] = (
            f"AUROC with intervals of {len(groups)} groups ({kinds}), {gaps} of them not estimable; "
            "intervals are not adjusted for their number"
        )
    return facts


def _external(run: dict[str, Any], datasets: pd.DataFrame, found: pd.DataFrame) -> dict[str, str]:
    """A run judged on recorded patients that it was not fitted on, in another store than its own."""
    made_up = bool(datasets["synthetic"].any()) or bool(datasets["surrogate_ecg"].any())
    auroc = _of_test(found).get("auroc")
    if not run["shipped"] or made_up or auroc is None:
        return {}
    return {"external": f"This store's patients took no part in the fitting: AUROC {auroc}."}
