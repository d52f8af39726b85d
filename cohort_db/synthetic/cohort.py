"""In: how many stays, and what is planted. Out: a folder in MIMIC-IV and MIMIC-IV-ECG layout with its own truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from cohort_db.errors import InputMistake
from cohort_db.synthetic.chart_rows import chart_rows, lab_rows
from cohort_db.synthetic.description import DESCRIPTION_FILE, description, is_synthetic
from cohort_db.synthetic.diagnoses import code_dictionary
from cohort_db.synthetic.ecg_dipole import SIG_NAMES
from cohort_db.synthetic.ecg_files import WrittenEcgs, write_ecgs
from cohort_db.synthetic.ecg_parameters import ECG_AMOUNTS, ECG_FLAGS
from cohort_db.synthetic.event_rows import event_rows
from cohort_db.synthetic.hospital_rows import hospital_rows
from cohort_db.synthetic.item_dictionary import chart_items, lab_items
from cohort_db.synthetic.limits import practical_limit, truth_limits
from cohort_db.synthetic.mimic_folder import MimicFolder
from cohort_db.synthetic.outcome import LEVELS, Signal
from cohort_db.synthetic.stays import Ids, Mix, StayBatch, draw_batch
from cohort_db.synthetic.truth import Truth

_BATCH_STAYS = 500
_EXTRA_SHARE = 0.08
_EXTRA_KINDS = {"second": 0.4, "minor": 0.15, "early": 0.45}
_OUR_FILES = ("truth.csv", "splits.csv", "summary.json", DESCRIPTION_FILE)
_OUR_FOLDERS = ("hosp", "icu", "ecg")
# Ids of rows in labevents and of orders: a batch takes a block of its own.
_ROW_BLOCK = 1_000_000
_MOST_STAYS = 1_000_000
Progress = Callable[[int, int, str], None]


def write_cohort(
    out: Path,
    *,
    n_stays: int,
    n_test_stays: int = 0,
    seed: int = 0,
    planted: str | None = None,
    ecg_main: bool = True,
    cross_modal: bool = True,
    ecg_missing: float = 0.0,
    missing: str = "mcar",
    progress: Progress | None = None,
) -> dict[str, object]:
    """The folder `out` holds a complete cohort; equal arguments give equal bytes. Returns what summary.json says.

    Args:
        n_stays, n_test_stays: stays that satisfy the default cohort rules; some 8 % others come on top.
        planted: level of the ECG that carries its signal and its interaction with the EHR: "low" (QRS notch), "mid"
            (ST-T shape), "high" (rhythm), None for all three, "none" for an ECG without influence on the label.
        ecg_missing: share of stays without an ECG up to t0; missing: "mcar", or "informative" (the well go without).
        progress: called with stays done, stays in all, and a word on what is being done.

    Raises:
        InputMistake: an argument is out of range, or `out` holds files of something else.
    """
    _check(n_stays, n_test_stays, seed, planted, ecg_missing, missing)
    _clear(out)
    arguments = {
        "n_stays": n_stays,
        "n_test_stays": n_test_stays,
        "seed": seed,
        "planted": planted,
        "ecg_main": ecg_main,
        "cross_modal": cross_modal,
        "ecg_missing": ecg_missing,
        "missing": missing,
    }
    dataset = description(arguments)
    _write_json(out / DESCRIPTION_FILE, dataset | {"complete": False})
    levels = {None: LEVELS, "none": ()}.get(planted, (planted,))
    signal = Signal(tuple(str(level) for level in levels), ecg_main, cross_modal)
    truth = Truth(signal, ecg_missing=ecg_missing, informative=missing == "informative")
    table, counts = _write_batches(out, n_stays, n_test_stays, seed, truth, progress)
    table = table.with_columns(pl.lit(planted or "all").alias("planted"))
    table.write_csv(out / "truth.csv")
    if n_test_stays:
        table.select("subject_id", "part").write_csv(out / "splits.csv")
    summary = {**arguments, **counts, **_figures(table)}
    _write_json(out / "summary.json", summary)
    _write_json(out / DESCRIPTION_FILE, dataset | {"complete": True})
    return summary


def _write_batches(
    out: Path, n_stays: int, n_test_stays: int, seed: int, truth: Truth, progress: Progress | None
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Everything but truth and summary is written; returns the truth table of the cohort stays and row counts."""
    n_all = n_stays + n_test_stays
    mixes = _mixes(n_all)
    ids = Ids(sum(mix.total for mix in mixes), seed)
    truths: list[pl.DataFrame] = []
    records: list[pl.DataFrame] = []
    counts = {"n_icu_stays": 0, "n_chart_rows": 0, "n_lab_rows": 0, "n_ecgs": 0}
    done = 0
    with MimicFolder(out) as folder:
        folder.append("icu/d_items", chart_items())
        folder.append("hosp/d_labitems", lab_items())
        codes = pl.DataFrame(code_dictionary(), schema=["icd_code", "icd_version", "long_title"], orient="row")
        folder.append("hosp/d_icd_diagnoses", codes)
        for number, mix in enumerate(mixes):
            rng = np.random.default_rng([seed, 1, number])
            batch = draw_batch(mix, truth, ids, rng)
            first_id = 1 + number * _ROW_BLOCK
            tables = hospital_rows(batch, rng) | {
                "icu/chartevents": chart_rows(batch, rng),
                "hosp/labevents": lab_rows(batch, first_id, rng),
                **event_rows(batch, first_id, rng),
            }
            for name, rows in tables.items():
                folder.append(name, rows)
            ecgs = write_ecgs(out / "ecg", batch, ids, np.random.default_rng([seed, 2, number]))
            records.append(ecgs.records)
            truths.append(_truth_rows(batch, ecgs, truth))
            counts["n_icu_stays"] += batch.n
            counts["n_chart_rows"] += tables["icu/chartevents"].height
            counts["n_lab_rows"] += tables["hosp/labevents"].height
            counts["n_ecgs"] += ecgs.records.height
            done += mix.cohort
            if progress is not None:
                progress(done, n_all, "stays written")
    listed = pl.concat(records).sort("subject_id", "ecg_time")
    listed.write_csv(out / "ecg" / "record_list.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    table = pl.concat(truths)
    part = np.where(np.arange(n_all) < n_stays, "fit", "test")
    return table.with_columns(pl.Series("part", part)), counts


def _truth_rows(batch: StayBatch, ecgs: WrittenEcgs, truth: Truth) -> pl.DataFrame:
    """What the generator knows of each cohort stay; ECG columns are empty where no ECG is linked."""
    draw = batch.draw
    p_ehr, p_ecg = truth.p_ehr(draw.u), truth.p_ecg(draw.e, draw.has_ecg)
    columns: dict[str, object] = {
        "subject_id": batch.subject_id,
        "stay_id": batch.stay_id,
        "study_id": ecgs.study_id,
        "part": [""] * batch.n,
        "y": draw.y.astype(np.int64),
        "los_hours": batch.los_minutes / 60,
        "died": batch.died.astype(np.int64),
        "p_latent": draw.p_latent,
        "p_x": draw.p_x,
        "p_ecg": p_ecg,
        "p_ehr": p_ehr,
    }
    ecg_columns: dict[str, object] = {name: draw.e[name] for name in ECG_AMOUNTS}
    ecg_columns |= {name: draw.e[name].astype(np.int64) for name in ECG_FLAGS}
    ecg_columns |= {f"st_{lead.lower()}_mv": ecgs.st_mv[:, k] for k, lead in enumerate(SIG_NAMES)}
    u_columns = {f"u_{name}": values for name, values in draw.u.items()}
    linked = pl.col("study_id").is_not_null()
    return (
        pl.DataFrame(columns | ecg_columns | u_columns)
        .with_columns(pl.when(pl.col("study_id") > 0).then("study_id").alias("study_id"))
        .with_columns(pl.when(linked).then(pl.col(list(ecg_columns)).fill_nan(None)).name.keep())
        .head(batch.n_cohort)
    )


def _mixes(n_cohort: int) -> list[Mix]:
    """Batches of at most 500 cohort stays; the extra ones are spread so that each kind has its share."""
    mixes: list[Mix] = []
    given = dict.fromkeys(_EXTRA_KINDS, 0)
    for start in range(0, n_cohort, _BATCH_STAYS):
        size = min(_BATCH_STAYS, n_cohort - start)
        extra: dict[str, int] = {}
        for kind, share in _EXTRA_KINDS.items():
            due = round(_EXTRA_SHARE * share * (start + size))
            extra[kind] = min(due - given[kind], size)
            given[kind] = due
        mixes.append(Mix(size, **extra))
    return mixes


def _figures(table: pl.DataFrame) -> dict[str, object]:
    """Prevalence, deaths, AUROC of the truth on the test part (on all without one), and the practical limit."""
    fit, test = table.filter(pl.col("part") == "fit"), table.filter(pl.col("part") == "test")
    shown = test if test.height else fit
    return {
        "n_cohort_stays": table.height,
        "n_without_ecg": int(table["study_id"].null_count()),
        "prevalence": round(float(table["y"].to_numpy().mean()), 4),
        "died_before_72_h": round(float(((table["died"] == 1) & (table["y"] == 0)).to_numpy().mean()), 4),
        "part_of_auroc": "test" if test.height else "fit",
        "auroc": truth_limits(shown),
        "practical_limit": practical_limit(fit, test) if test.height else None,
    }


def _check(n_stays: int, n_test_stays: int, seed: int, planted: str | None, ecg_missing: float, missing: str) -> None:
    if n_stays <= 0 or n_test_stays < 0:
        raise InputMistake(
            f"The number of stays must be positive, and of test stays not negative; got {n_stays} and {n_test_stays}."
        )
    if n_stays + n_test_stays > _MOST_STAYS:
        raise InputMistake(f"At most {_MOST_STAYS:,} stays fit into the ids of one cohort; ask for fewer.")
    if seed < 0:
        raise InputMistake(f"The seed must be 0 or a positive whole number; got {seed}.")
    if planted not in (None, "none", *LEVELS):
        raise InputMistake(f"Unknown planted level {planted!r}; use low, mid, high or none, or leave it out for all.")
    if not 0.0 <= ecg_missing <= 1.0:
        raise InputMistake(f"The share of missing ECGs must lie between 0 and 1; got {ecg_missing}.")
    if missing not in ("mcar", "informative"):
        raise InputMistake(f"Unknown kind of missing ECGs {missing!r}; use mcar or informative.")


def _clear(out: Path) -> None:
    """`out` is an empty folder, or one whose former synthetic cohort has been removed."""
    if out.exists() and not out.is_dir():
        raise InputMistake(f"{out} is a file; name a folder for the cohort.")
    if out.exists() and any(out.iterdir()) and not is_synthetic(out):
        raise InputMistake(f"{out} is not empty and holds no synthetic cohort; choose another folder.")
    for name in _OUR_FOLDERS:
        if (out / name).exists():
            shutil.rmtree(out / name)
    for name in _OUR_FILES:
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
