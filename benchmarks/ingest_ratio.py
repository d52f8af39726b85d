"""Ingesting charted values, against a bare Polars scan with the same item filter plus a bare insert of its rows."""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

import polars as pl
from side_by_side import report

from cohort_db.ingest import ingest
from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from cohort_db.variables import item_rules


def bare(ehr: Path, folder: Path) -> tuple[float, int]:
    """Return seconds and rows of scanning both event files for our items and inserting what is left into SQLite."""
    start = time.perf_counter()
    database = sqlite3.connect(folder / "bare.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE m (id INTEGER, itemid INTEGER, t TEXT, value REAL)")
    n = 0
    for source, name, key in (
        ("chartevents", "icu/chartevents", "stay_id"),
        ("labevents", "hosp/labevents", "subject_id"),
    ):
        items = item_rules(source)["itemid"].to_list()
        path = next(ehr.glob(f"{name}.csv*"))
        scan = pl.scan_csv(path, infer_schema=False).filter(pl.col("itemid").cast(pl.Int64, strict=False).is_in(items))
        kept = scan.select(key, "itemid", "charttime", "valuenum").collect(engine="streaming")
        database.executemany("INSERT INTO m VALUES (?, ?, ?, ?)", kept.iter_rows())
        n += len(kept)
    database.commit()
    database.close()
    return time.perf_counter() - start, n


def whole(ehr: Path, folder: Path) -> tuple[float, int]:
    """Return seconds and measurement rows of `ingest` without ECGs into a new store."""
    store = open_store(f"sqlite:///{folder / 'cohort.db'}", create=True)
    start = time.perf_counter()
    done = ingest(store, ehr)
    seconds = time.perf_counter() - start
    store.close()
    return seconds, sum(source.kept for source in done.sources if source.source in ("chartevents", "labevents"))


def main() -> None:
    """Measure alternately and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ehr", type=Path, help="MIMIC-IV folder; default 500 synthetic stays")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        ehr = arguments.ehr
        if ehr is None:
            ehr = Path(scratch) / "raw"
            write_cohort(ehr, n_stays=500, seed=0, ecg_missing=1.0)
        pairs = []
        for turn in range(arguments.repeats):
            folder = Path(scratch) / str(turn)
            folder.mkdir()
            pairs.append((whole(ehr, folder), bare(ehr, folder)))
    ratios = sorted(ours[0] / theirs[0] for ours, theirs in pairs)
    last = pairs[-1]
    report(
        "ingest_ratio",
        {
            "ours_s": round(last[0][0], 3),
            "theirs_s": round(last[1][0], 3),
            "ratio": round(ratios[len(ratios) // 2], 2),
            "rows_kept_by_ingest": last[0][1],
            "rows_kept_by_bare_scan": last[1][1],
            "repeats": arguments.repeats,
        },
    )


if __name__ == "__main__":
    main()
