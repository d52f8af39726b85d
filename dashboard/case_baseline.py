"""A case in, what its levels may be held against beside the run's background out: a disease, the patient earlier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

from cohort_db.errors import InputMistake
from cohort_db.store import Store
from dashboard import queries_case, queries_results
from dashboard.live_case import stored_case
from dashboard.live_service import service
from dashboard.queries_case import Case
from lemof_core.errors import ModelMistake
from lemof_core.live import run_folder

COHORT = "cohort"
FEWEST = 10  # stays of a disease; with fewer their mean says little


@dataclass(frozen=True)
class Baseline:
    """A waterfall against another base: rows of port, phi_logit, phi_prob (None where there is none), and whose."""

    name: str
    words: str
    rows: pd.DataFrame | None = None
    base_logit: float = 0.0
    base_p: float = 0.0


def baselines_of(
    store: Store, url: str, revision: str, case: Case, run: dict[str, Any] | None
) -> dict[str, Callable[[], Baseline]]:
    """Return name -> what finds the baseline when it is asked for; nothing where the case has no levels.

    Diseases are those coded for this admission; earlier landmarks are those that another run of the store was trained
    at with the same fusion.
    """
    if case.prediction is None or run is None or case.branches.empty:
        return {}
    out: dict[str, Callable[[], Baseline]] = {}
    coded = queries_case.diagnoses(url, revision, int(case.facts["hadm_id"]))["disease_group"].dropna()
    for group in sorted(set(coded)):
        out[str(group)] = partial(_same_disease, store, url, revision, case, run, str(group))
    runs = queries_results.runs(url, revision)
    earlier = runs[(runs["t0_hours"] < run["t0_hours"]) & (runs["fusion"] == run["fusion"])]
    for hour, some in earlier.groupby("t0_hours"):
        out[f"at {hour:g} h"] = partial(_earlier, store, case, run, some.iloc[0].to_dict())
    return out


def _same_disease(store: Store, url: str, revision: str, case: Case, run: dict[str, Any], group: str) -> Baseline:
    path, ports = str((case.prediction or {})["path"]), case.branches["port"].tolist()
    others = queries_case.ports_of_disease(url, revision, case.run_id, group, path, int(case.facts["subject_id"]))
    if len(others) < FEWEST:
        return Baseline(group, f"Not estimable against {group}: n = {len(others)} other stays of cal and test.")
    words = (
        f"Against {len(others)} other stays with {group}, coded at discharge: retrospective, unknown at t0. None of "
        "them was used to fit a network of this run."
    )
    return _rebased(store, case, run, others[ports], group, words)


def _earlier(store: Store, case: Case, run: dict[str, Any], other: dict[str, Any]) -> Baseline:
    name = f"This patient at {other['t0_hours']:g} h"
    try:
        asked = replace(stored_case(store, case.stay_id), explain=False)
        then = service().predict(asked, run_folder(other["folder"], store.runs_folder))
    except (ModelMistake, InputMistake) as mistake:
        return Baseline(name, f"Not against {name.lower()}: {mistake}.")
    ports = case.branches["port"].tolist()
    row = {one["port"]: one["logit"] for one in then.branch_values}
    if set(row) != set(ports):
        return Baseline(name, f"Not against {name.lower()}: run {other['run_id']} took another path then.")
    words = f"Against what run {other['run_id']}, trained at {other['t0_hours']:g} h, said of this patient then."
    return _rebased(store, case, run, pd.DataFrame([row])[ports], name, words)


def _rebased(
    store: Store, case: Case, run: dict[str, Any], background: pd.DataFrame, name: str, words: str
) -> Baseline:
    """Return the exact Owen values against the background, from the live service, which holds the decision."""
    ports = case.branches
    try:
        found = service().rebase(
            run_folder(run["folder"], store.runs_folder),
            str((case.prediction or {})["path"]),
            ports["logit"].to_numpy(float),
            background.to_numpy(float),
        )
    except ModelMistake as mistake:
        return Baseline(name, f"Not against {name}: {mistake}.")
    return Baseline(name, words, pd.DataFrame(found.rows), found.base_logit, found.base_p)
