"""The codes of every stay with one run's predictions in; the same in memory, column by column, out: it answers SQL.

The store keeps rows, of which a count over a million reads every byte: a second a question, and a page asks a dozen.
DuckDB holds the columns that filters are about, a few bytes a stay, and answers the same SQL some twenty times as fast.
What is held is the store as it was at one moment; who holds it asks for another when the store has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    MetaData,
    Select,
    SmallInteger,
    String,
    Table,
    and_,
    case,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from cohort_db.schema import prediction, saved_cohort_member, stay_facet
from cohort_db.stay_filters import SPLITS
from cohort_db.store import Store

PATHS = ("ehr", "both")
_AT_ONCE = 100_000  # rows on their way from the store
_CODES = ("age_years", "sex", "race", "unit", "quality", "outcome", "rule", "label")

browsed = Table(
    "browsed",
    MetaData(),
    Column("stay_id", BigInteger),
    Column("subject_id", BigInteger),
    Column("inside", SmallInteger),  # 1 in the cohort, 0 outside
    *(Column(name, SmallInteger) for name in _CODES),  # as in stay_facet
    Column("diseases", Integer),  # as in stay_facet
    Column("split", SmallInteger),  # place in SPLITS: what the stay was for the run, else in the store
    Column("path", SmallInteger),  # place in PATHS
    Column("p", Double),
)
member = Table("member", MetaData(), Column("cohort_id", String), Column("stay_id", BigInteger))

_ARROW = {BigInteger: pa.int64(), Integer: pa.int32(), SmallInteger: pa.int16(), Double: pa.float64()}
# DuckDB's SQL is PostgreSQL's; its parameters are question marks.
_DIALECT = postgresql.dialect(paramstyle="qmark")  # type: ignore[no-untyped-call]
# In memory alone: nothing is spilt to disk, and no extension is fetched.
_CONFIG: dict[str, Any] = {
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class StayColumns:
    """Table `browsed` of the stays of a task as one run sees them.

    Args:
        conn: a connection that reads the store at one moment.
        run_id: whose predictions and split count; None: the store's split, and no predictions.
    """

    def __init__(self, conn: Connection, task: str, run_id: str | None) -> None:
        self._held = duckdb.connect(":memory:", config=_CONFIG)
        self._members: set[str] = set()
        self._filling = Lock()
        for table in (browsed, member):
            self._held.execute(str(CreateTable(table).compile(dialect=_DIALECT)))
        for rows in _read(conn, task, run_id):
            self._add(browsed, list(zip(*rows, strict=True)))

    def rows(self, query: Select[Any]) -> list[tuple[Any, ...]]:
        """What a query on `browsed` and `member` finds."""
        with closing(self._asked(query)) as found:
            return found.fetchall()

    def column(self, query: Select[Any]) -> NDArray[Any]:
        """What a query of one column without NULL finds (N,)."""
        with closing(self._asked(query)) as found:
            (values,) = found.fetchnumpy().values()
        return np.asarray(values)

    def hold_members(self, store: Store, cohort_id: str) -> None:
        """`member` holds who was in a saved cohort; as members never change, they are read once."""
        with self._filling:
            if cohort_id in self._members:
                return
            query = select(saved_cohort_member.c.cohort_id, saved_cohort_member.c.stay_id)
            with store.reading() as conn:
                rows = conn.execute(query.where(saved_cohort_member.c.cohort_id == cohort_id)).all()
            if rows:
                self._add(member, list(zip(*rows, strict=True)))
                self._members.add(cohort_id)

    def _asked(self, query: Select[Any]) -> duckdb.DuckDBPyConnection:
        compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        values = [compiled.params[name] for name in compiled.positiontup or ()]
        # A cursor is a connection of its own, so that several readers may ask at once.
        return self._held.cursor().execute(compiled.string, values)

    def _add(self, table: Table, columns: list[tuple[Any, ...]]) -> None:
        types = [_ARROW.get(type(column.type), pa.string()) for column in table.c]
        arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
        with closing(self._held.cursor()) as cursor:
            cursor.register("arriving", pa.table(arrays, names=[column.name for column in table.c]))
            cursor.execute(f"INSERT INTO {table.name} SELECT * FROM arriving")


def reading(task: str, run_id: str | None) -> Select[Any]:
    """The columns of `browsed`, in their order, out of the store; of predictions, those of a stay's first sample."""
    inside = case((stay_facet.c.sample_id.is_not(None), 1), else_=0)
    codes = [stay_facet.c[name] for name in _CODES]
    known = select(stay_facet.c.stay_id, stay_facet.c.subject_id, inside, *codes, stay_facet.c.diseases)
    if run_id is None:
        nothing = literal(None)
        return known.add_columns(stay_facet.c.split, nothing, nothing).where(stay_facet.c.task == task)
    columns = (split_of_run(), _place(prediction.c.path, PATHS), prediction.c.p)
    return known.add_columns(*columns).select_from(beside_predictions(run_id)).where(stay_facet.c.task == task)


def beside_predictions(run_id: str) -> FromClause:
    """The narrow rows, each with the run's prediction for the stay's first sample where there is one."""
    same = and_(
        prediction.c.run_id == run_id,
        prediction.c.stay_id == stay_facet.c.stay_id,
        prediction.c.sample_id == stay_facet.c.sample_id,
    )
    return stay_facet.outerjoin(prediction, same)


def split_of_run() -> ColumnElement[Any]:
    """The place in SPLITS of the part that a stay was for the run whose predictions are joined, else in the store."""
    return func.coalesce(_place(prediction.c.split, SPLITS), stay_facet.c.split)


def _place(column: Column[Any], names: tuple[str, ...]) -> Any:
    return case(*((column == name, number) for number, name in enumerate(names)))


def _read(conn: Connection, task: str, run_id: str | None) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows of `reading`, some at a time; the driver's own tuples, as rows of SQLAlchemy cost a third more."""
    # Not `stream_results`: SQLAlchemy would take the first row off the cursor into a buffer of its own.
    with conn.execute(reading(task, run_id)) as found:
        while rows := found.cursor.fetchmany(_AT_ONCE):
            yield rows
