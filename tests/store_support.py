"""Empty stores on both databases, and a small cohort with known values, for the tests of `cohort_db`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Table, func, make_url, select

from cohort_db import schema
from cohort_db.results import add_run, add_scored
from cohort_db.store import Store, insert_new, open_store

MakeStore = Callable[[], Store]
INTIME = datetime(2150, 3, 1, 12, 30, 15)
_numbers = count()
_keepers: list[subprocess.Popen[bytes]] = []


@pytest.fixture(params=["sqlite", "postgresql"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStore]:
    """A function that gives a new, empty store; the test runs on SQLite and, where there is a server, PostgreSQL."""
    yield from _maker(request.param, tmp_path, monkeypatch)


@pytest.fixture
def make_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStore]:
    """As `make_store`, for what only SQLite can show."""
    yield from _maker("sqlite", tmp_path, monkeypatch)


def _maker(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStore]:
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path / "home"))
    opened: list[Store] = []

    def make() -> Store:
        number = next(_numbers)
        url = f"sqlite:///{tmp_path / f'store{number}' / 'cohort.db'}" if kind == "sqlite" else _migrated_postgresql()
        opened.append(open_store(url, create=True))
        return opened[-1]

    yield make
    for store in opened:
        store.close()
        if kind == "postgresql":  # 8 MB each
            _on_server(f"DROP DATABASE {make_url(store.url).database} WITH (FORCE)")


def empty_postgresql(template: str = "template1") -> str:
    """URL of a new, empty database on the throw-away server; skips the test where PostgreSQL is not installed."""
    name = f"test{next(_numbers)}"
    return f"postgresql://postgres@/{name}?host={_on_server(f'CREATE DATABASE {name} TEMPLATE {template}')}"


def _on_server(statement: str) -> Path:
    """The statement has run on the throw-away server; returns its socket folder."""
    psycopg = pytest.importorskip("psycopg", reason="the PostgreSQL driver psycopg is not installed")
    folder = _cluster()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: no initdb under /usr/lib/postgresql/*/bin")
    with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as server:
        server.execute(statement)
    return folder


def _migrated_postgresql() -> str:
    """URL of a new database with the schema; copied, because building it takes longer than most tests."""
    return empty_postgresql(_template())


@cache
def _template() -> str:
    """The name of a database with the schema and no rows."""
    url = empty_postgresql()
    open_store(url, create=True).close()
    return url.split("/")[3].split("?")[0]


@cache
def _cluster() -> Path | None:
    """The socket folder of a server that lives as long as this process; None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        return None
    programs = found[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="lemof-pg-"))
    # PostgreSQL refuses to run as root.
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_postgres:
        shutil.chown(folder, "postgres")

    def call(*command: object) -> None:
        subprocess.run([*as_postgres, *map(str, command)], check=True, capture_output=True, cwd="/", timeout=60)

    call(programs / "initdb", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", folder / "data")
    options = f"-c listen_addresses='' -c fsync=off -c max_connections=200 -k {folder}"
    call(programs / "pg_ctl", "-w", "-D", folder / "data", "-l", folder / "log", "-o", options, "start")

    # However this process ends, its end of the pipe closes, and the keeper stops the server.
    stop = " ".join(map(shlex.quote, [*as_postgres, str(programs / "pg_ctl"), "-m", "immediate", "stop", "-D"]))
    script = f"read -r _; cd /; {stop} {folder}/data; rm -rf {folder}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    _keepers.append(subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True, **quiet))
    return folder


def add_cohort(store: Store, n_stays: int = 4) -> None:
    """The store holds stays 1..n of subjects 1..n: all but the last are samples los-<stay>; odd ones have an ECG.

    The last stay was left out by the rule `adult`. Stay k has heart_rate 60 + k at 0 h and 70 + k at 25 h.
    """
    ids = range(1, n_stays + 1)
    rows: dict[str, list[dict[str, Any]]] = {
        "dataset": [{"dataset_id": 1, "name": "made up", "synthetic": True, "surrogate_ecg": False}],
        "variable": [
            {"variable_id": 1, "name": "heart_rate", "label": "Heart rate", "unit": "bpm", "decimals": 0},
            {"variable_id": 7, "name": "lactate", "label": "Lactate", "unit": "mmol/L", "decimals": 1},
        ],
        "subject": [
            {"subject_id": k, "dataset_id": 1, "sex": "FM"[k % 2], "anchor_age": 50, "anchor_year": 2150} for k in ids
        ],
        "admission": [_admission(k) for k in ids],
        "stay": [_stay(k) for k in ids],
        "ecg_record": [_ecg(k) for k in ids if k % 2],
        "ecg_measurement": [{"study_id": 1000 + k, "name": "qrs_ms", "value": 90.5 + k} for k in ids if k % 2],
        "measurement": [_charted(k, 1, at, 60.0 + k + late) for k in ids for at, late in ((0, 0), (90_000, 10))]
        + [_charted(k, 7, 3600, 1.5) | {"stored_offset_s": 86_401} for k in ids],
        "event_interval": [
            {"stay_id": k, "kind": "drug", "start_s": 60, "source_id": "o1", "itemid": 5, "label": "Norepinephrine"}
            for k in ids
        ],
        "diagnosis": [
            {"hadm_id": 100 + k, "seq_num": n, "icd_version": 10, "icd_code": code, "disease_group": group}
            for k in ids
            for n, (code, group) in enumerate(
                (("I5021", "heart failure"), ("I5022", "heart failure"), ("Z00", None)), 1
            )
        ],
        "sample": [_sample(k) for k in ids[:-1]],
        "exclusion": [{"task": "los", "stay_id": n_stays, "rule": "adult"}],
        "attrition": [_rule(0, "all", n_stays, 0), _rule(1, "adult", n_stays, 1)],
        "split": [{"task": "los", "subject_id": k, "split": "train" if k % 2 else "test"} for k in ids[:-1]],
    }
    rows["dataset"][0] |= {"ehr_folder": "/data/ehr", "ecg_folder": "/data/ecg", "description": {"seed": 0}}
    for row in rows["variable"]:
        row |= {"kind": "series", "panel": "vitals"}
    with store.writing() as conn:
        for name, some in rows.items():
            insert_new(conn, schema.METADATA.tables[name], some)


def add_scored_run(store: Store, run_id: str, created_at: datetime) -> None:
    """A run that scored los-3, los-1 and los-2, in that order, with the stay's number as logit."""
    add_run(store, run_row(run_id, created_at=created_at), calibrations=[], level_choices=[], stage_weights=[])
    ids = ["los-3", "los-1", "los-2"]
    splits = ["train", "train", "test"]
    predictions = pd.DataFrame({"sample_id": ids, "split": splits, "path": "both", "logit": [3.0, 1.0, 2.0]})
    ports = [(i, port) for i in ids for port in ("ehr_1", "cross", "ecg_2", "ecg_1")]
    levels = [(i, "ecg", level, 0.0, 0.1, 0.2) for i in ids for level in (2, 1)]
    effects = {"v_none": 0.0, "v_ecg": 0.1, "v_ehr": 0.2, "v_both": 0.3, "n_background": 8}
    effects |= {"se_ecg": 0.01, "se_ehr": 0.02, "se_joint": 0.03}
    add_scored(
        store,
        run_id,
        predictions=predictions.assign(p=0.5, logit_raw=0.0),
        level_scores=pd.DataFrame(levels, columns=["sample_id", "modality", "level", "logit", "phi_logit", "phi_prob"]),
        branch_values=pd.DataFrame(ports, columns=["sample_id", "port"]).assign(logit=0.0, phi_logit=0.1, phi_prob=0.2),
        input_effects=pd.DataFrame({"sample_id": ids} | effects),
        arrays={},
    )


def variable_row(variable_id: int = 1, **changed: Any) -> dict[str, Any]:
    """A variable; not of a patient, so it can be stored alone."""
    row = {"variable_id": variable_id, "name": f"v{variable_id}", "label": "x", "unit": "u", "kind": "series"}
    return row | {"panel": "p", "decimals": 1} | changed


def event_row(event_id: int = 1, **changed: Any) -> dict[str, Any]:
    """An audit event; not of a patient, so it can be stored alone."""
    row = {"event_id": event_id, "at": INTIME, "actor": "a", "action": "view", "object": "o", "detail": None}
    return row | {"previous_sha256": "", "sha256": ""} | changed


def n_rows(store: Store, table: Table) -> int:
    """How many rows the table has."""
    with store.reading() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def run_row(run_id: str = "run-a", **changed: Any) -> dict[str, Any]:
    """A run that `add_run` takes."""
    return {
        "run_id": run_id,
        "task": "los",
        "fusion": "lemof",
        "preset": "robust",
        "ecg_encoder": "resnet",
        "ehr_encoder": "ft_transformer",
        "fitting": "holdout",
        "seed": 0,
        "config": {"lr": 0.001, "levels": [1, 2, 3]},
        "folder": f"runs/{run_id}",
        "created_at": datetime(2026, 11, 20, 10, 0),
        "code_version": "0.1.0",
        "synthetic": True,
        "surrogate_ecg": False,
        "shipped": False,
        "n_by_split": {"train": {"n": 2, "events": 1}},
        "not_estimable": {},
        "fit_report": {"seconds": 1.5},
        "t0_hours": 24.0,
        "cut_hours": 72.0,
    } | changed


def _rule(step: int, rule: str, n_before: int, n_left_out: int) -> dict[str, Any]:
    counted = {"n_before": n_before, "n_left_out": n_left_out, "n_after": n_before - n_left_out}
    return {"task": "los", "step": step, "rule": rule, "label": rule.capitalize()} | counted


def _admission(k: int) -> dict[str, Any]:
    return {
        "hadm_id": 100 + k,
        "subject_id": k,
        "admittime": INTIME - timedelta(hours=5),
        "admission_type": "EW EMER.",
        "admission_location": None if k == 1 else "EMERGENCY ROOM",
        "hospital_expire_flag": False,
    }


def _stay(k: int) -> dict[str, Any]:
    return {
        "stay_id": k,
        "subject_id": k,
        "hadm_id": 100 + k,
        "first_careunit": "MICU",
        "last_careunit": "SICU",
        "intime": INTIME,
        "outtime": INTIME + timedelta(hours=40 * k),
        "los_hours": 40.0 * k,
        "age_years": 50 + k,
        "died_in_icu": False,
    }


def _ecg(k: int) -> dict[str, Any]:
    return {
        "study_id": 1000 + k,
        "subject_id": k,
        "dataset_id": 1,
        "ecg_time": INTIME - timedelta(minutes=k),
        "path": f"files/p1/s{1000 + k}/{1000 + k}",
        "fs": 500.0,
        "sig_len": 5000,
        "sig_name": ["I", "II"],
        "surrogate": k == 3,
        "readable": True,
        "quality": {"I": ["flat"]},
        "usable": k == 1,
        "array_row": k,
    }


def _charted(k: int, variable_id: int, offset_s: int, value: float) -> dict[str, Any]:
    row = {"stay_id": k, "variable_id": variable_id, "offset_s": offset_s, "itemid": 220_045, "value": value}
    return row | {"stored_offset_s": None}


def _sample(k: int) -> dict[str, Any]:
    return {
        "sample_id": f"los-{k}",
        "task": "los",
        "subject_id": k,
        "stay_id": k,
        "t0": INTIME + timedelta(hours=24),
        "t0_offset_s": 86_400,
        "label": int(40 * k > 72),
        "outcome_hours": 40.0 * k,
        "died_before_cut": False,
        "study_id": 1000 + k if k % 2 else None,
        "ecg_offset_s": -60 * k if k % 2 else None,
    }
