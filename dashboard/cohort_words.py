"""A saved cohort in, how its stays were chosen out, in a sentence that a reader of a page or a report understands."""

from __future__ import annotations

from collections.abc import Mapping

from cohort_db.saved_cohorts import OPERATIONS, SavedCohort, filters_of
from dashboard.cohort_filters import in_words
from dashboard.wording import Definition


def chosen_by(
    saved: SavedCohort,
    defined: Definition,
    *,
    names: Mapping[str, str] | None = None,
    rules: Mapping[str, str] | None = None,
) -> str:
    """Filtered by: Women, 40–60 years, as run 2f4a sees them.

    Args:
        names: saved cohort -> its name; rules: attrition rule -> its sentence; what is absent is told by its id.
    """
    definition, names = saved.definition, dict(names or {})
    if definition["kind"] == "list":
        return f"Chosen: {definition['words']}."
    if definition["kind"] == "operation":
        first, second = (f"“{names.get(one, one)}”" for one in definition["of"])
        return f"Of {first} and {second}: {OPERATIONS[definition['operation']]}."
    words = in_words(filters_of(definition), dict(rules or {}), defined, names)
    of_run = f", as run {definition['run_id']} sees them" if definition["run_id"] else ""
    return f"Filtered by: {', '.join(words.values())}{of_run}." if words else "All stays."
