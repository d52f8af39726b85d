"""What two runs have in common: a store and both runs in, how many samples each was used for in which part out."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import and_, func, select

from cohort_db.frames import frame_of
from cohort_db.schema import prediction, sample
from cohort_db.store import Store


def shared_splits(store: Store, run_id: str, other_id: str) -> pd.DataFrame:
    """Count the samples with a known outcome that `run_id` has scored, by its split and by the other run's.

    Columns: split, other_split (None where the other run has not scored them), n. Empty for an unknown run.
    """
    other = prediction.alias("other")
    same = and_(other.c.sample_id == prediction.c.sample_id, other.c.run_id == other_id)
    joined = prediction.join(sample, sample.c.sample_id == prediction.c.sample_id).outerjoin(other, same)
    query = (
        select(prediction.c.split, other.c.split.label("other_split"), func.count().label("n"))
        .select_from(joined)
        .where(prediction.c.run_id == run_id, sample.c.label.is_not(None))
        .group_by(prediction.c.split, other.c.split)
        .order_by(prediction.c.split, other.c.split)
    )
    with store.reading() as conn:
        found = frame_of(conn, query, optional=frozenset({"other_split"}))
    return found.astype({"n": "int64"})
