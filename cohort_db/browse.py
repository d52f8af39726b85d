"""What the cohort browser asks: filters and a run in, counts, histograms, one page of rows or the ids out.

Before a filter is set the counts are read as they were counted at ingest; else everything is aggregated in SQL over
the columns of `stay_columns`. No answer is as long as the cohort, but `stay_ids`.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Integer, Select, case, cast, func, literal, select

from cohort_db.facets import codes as codes_of
from cohort_db.frames import frame_of
from cohort_db.schema import facet_count, facet_state, prediction, stay_facet
from cohort_db.stay_columns import StayColumns, beside_predictions, browsed, split_of_run
from cohort_db.stay_conditions import conditions, error, order_by
from cohort_db.stay_filters import SPLITS, Filters
from cohort_db.store import Store

CODED = ("sex", "race", "unit", "quality", "outcome", "split", "rule")
BINS = 20  # of a probability or an error, equal parts of [0, 1]


class Browser:
    """The stays of a task as one run sees them, as they were when the first question about them was asked.

    Attributes:
        run_id: whose predictions and split count; None: the store's split, and no predictions.
    """

    def __init__(self, store: Store, run_id: str | None, task: str = "los") -> None:
        self._store, self._task = store, task
        self.run_id = run_id
        self._held: StayColumns | None = None
        self._reading = Lock()
        with store.reading() as conn:
            self._codes = codes_of(conn, task)

    def values(self, facet: str) -> list[str]:
        """The values of a facet that some stay has, in the order of their codes."""
        return sorted(self._codes.get(facet, {}), key=lambda value: self._codes[facet][value])

    def count(self, filters: Filters) -> int:
        """How many stays satisfy all filters."""
        if _only_where(filters):
            with self._store.reading() as conn:
                state = conn.execute(_of_where(facet_state, filters).where(facet_state.c.task == self._task))
                return int(state.scalar() or 0)
        ((n,),) = self._rows(filters, func.count())
        return int(n)

    def counts(self, filters: Filters, facet: str) -> dict[str, int]:
        """How many stays have each value of a facet, those left out that other filters leave out.

        Args:
            facet: of CODED, "disease" or "where"; its own filter does not count, so that the reader sees what choosing
                another value would give. A value that nobody has is absent.
        """
        others = filters.without(facet)
        by_run = facet == "split" and self.run_id is not None
        if _only_where(others) and not by_run:
            with self._store.reading() as conn:
                return self._counted_before(conn, others, facet)
        if facet == "disease":
            return self._diseases(others)
        code = browsed.c["inside" if facet == "where" else facet]
        found = self._rows(others, code, func.count(), by=code)
        name_of = _names(self._codes, facet)
        return {name_of[code]: n for code, n in found if code is not None}

    def ages(self, filters: Filters) -> dict[int, int]:
        """Age in whole years -> stays, of those that satisfy all filters but the one on age."""
        others, age = filters.without("age"), browsed.c.age_years
        if _only_where(others):
            with self._store.reading() as conn:
                return {int(value): n for value, n in self._counted_before(conn, others, "age").items()}
        return dict(self._rows(others, age, func.count(), by=age))

    def histogram(self, filters: Filters, of: str) -> NDArray[np.int64]:
        """How many stays (BINS,) have a probability ("p") or an error ("error") in each equal part of [0, 1], of those
        that satisfy all filters but the one on it."""
        out = np.zeros(BINS, dtype=np.int64)
        part = cast(func.floor((browsed.c.p if of == "p" else error()) * BINS), Integer).label("part")
        for number, n in self._rows(filters.without(of), part, func.count(), by="part"):
            if number is not None:
                out[min(number, BINS - 1)] += n
        return out

    def page(self, filters: Filters, order: str = "id", *, offset: int = 0, limit: int = 50) -> pd.DataFrame:
        """Some rows in an order, from `offset` on.

        Columns: stay_id, subject_id, sample_id, in_cohort, age_years, label (Int64), the values of CODED (None where
        absent), p, p_lo, p_hi (NaN), path.
        """
        which = self._select(filters, browsed.c.stay_id).order_by(*order_by(order)).offset(offset).limit(limit)
        ids = [stay_id for (stay_id,) in self.read_stays().rows(which)]
        with self._store.reading() as conn:
            found = frame_of(conn, self._shown(ids), optional=frozenset({"p", "path", "split"}))
            codes = codes_of(conn, self._task)
        found = found.set_index("stay_id", drop=False)
        # A stay that an ingest took away since is gone from the page, though still counted.
        found = found.loc[[stay_id for stay_id in ids if stay_id in found.index]].reset_index(drop=True)
        for name in CODED:
            name_of = _names(codes, name)
            found[name] = [None if pd.isna(code) else name_of[int(code)] for code in found[name]]
        found.insert(3, "in_cohort", found["sample_id"].notna())
        return found

    def of_id(self, number: int) -> list[int]:
        """The stay of that number, and the stays of the patient of that number."""
        with self._store.reading() as conn:
            found = [
                stay
                for column in (stay_facet.c.stay_id, stay_facet.c.subject_id)
                for stay in conn.execute(
                    select(stay_facet.c.stay_id).where(stay_facet.c.task == self._task, column == number)
                ).scalars()
            ]
        return list(dict.fromkeys(found))

    def stay_ids(self, filters: Filters, order: str = "id") -> NDArray[np.int64]:
        """The numbers (N,) of all stays that satisfy the filters, in an order."""
        query = self._select(filters, browsed.c.stay_id).order_by(*order_by(order))
        return self.read_stays().column(query).astype(np.int64)

    def most_probable(self, filters: Filters) -> int | None:
        """The stay with the highest probability, without predictions the first one; None where nobody is left."""
        found = self.page(filters, "p_high", limit=1)
        return None if found.empty else int(found["stay_id"].iloc[0])

    def read_stays(self) -> StayColumns:
        """The stays as the run sees them, read with their codes at the first question about them."""
        with self._reading:
            if self._held is None:
                with self._store.reading() as conn:
                    self._codes = codes_of(conn, self._task)
                    self._held = StayColumns(conn, self._task, self.run_id)
            return self._held

    def _select(self, filters: Filters, *columns: Any) -> Select[Any]:
        """The columns over the stays that satisfy all filters."""
        held = self.read_stays()  # first, as the codes come with it
        if filters.cohort:
            held.hold_members(self._store, filters.cohort)
        return select(*columns).select_from(browsed).where(*conditions(filters, self._codes).values())

    def _rows(self, filters: Filters, *columns: Any, by: Any = None) -> list[tuple[Any, ...]]:
        query = self._select(filters, *columns)
        return self.read_stays().rows(query if by is None else query.group_by(by).order_by(by))

    def _shown(self, ids: list[int]) -> Select[Any]:
        """What `page` shows of these stays, out of the store."""
        names = ("stay_id", "subject_id", "sample_id", "age_years", "label", *(set(CODED) - {"split"}))
        of_run = [prediction.c[name] for name in ("p", "path", "p_lo", "p_hi")]
        columns = (*(stay_facet.c[name] for name in names), split_of_run().label("split"), *of_run)
        joined = beside_predictions(self.run_id or "")
        return (
            select(*columns).select_from(joined).where(stay_facet.c.task == self._task, stay_facet.c.stay_id.in_(ids))
        )

    def _diseases(self, filters: Filters) -> dict[str, int]:
        """One pass over the stays, a sum per group: groups overlap, so that no grouping would do."""
        known = self._codes.get("disease", {})
        has = [browsed.c.diseases.bitwise_and(literal(1 << code)) != 0 for code in known.values()]
        if not has:
            return {}
        (found,) = self._rows(filters, *(func.sum(case((one, 1), else_=0)) for one in has))
        return {value: int(n) for value, n in zip(known, found, strict=True) if n}

    def _counted_before(self, conn: Connection, filters: Filters, facet: str) -> dict[str, int]:
        """The counts of a facet where nobody is left out but by `where`: nothing needs to be counted."""
        if facet == "where":
            return {name: n for name, n in zip(("in", "out"), totals_of(conn, self._task), strict=True) if n}
        query = _of_where(facet_count, filters, facet_count.c.value).where(
            facet_count.c.task == self._task, facet_count.c.facet == facet
        )
        return {value: int(n) for value, n in conn.execute(query.order_by(facet_count.c.code)) if n}


def totals(store: Store, task: str = "los") -> tuple[int, int]:
    """How many stays are in the cohort, and how many outside."""
    with store.reading() as conn:
        return totals_of(conn, task)


def totals_of(conn: Connection, task: str) -> tuple[int, int]:
    """`totals` by an open connection."""
    found = conn.execute(select(facet_state.c.n, facet_state.c.n_out).where(facet_state.c.task == task)).first()
    return (int(found.n), int(found.n_out)) if found else (0, 0)


def _names(codes: dict[str, dict[str, int]], facet: str) -> dict[int, str]:
    """Code -> value."""
    if facet == "where":
        return {1: "in", 0: "out"}
    if facet == "split":
        return dict(enumerate(SPLITS))
    return {code: value for value, code in codes.get(facet, {}).items()}


def _only_where(filters: Filters) -> bool:
    return set(filters.active()) <= {"where"}


def _of_where(table: Any, filters: Filters, *columns: Any) -> Select[Any]:
    """The columns beside how many stays a row of counts has inside the cohort, outside it, or both, as `where` asks."""
    wanted = {"in": table.c.n, "out": table.c.n_out}
    asked = [wanted[name] for name in dict.fromkeys(filters.where or wanted)]
    return select(*columns, sum(asked[1:], start=asked[0]))
