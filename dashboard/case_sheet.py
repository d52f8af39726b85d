"""A stay and a run in, all that the case page's panels share out: read once, drawn by several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from dashboard import ecg_choice, queries_case
from dashboard.case_values import Latest, judged, latest_seen
from dashboard.queries_case import Attention, Case, Explained
from dashboard.session import stamp
from dashboard.wording import Definition, definition_of


@dataclass(frozen=True)
class CaseSheet:
    """One stay as one run saw it, with its values judged and its ECGs chosen."""

    url: str
    revision: str
    case: Case
    run: dict[str, Any] | None
    defined: Definition
    variables: pd.DataFrame  # the catalogue, indexed by name
    values: pd.DataFrame  # as `case_values.judged` gives them
    latest: dict[str, Latest]  # what the model saw last of each series
    explained: Explained | None
    read_maps: Callable[[], Attention | None] | None  # None where the run stored no maps of this stay
    attention: Attention | None  # read only where its panel is open
    records: pd.DataFrame  # the patient's ECGs
    study_id: int | None  # of the one on the paper
    second_id: int | None  # of the one beside it


def judged_values(url: str, revision: str, case: Case) -> tuple[pd.DataFrame, dict[str, Latest]]:
    """Return the case's charted values as `case_values.judged` gives them, and what the model saw last of each."""
    variables, facts = queries_case.variables(url, revision), case.facts
    measured = queries_case.measurements(url, revision, case.stay_id)
    values = judged(measured, variables, sex=facts["sex"], intime=facts["intime"], t0_s=case.t0_s)
    return values, latest_seen(values, variables, facts["sex"])


def read_sheet(stay_id: int, run: dict[str, Any] | None, *, with_maps: bool) -> CaseSheet | None:
    """Return the sheet; None where the store holds no such stay. with_maps: read the attention maps now."""
    url, revision = stamp()
    case = queries_case.case_of(url, revision, stay_id, run["run_id"] if run else None)
    if case is None:
        return None
    values, latest = judged_values(url, revision, case)
    explained, read_maps = None, None
    if case.prediction and case.prediction["array_row"] is not None:
        row, path = int(case.prediction["array_row"]), case.prediction["path"]
        explained = queries_case.explained(url, revision, case.run_id, row, path)
        if path == "both" and queries_case.has_attention(url, revision, case.run_id):
            read_maps = partial(queries_case.attention, url, revision, case.run_id, row)
    records = queries_case.ecgs(url, revision, int(case.facts["subject_id"]))
    study_id = ecg_choice.chosen_study(case, records)
    return CaseSheet(
        url,
        revision,
        case,
        run,
        definition_of(run) if run else queries_case.definition(url, revision),
        queries_case.variables(url, revision),
        values,
        latest,
        explained,
        read_maps,
        read_maps() if read_maps and with_maps else None,
        records,
        study_id,
        ecg_choice.compared_study(records, study_id),
    )
