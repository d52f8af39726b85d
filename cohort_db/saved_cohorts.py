"""Stays that somebody wants to come back to: a definition and its members in, kept for good; both read back.

A saved cohort is a definition (filters as one run saw them, a set operation on two others, or a list of stays) with the
stays that it gave at the time. A link opens these very stays. Where the data changed since, the definition may give
others: both numbers are told, and neither is silently put in the place of the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from sqlalchemy import func, select, update

from cohort_db.browse import Browser
from cohort_db.errors import InputMistake
from cohort_db.frames import frame_of
from cohort_db.read_course import UnknownId
from cohort_db.schema import sample, saved_cohort, saved_cohort_member, stay
from cohort_db.stay_filters import Filters
from cohort_db.store import Store, insert_frame, insert_new

OPERATIONS = {"and": "in both", "or": "in either", "minus": "in the first, not in the second"}
LONGEST_NAME = 120
DEEPEST = 20  # set operations inside set operations


class UnknownCohort(UnknownId):
    """The store holds no saved cohort of that id."""


@dataclass(frozen=True)
class SavedCohort:
    """One row of saved_cohort; times are UTC, n is the number of members at saving."""

    cohort_id: str
    task: str
    name: str
    author: str
    note: str | None
    definition: dict[str, Any]
    n: int
    created_at: datetime
    archived_at: datetime | None


def of_filters(filters: Filters, run_id: str | None) -> dict[str, Any]:
    """The definition by filters: what is asked for, and the run whose predictions and split it is asked of."""
    asked = {name: value for name, value in asdict(filters).items() if name in filters.active()}
    if filters.verdict:
        asked |= {"thr": filters.thr, "thr_ehr": filters.thr_ehr}
    return {"kind": "filters", "filters": asked, "run_id": run_id if filters.reads_run else None}


def of_operation(operation: str, first: str, second: str) -> dict[str, Any]:
    """The definition by a set operation on two saved cohorts. Raises: InputMistake for an unknown operation."""
    if operation not in OPERATIONS:
        raise InputMistake(f"a set operation is one of {', '.join(OPERATIONS)}, however: {operation!r}")
    return {"kind": "operation", "operation": operation, "of": [first, second]}


def of_list(words: str) -> dict[str, Any]:
    """The definition of stays that were chosen one by one, or by a page that tells in words how."""
    return {"kind": "list", "words": words}


def save(
    store: Store,
    name: str,
    author: str,
    definition: Mapping[str, Any],
    *,
    note: str = "",
    stay_ids: Sequence[int] | NDArray[np.int64] | None = None,
    task: str = "los",
    browser_of: Callable[[str | None], Browser] | None = None,
) -> str:
    """The cohort is stored with the stays that it has now; returns its id, which links carry.

    Args:
        stay_ids: the members; needed for a definition of kind "list", else those that the definition gives now.
        browser_of: see `now`.
    Raises: InputMistake for a name or author that is empty or too long, a name that a listed cohort has, a cohort
        without any stay, or stays that the store does not hold.
    """
    named, by = " ".join(name.split()), " ".join(author.split())
    for what, text in (("a name", named), ("an author (“Saved by”)", by)):
        if not 0 < len(text) <= LONGEST_NAME:
            raise InputMistake(f"a saved cohort needs {what} of 1 to {LONGEST_NAME} letters")
    given = None if stay_ids is None else np.unique(np.asarray(stay_ids, dtype=np.int64))
    if (listed(store, task)["name"] == named).any():
        raise InputMistake(f"there is a saved cohort named {named!r}: give this one another name, or archive that one")
    found = now(store, definition, task, browser_of=browser_of) if given is None else given
    if found is None or not len(found):
        raise InputMistake("there is no stay to save: choose other filters")
    if given is not None and len(strange := np.setdiff1d(given, _present(store, given))):
        raise InputMistake(f"the store holds no ICU stay {strange[0]}")
    cohort_id = uuid.uuid4().hex[:12]
    row: dict[str, Any] = {
        "cohort_id": cohort_id,
        "task": task,
        "name": named,
        "author": by,
        "note": note.strip() or None,
    }
    row |= {"definition": dict(definition), "n": len(found), "created_at": datetime.now(UTC).replace(tzinfo=None)}
    members = pl.DataFrame({"stay_id": np.sort(found)}).with_columns(pl.lit(cohort_id).alias("cohort_id"))
    with store.writing() as conn:
        insert_new(conn, saved_cohort, [row])
        insert_frame(conn, saved_cohort_member, members)
    return cohort_id


def archive(store: Store, cohort_id: str, *, back: bool = False) -> None:
    """The cohort is no longer listed (or is again); links to it hold. Raises: UnknownCohort."""
    get(store, cohort_id)
    at = None if back else datetime.now(UTC).replace(tzinfo=None)
    with store.writing() as conn:
        conn.execute(update(saved_cohort).where(saved_cohort.c.cohort_id == cohort_id).values(archived_at=at))


def listed(store: Store, task: str = "los", *, archived: bool = False) -> pd.DataFrame:
    """The saved cohorts of the task, newest first: the columns of table saved_cohort; archived ones only if asked."""
    query = select(saved_cohort).where(saved_cohort.c.task == task)
    query = query if archived else query.where(saved_cohort.c.archived_at.is_(None))
    with store.reading() as conn:
        return frame_of(conn, query.order_by(saved_cohort.c.created_at.desc(), saved_cohort.c.cohort_id))


def get(store: Store, cohort_id: str) -> SavedCohort:
    """One saved cohort. Raises: UnknownCohort."""
    with store.reading() as conn:
        row = conn.execute(select(saved_cohort).where(saved_cohort.c.cohort_id == cohort_id)).mappings().first()
    if row is None:
        raise UnknownCohort(f"the store holds no saved cohort {cohort_id}")
    return SavedCohort(**row)


def members(store: Store, cohort_id: str) -> NDArray[np.int64]:
    """The stays (N,) at saving, by number, also those that the store holds no longer. Raises: UnknownCohort."""
    get(store, cohort_id)
    query = select(saved_cohort_member.c.stay_id).where(saved_cohort_member.c.cohort_id == cohort_id)
    with store.reading() as conn:
        return np.fromiter(conn.execute(query.order_by(saved_cohort_member.c.stay_id)).scalars(), dtype=np.int64)


def sample_ids(store: Store, cohort_id: str) -> list[str]:
    """The samples of the cohort's task that its members have, sorted; stays outside the task's cohort have none.

    Raises: UnknownCohort.
    """
    task = get(store, cohort_id).task
    joined = sample.join(saved_cohort_member, saved_cohort_member.c.stay_id == sample.c.stay_id)
    query = select(sample.c.sample_id).select_from(joined)
    with store.reading() as conn:
        found = conn.execute(query.where(saved_cohort_member.c.cohort_id == cohort_id, sample.c.task == task)).scalars()
        return sorted(found)


def now(
    store: Store,
    definition: Mapping[str, Any],
    task: str = "los",
    *,
    browser_of: Callable[[str | None], Browser] | None = None,
    depth: int = 0,
    known: dict[str, NDArray[np.int64]] | None = None,
) -> NDArray[np.int64] | None:
    """The stays (N,) that the definition gives today, by number; None for a list, which nothing defines.

    A set operation is made of what its two cohorts' definitions give today, or their members where these are lists.
    Args:
        browser_of: run -> its browser, where the caller keeps some; else the stays are read anew.
        known: what cohorts that stand in several operations were found to give, by id; filled.
    Raises: UnknownCohort; InputMistake for operations nested too deeply.
    """
    if definition["kind"] == "list":
        return None
    if definition["kind"] == "filters":
        run_id = definition["run_id"]
        browser = browser_of(run_id) if browser_of else Browser(store, run_id, task)
        return np.sort(browser.stay_ids(filters_of(definition)))
    if depth > DEEPEST:
        raise InputMistake("the set operations of this cohort are nested too deeply")
    known = {} if known is None else known
    for cohort_id in definition["of"]:
        if cohort_id not in known:
            definition_of_part = get(store, cohort_id).definition
            found = now(store, definition_of_part, task, browser_of=browser_of, depth=depth + 1, known=known)
            known[cohort_id] = members(store, cohort_id) if found is None else found
    return combined(definition["operation"], *(known[cohort_id] for cohort_id in definition["of"]))


def combined(operation: str, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The members (N,) of a set operation of OPERATIONS on two sorted lists of stays."""
    joined = {
        "and": lambda: np.intersect1d(first, second),
        "or": lambda: np.union1d(first, second),
        "minus": lambda: np.setdiff1d(first, second),
    }
    return np.asarray(joined[operation](), dtype=np.int64)


def filters_of(definition: Mapping[str, Any]) -> Filters:
    """The filters of a definition of kind "filters"; JSON has lists where filters have tuples."""
    known = {one.name for one in fields(Filters)}
    given = definition["filters"].items()
    asked: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
    return Filters(**{name: value for name, value in asked.items() if name in known})


def still_there(store: Store, cohort_id: str) -> int:
    """How many of the members the store still holds."""
    query = select(func.count()).select_from(
        saved_cohort_member.join(stay, stay.c.stay_id == saved_cohort_member.c.stay_id)
    )
    with store.reading() as conn:
        return int(conn.execute(query.where(saved_cohort_member.c.cohort_id == cohort_id)).scalar_one())


def _present(store: Store, stay_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the stays that the store holds."""
    found: list[int] = []
    with store.reading() as conn:
        for start in range(0, len(stay_ids), 10_000):
            some = [int(one) for one in stay_ids[start : start + 10_000]]
            found += conn.execute(select(stay.c.stay_id).where(stay.c.stay_id.in_(some))).scalars()
    return np.asarray(sorted(found), dtype=np.int64)
