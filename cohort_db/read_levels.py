"""What the page of levels asks of a run's level scores: a run, a split and a scale in, one row per sample out.

A run has six level scores a sample. Turned in the database, one split at a time, they come as a sixth of the rows.
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import ColumnElement, and_, case, func, select

from cohort_db.frames import frame_of
from cohort_db.read_analysis import LEVEL_PORTS
from cohort_db.schema import level_score
from cohort_db.schema import prediction as predicted
from cohort_db.store import Store

SCALES = ("phi_logit", "phi_prob")


def selection_phi(store: Store, run_id: str, split: str = "test", scale: str = "phi_logit") -> pd.DataFrame:
    """selection_phi of the run's samples of a split: indexed by sample_id, columns ecg_1..3, ehr_1..3, by sample.

    NaN where the sample's path has no such level; empty where the run is unknown or has scored nobody of the split.
    Importance inside G_m, not what the ECG or the EHR contributed.

    Args:
        scale: "phi_logit", log-odds of G_m, or "phi_prob", probability of G_m. Raises: ValueError for another.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, however: {scale!r}")
    turned = [func.max(case((_is(name), level_score.c[scale]))).label(name) for name in LEVEL_PORTS]
    same = and_(level_score.c.run_id == predicted.c.run_id, level_score.c.sample_id == predicted.c.sample_id)
    query = (
        select(predicted.c.sample_id, *turned)
        .select_from(predicted.join(level_score, same))
        .where(predicted.c.run_id == run_id, predicted.c.split == split)
        .group_by(predicted.c.sample_id)
        .order_by(predicted.c.sample_id)
    )
    with store.reading() as conn:
        return frame_of(conn, query, optional=frozenset(LEVEL_PORTS)).set_index("sample_id")


def _is(port: str) -> ColumnElement[bool]:
    """The condition that a row is of the port ecg_1..3 or ehr_1..3."""
    modality, level = port.split("_")
    return and_(level_score.c.modality == modality, level_score.c.level == int(level))
