"""A store with the demo cohort in, the same store with 100,000 plausible synthetic stays out, made by bulk SQL.

Each demo stay is copied under new ids with its own age, values and prediction; every sum that the pages show still
holds. A copy keeps three values of each variable, one in fifty its whole course. Waveforms and explanations are the
demo's own: copies share the WFDB records and the rows of the arrays. SQLite only; `--home DIR [--stays N]`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

from sqlalchemy import Connection, Table

from cohort_db import facets, schema
from cohort_db.store import Store, open_store
from lemof_core.jobs.demo import demo

N_STAYS = 100_000
WHOLE_COURSE_EVERY = 50  # copies: of 215 demo stays, each has 9 copies or more with its whole course
KEPT_VALUES = 3  # of each variable, in the other copies
# New ids of the copy `c` of the demo's row `s`: apart from each other and from the demo's.
STAY = "300000000 + copies.c * 1000 + seed.s"
SUBJECT = "100000000 + copies.c * 1000 + seed.s_subject"
ADMISSION = "200000000 + copies.c * 1000 + seed.s_admission"
STUDY = "400000000 + copies.c * 1000 + study.s"
SAMPLE = f"'los-' || ({STAY})"
SHIFT = "((copies.c * 7919 + seed.s * 104729) % 201 - 100) / 50.0"  # of the log-odds, -2 to 2
COURSE_OF = {
    "admission": {"hadm_id": ADMISSION, "subject_id": SUBJECT},
    "stay": {
        "stay_id": STAY, "subject_id": SUBJECT, "hadm_id": ADMISSION,
        "age_years": "max(18, min(95, t.age_years + (copies.c * 31 + seed.s) % 25 - 12))",
    },
    "diagnosis": {"hadm_id": ADMISSION},
    "event_interval": {"stay_id": STAY},
    "exclusion": {"stay_id": STAY},
    "split": {"subject_id": SUBJECT},
}  # fmt: skip
OF_SAMPLE = {
    "prediction": {
        "sample_id": SAMPLE, "stay_id": STAY, "logit": f"t.logit + {SHIFT}", "p": f"expit(t.logit + {SHIFT})",
        "p_lo": f"expit(logit_of(t.p_lo) + {SHIFT})", "p_hi": f"expit(logit_of(t.p_hi) + {SHIFT})",
        "logit_raw": f"t.logit_raw + {SHIFT}",
    },
    "level_score": {"sample_id": SAMPLE},
    # What the copy's prediction differs by, its first level of the record contributes.
    "branch_value": {
        "sample_id": SAMPLE,
        "logit": f"t.logit + (t.port = 'ehr_1') * {SHIFT}",
        "phi_logit": f"t.phi_logit + (t.port = 'ehr_1') * {SHIFT}",
        "phi_prob": f"t.phi_prob + (t.port = 'ehr_1') * (expit(scored.logit + {SHIFT}) - scored.p)",
    },
    "input_effect": {"sample_id": SAMPLE, "v_ehr": f"t.v_ehr + {SHIFT}", "v_both": f"t.v_both + {SHIFT}"},
}  # fmt: skip


def main() -> None:
    """Make the store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--home", type=Path, required=True, help="folder of the store; the demo is made there if absent"
    )
    parser.add_argument("--stays", type=int, default=N_STAYS)
    parser.add_argument("--narrow", action="store_true", help=bulk_store.__doc__)
    arguments = parser.parse_args()
    bulk_store(arguments.home, arguments.stays, narrow=arguments.narrow).close()


def bulk_store(home: Path, n_stays: int = N_STAYS, *, narrow: bool = False) -> Store:
    """Open the store in that folder; it holds about `n_stays` stays, made now unless it was filled before. Narrow: the
    copies have no values and no inner predictions, which is all that the cohort page reads of a million stays."""
    store = open_store(f"sqlite:///{home / 'cohort.db'}", create=True)
    with store.reading() as conn:
        filled = _count(conn, "stay") > n_stays // 2
    if not filled:
        demo(store)
        start = time.perf_counter()
        with store.writing() as conn:
            _prepare(conn, n_copies=math.ceil(n_stays / _count(conn, "stay")) - 1)
            _copy_people(conn)
            _copy_courses(conn, narrow)
            _copy_results(conn, narrow)
            # The pages' caches hang on it.
            conn.exec_driver_sql("UPDATE ingest_step SET fingerprint = fingerprint || '+'")
            for column in ("n_before", "n_left_out", "n_after"):
                conn.exec_driver_sql(f"UPDATE attrition SET {column} = {column} * (SELECT count(*) + 1 FROM copies)")
            print(f"{_count(conn, 'stay'):,} stays in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        with store.writing() as conn:
            conn.exec_driver_sql("ANALYZE")
    start = time.perf_counter()
    if facets.make_current(store):
        print(f"facets, {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return store


def _prepare(conn: Connection, *, n_copies: int) -> None:
    """Numbered copies, and the demo's stays and ECGs with numbers of their own."""
    driver = conn.connection.driver_connection
    assert driver is not None
    driver.create_function("expit", 1, lambda x: None if x is None else 1 / (1 + math.exp(-x)), deterministic=True)
    driver.create_function("logit_of", 1, lambda p: None if p is None else math.log(p / (1 - p)), deterministic=True)
    for statement in (
        "CREATE TEMP TABLE copies AS WITH RECURSIVE n(c) AS (SELECT 1 UNION ALL SELECT c + 1 FROM n WHERE c < "
        f"{n_copies}) SELECT c FROM n",
        "CREATE TEMP TABLE seed AS SELECT stay_id, subject_id, hadm_id, row_number() OVER (ORDER BY stay_id) AS s, "
        "dense_rank() OVER (ORDER BY subject_id) AS s_subject, dense_rank() OVER (ORDER BY hadm_id) AS s_admission "
        "FROM stay ORDER BY stay_id",
        "CREATE TEMP TABLE study AS SELECT study_id, row_number() OVER (ORDER BY study_id) AS s FROM ecg_record",
        "CREATE UNIQUE INDEX temp.by_stay ON seed (stay_id)",
        "CREATE INDEX temp.by_subject ON seed (subject_id)",
        "CREATE INDEX temp.by_admission ON seed (hadm_id)",
        "CREATE UNIQUE INDEX temp.by_study ON study (study_id)",
    ):
        conn.exec_driver_sql(statement)


def _copy_people(conn: Connection) -> None:
    once = "WHERE seed.s = (SELECT min(s) FROM seed o WHERE o.{0} = seed.{0})"  # subjects have several stays
    subject = {"subject_id": SUBJECT}
    _copy(conn, schema.subject, subject, "JOIN subject t USING (subject_id) " + once.format("subject_id"))
    _copy(conn, schema.split, subject, "JOIN split t USING (subject_id) " + once.format("subject_id"))
    of_admission = "JOIN {} t USING (hadm_id) " + once.format("hadm_id")
    for table in (schema.admission, schema.diagnosis):
        _copy(conn, table, COURSE_OF[table.name], of_admission.format(table.name))
    ecg = {"study_id": STUDY, "subject_id": SUBJECT}
    of_subject = "JOIN ecg_record t USING (subject_id) JOIN study USING (study_id) " + once.format("subject_id")
    _copy(conn, schema.ecg_record, ecg, of_subject)


def _copy_courses(conn: Connection, narrow: bool) -> None:
    for table in (schema.stay, schema.exclusion, *(() if narrow else (schema.event_interval,))):
        _copy(conn, table, COURSE_OF[table.name], f"JOIN {table.name} t USING (stay_id)")
    if narrow:
        return
    # Values move by up to 4 % and stay within what is plausible; of all but some copies the first ones are kept.
    moved = "t.value * (1 + ((copies.c * 17 + t.variable_id * 5) % 9 - 4) / 100.0)"
    within = f"min(max({moved}, coalesce(v.low, -1e9)), coalesce(v.high, 1e9))"
    ranked = "SELECT *, row_number() OVER (PARTITION BY stay_id, variable_id ORDER BY offset_s, itemid) AS n"
    conn.exec_driver_sql(
        f"CREATE TEMP TABLE course AS {ranked} FROM measurement ORDER BY stay_id, variable_id, offset_s"
    )
    conn.exec_driver_sql("CREATE INDEX temp.course_of ON course (stay_id)")
    _copy(
        conn, schema.measurement, {"stay_id": STAY, "value": within},
        "CROSS JOIN course t ON t.stay_id = seed.stay_id JOIN variable v USING (variable_id) "
        f"WHERE t.n <= {KEPT_VALUES} OR copies.c % {WHOLE_COURSE_EVERY} = 1",
    )  # fmt: skip
    of_linked = "JOIN sample own USING (stay_id) JOIN ecg_measurement t ON t.study_id = own.study_id"
    of_study = f"{of_linked} JOIN study ON study.study_id = t.study_id"
    _copy(conn, schema.ecg_measurement, {"study_id": STUDY}, of_study)


def _copy_results(conn: Connection, narrow: bool) -> None:
    linked = "(SELECT 400000000 + copies.c * 1000 + study.s FROM study WHERE study.study_id = t.study_id)"
    sample = {"sample_id": SAMPLE, "subject_id": SUBJECT, "stay_id": STAY, "study_id": linked}
    _copy(conn, schema.sample, sample, "JOIN sample t USING (stay_id)")
    own = "JOIN sample own ON own.stay_id = seed.stay_id JOIN {} t ON t.sample_id = own.sample_id"
    scored = " JOIN prediction scored ON scored.run_id = t.run_id AND scored.sample_id = t.sample_id"
    for name, changed in OF_SAMPLE.items():
        if narrow and name != "prediction":
            continue
        more = scored if name == "branch_value" else ""
        _copy(conn, schema.METADATA.tables[name], changed, own.format(name) + more)


def _copy(conn: Connection, table: Table, changed: dict[str, str], joined: str) -> None:
    """Every copy of the rows that `joined` finds for the demo's stays is in the table, with `changed` columns."""
    names = [column.name for column in table.c]
    values = ", ".join(changed.get(name, f"t.{name}") for name in names)
    start = time.perf_counter()
    conn.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {values} FROM copies CROSS JOIN seed {joined}"
    )
    print(f"{table.name}: {_count(conn, table.name):,} rows, {time.perf_counter() - start:.0f} s", file=sys.stderr)


def _count(conn: Connection, table: str) -> int:
    return int(conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


if __name__ == "__main__":
    main()
