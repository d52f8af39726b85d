"""What the cohort browser asks: filters and a run in, counts, histograms, one page of rows or the ids out.

Everything is counted in the database, from the narrow rows of `stay_facet` and, only where a filter or an order is
about a prediction, from the index `ix_prediction_browse`. No answer is as long as the cohort, but `stay_ids`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, case, cast, func, literal, select
from sqlalchemy.sql import visitors

from cohort_db.facets import codes as codes_of
from cohort_db.frames import frame_of
from cohort_db.schema import facet_count, facet_state, prediction, stay_facet
from cohort_db.stay_filters import (
    ORDERS_OF_RUN,
    SPLITS,
    Filters,
    conditions,
    error,
    order_by,
    split_code,
)
from cohort_db.store import Store

CODED = ("sex", "race", "unit", "quality", "outcome", "split", "rule")
BINS = 24  # of a probability or an error, equal parts of [0, 1]


class Browser:
    """The stays of a task as one run sees them.

    Attributes:
        run_id: whose predictions and split count; None: the store's split, and no predictions.
    """

    def __init__(self, store: Store, run_id: str | None, task: str = "los") -> None:
        self._store, self._task = store, task
        self.run_id = run_id
        with store.reading() as conn:
            self._codes = codes_of(conn, task)

    def values(self, facet: str) -> list[str]:
        """The values of a facet that some stay has, in the order of their codes."""
        return sorted(self._codes.get(facet, {}), key=lambda value: self._codes[facet][value])

    def count(self, filters: Filters) -> int:
        """How many stays satisfy all filters."""
        with self._store.reading() as conn:
            if _only_where(filters):
                state = conn.execute(_of_where(facet_state, filters).where(facet_state.c.task == self._task))
                return int(state.scalar() or 0)
            return int(conn.execute(self._select(filters, func.count())).scalar_one())

    def counts(self, filters: Filters, facet: str) -> dict[str, int]:
        """How many stays have each value of a facet, those left out that other filters leave out.

        Args:
            facet: of CODED, "disease" or "where"; its own filter does not count, so that the reader sees what choosing
                another value would give. A value that nobody has is absent.
        """
        others = filters.without(facet)
        by_run = facet == "split" and self.run_id is not None
        with self._store.reading() as conn:
            if facet == "where" and not others.active():
                n, n_out = totals_of(conn, self._task)
                return {name: n for name, n in (("in", n), ("out", n_out)) if n}
            if facet == "where":
                inside = case((stay_facet.c.sample_id.is_not(None), 0), else_=1)
                return self._grouped(conn, others, inside, ("in", "out"))
            if _only_where(others) and not by_run:
                return self._counted_before(conn, others, facet)
            if facet == "disease":
                return self._diseases(conn, others)
            if facet == "split":
                return self._grouped(conn, others, split_code(), SPLITS)
            return self._grouped(conn, others, stay_facet.c[facet], self._by_code(facet))

    def counts_together(self, filters: Filters, facets: Sequence[str]) -> tuple[int, dict[str, dict[str, int]]]:
        """How many stays satisfy all filters, and `counts` of facets without a filter of their own, in one pass.

        Args:
            facets: of CODED but "split", "disease" and "where".
        """
        asked = [(facet, value, self._has(facet, value)) for facet in facets for value in self._values_of(facet)]
        sums = [func.sum(case((has, 1), else_=0)) for _, _, has in asked]
        with self._store.reading() as conn:
            n, *found = conn.execute(self._select(filters, func.count(), *sums)).one()
        out: dict[str, dict[str, int]] = {facet: {} for facet in facets}
        for (facet, value, _), k in zip(asked, found, strict=True):
            if k:
                out[facet][value] = int(k)
        return int(n), out

    def predicted(self, filters: Filters) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, int]]:
        """`histogram` of "p" and of "error" and `counts` of "split" in one pass; none of them may have a filter."""
        out, split = np.zeros((2, BINS), dtype=np.int64), dict.fromkeys(SPLITS, 0)
        with self._store.reading() as conn:
            parts = [self._part(conn, value) for value in (prediction.c.p, error())]
            columns = (*parts, split_code())
            query = self._select(filters, *columns, func.count(), scored=True, unscored_too=True).group_by(*columns)
            for *places, code, n in conn.execute(query):
                for row, place in zip(out, places, strict=True):
                    if place is not None:
                        row[min(int(place), BINS - 1)] += int(n)
                if code is not None:
                    split[SPLITS[int(code)]] += int(n)
        return out[0], out[1], {name: n for name, n in split.items() if n}

    def ages(self, filters: Filters) -> dict[int, int]:
        """Age in whole years -> stays, of those that satisfy all filters but the one on age."""
        others, age = filters.without("age"), stay_facet.c.age_years
        with self._store.reading() as conn:
            if _only_where(others):
                return {int(value): n for value, n in self._counted_before(conn, others, "age").items()}
            return {
                int(value): int(n) for value, n in conn.execute(self._select(others, age, func.count()).group_by(age))
            }

    def histogram(self, filters: Filters, of: str) -> NDArray[np.int64]:
        """How many stays (BINS,) have a probability ("p") or an error ("error") in each equal part of [0, 1], of those
        that satisfy all filters but the one on it."""
        value = prediction.c.p if of == "p" else error()
        out = np.zeros(BINS, dtype=np.int64)
        with self._store.reading() as conn:
            part = self._part(conn, value)
            query = self._select(filters.without(of), part, func.count(), scored=True)
            for number, n in conn.execute(query.where(value.is_not(None)).group_by(part)):
                out[min(int(number), BINS - 1)] += int(n)
        return out

    def page(self, filters: Filters, order: str = "id", *, offset: int = 0, limit: int = 50) -> pd.DataFrame:
        """Some rows in an order, from `offset` on.

        Columns: stay_id, subject_id, sample_id, in_cohort, age_years, label (Int64), the values of CODED (None where
        absent), p, p_lo, p_hi (NaN), path.
        """
        shown: list[Any] = [stay_facet.c[name] for name in ("stay_id", "subject_id", "sample_id", "age_years", "label")]
        shown += [stay_facet.c[name] for name in CODED if name != "split"]
        shown += [split_code().label("split"), prediction.c.p, prediction.c.path, prediction.c.p_lo, prediction.c.p_hi]
        # First which stays, from the narrow rows and the index alone; then all of these few.
        scored = order in ORDERS_OF_RUN
        which = self._select(filters, stay_facet.c.stay_id, scored=scored, unscored_too=True).order_by(*order_by(order))
        with self._store.reading() as conn:
            ids = list(conn.execute(which.offset(offset).limit(limit)).scalars())
            these = self._select(Filters(), *shown, scored=True, unscored_too=True).where(stay_facet.c.stay_id.in_(ids))
            found = frame_of(conn, these, optional=frozenset({"p", "path", "split"}))
        found = found.set_index("stay_id", drop=False).loc[ids].reset_index(drop=True)
        for name in CODED:
            values = SPLITS if name == "split" else self._by_code(name)
            found[name] = [None if pd.isna(code) else values[int(code)] for code in found[name]]
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
        scored = order in ORDERS_OF_RUN
        query = self._select(filters, stay_facet.c.stay_id, scored=scored, unscored_too=True)
        with self._store.reading() as conn:
            return np.fromiter(conn.execute(query.order_by(*order_by(order))).scalars(), dtype=np.int64)

    def most_probable(self, filters: Filters) -> int | None:
        """The stay with the highest probability, without predictions the first one; None where nobody is left."""
        found = self.page(filters, "p_high", limit=1)
        return None if found.empty else int(found["stay_id"].iloc[0])

    def _select(self, filters: Filters, *columns: Any, scored: bool = False, unscored_too: bool = False) -> Select[Any]:
        """The columns over the stays that satisfy all filters.

        Args:
            scored: join the run's predictions though no filter asks for them; unscored_too: and keep stays without one.
        """
        asked = conditions(filters, self._codes)
        of_prediction = not {"p", "error", "verdict"}.isdisjoint(asked)
        table: Any = stay_facet
        if scored or of_prediction or "split" in asked or _reads_prediction(columns):
            same = and_(
                prediction.c.run_id == (self.run_id or ""),
                prediction.c.stay_id == stay_facet.c.stay_id,
                prediction.c.sample_id == stay_facet.c.sample_id,
            )
            inner = of_prediction or (scored and not unscored_too and "split" not in asked)
            table = stay_facet.join(prediction, same, isouter=not inner)
        return select(*columns).select_from(table).where(stay_facet.c.task == self._task, *asked.values())

    def _part(self, conn: Connection, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Which of BINS equal parts of [0, 1] the value lies in; BINS for 1."""
        # Casting cuts the fraction off in SQLite, which may lack floor, and rounds in PostgreSQL.
        return cast(value * BINS if conn.dialect.name == "sqlite" else func.floor(value * BINS), Integer)

    def _values_of(self, facet: str) -> Sequence[str]:
        return ("in", "out") if facet == "where" else self.values(facet)

    def _has(self, facet: str, value: str) -> ColumnElement[bool]:
        """Whether a stay has the value of a facet."""
        if facet == "where":
            inside = stay_facet.c.sample_id.is_not(None)
            return inside if value == "in" else ~inside
        code = self._codes[facet][value]
        if facet == "disease":
            return stay_facet.c.diseases.bitwise_and(literal(1 << code)) != 0
        return stay_facet.c[facet] == code

    def _by_code(self, facet: str) -> dict[int, str]:
        return {code: value for value, code in self._codes.get(facet, {}).items()}

    def _grouped(
        self, conn: Connection, filters: Filters, code: ColumnElement[Any], values: Mapping[int, str] | Sequence[str]
    ) -> dict[str, int]:
        query = self._select(filters, code, func.count()).where(code.is_not(None)).group_by(code)
        return {values[int(number)]: int(n) for number, n in conn.execute(query)}

    def _diseases(self, conn: Connection, filters: Filters) -> dict[str, int]:
        """One pass over the rows, a sum per group: groups overlap, so that no grouping would do."""
        known = self.values("disease")
        has = [self._has("disease", value) for value in known]
        if not has:
            return {}
        found = conn.execute(self._select(filters, *(func.sum(case((one, 1), else_=0)) for one in has))).one()
        return {value: int(n) for value, n in zip(known, found, strict=True) if n}

    def _counted_before(self, conn: Connection, filters: Filters, facet: str) -> dict[str, int]:
        """The counts of a facet where nobody is left out but by `where`: nothing needs to be counted."""
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


def _only_where(filters: Filters) -> bool:
    return set(filters.active()) <= {"where"}


def _of_where(table: Any, filters: Filters, *columns: Any) -> Select[Any]:
    """The columns beside how many stays a row of counts has inside the cohort, outside it, or both, as `where` asks."""
    wanted = {"in": table.c.n, "out": table.c.n_out}
    asked = [wanted[name] for name in dict.fromkeys(filters.where or wanted)]
    return select(*columns, sum(asked[1:], start=asked[0]))


def _reads_prediction(columns: Sequence[Any]) -> bool:
    """Whether a selected expression mentions a column of `prediction`."""
    return any(
        getattr(part, "table", None) is prediction
        for column in columns
        if isinstance(column, ColumnElement)
        for part in visitors.iterate(column)
    )
