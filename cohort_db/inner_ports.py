"""A run and a split in, the inner predictions of every sample out: one row a sample, one column a port."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Connection, FromClause, and_, select

from cohort_db.frames import frame_of
from cohort_db.schema import branch_value, prediction

LEVEL_PORTS = ("ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3")
PORTS = (*LEVEL_PORTS, "cross")


def ports_of(conn: Connection, run_id: str, split: str | None = None) -> pd.DataFrame:
    """Log-odds indexed by sample_id, columns PORTS, NaN where the path has no such port; no row where it has none.

    Each port is looked up by its own key: a third of the work of reading a prediction's branch values and turning
    them. A query of its own, because beside other tables the look-ups drive each other's pages out of SQLite's cache.
    """
    joined: FromClause = prediction
    columns = []
    for port in PORTS:
        own = branch_value.alias(f"port_{port}")
        same = and_(own.c.run_id == prediction.c.run_id, own.c.sample_id == prediction.c.sample_id, own.c.port == port)
        joined = joined.outerjoin(own, same)
        columns.append(own.c.logit.label(port))
    query = select(prediction.c.sample_id, *columns).select_from(joined).where(prediction.c.run_id == run_id)
    query = query if split is None else query.where(prediction.c.split == split)
    found = frame_of(conn, query.order_by(prediction.c.sample_id)).set_index("sample_id")
    return found.dropna(how="all").rename_axis(columns="port")
