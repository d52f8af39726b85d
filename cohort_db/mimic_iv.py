"""In: a MIMIC-IV folder (hosp/ and icu/, .csv or .csv.gz). Out: its tables as text, its patients as checked frames.

Written for MIMIC-IV 2.2 and 3.1: columns may come in any order and any case, and columns that are not used may be there
or not. Big tables are read batch by batch and never held whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cohort_db.disease_groups import group_expression
from cohort_db.errors import InputMistake

BATCH_ROWS = 500_000
# An in-ICU death may be written down after the bed was left on paper.
DEATH_AFTER_OUTTIME_H = 6
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Columns:
    """Columns a table must have, and those that are NULL where a release lacks them."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def _columns(required: str, optional: str = "") -> Columns:
    return Columns(tuple(required.split()), tuple(optional.split()))


TABLES: dict[str, Columns] = {
    "hosp/patients": _columns("subject_id gender anchor_age anchor_year", "dod"),
    "hosp/admissions": _columns(
        "subject_id hadm_id admittime dischtime deathtime admission_type hospital_expire_flag",
        "admission_location discharge_location insurance language marital_status race",
    ),
    "icu/icustays": _columns("subject_id hadm_id stay_id first_careunit last_careunit intime outtime"),
    "hosp/diagnoses_icd": _columns("hadm_id seq_num icd_code icd_version"),
    "icu/chartevents": _columns("stay_id charttime itemid valuenum valueuom", "storetime"),
    "hosp/labevents": _columns(
        "subject_id hadm_id charttime itemid valuenum valueuom", "labevent_id storetime value comments"
    ),
    "icu/d_items": _columns("itemid label"),
    "icu/inputevents": _columns("stay_id starttime endtime itemid amount amountuom rate rateuom orderid"),
    "icu/procedureevents": _columns("stay_id starttime endtime itemid value valueuom orderid"),
    "hosp/transfers": _columns("hadm_id transfer_id eventtype careunit intime outtime"),
}


@dataclass(frozen=True)
class MimicFolder:
    """A folder whose tables and columns are all there; `columns` maps table -> our name -> the file's own name."""

    path: Path
    files: dict[str, Path]
    columns: dict[str, dict[str, str]]

    def batches(self, table: str) -> Iterator[pl.DataFrame]:
        """Yield the table as text columns under our names, some 500,000 rows at a time, in file order.

        Raises: InputMistake where the file cannot be read to its end.
        """
        with _reading(self.files[table], self.path):
            source = pl.scan_csv(self.files[table], infer_schema=False)
            own = self.columns[table]
            wanted = [pl.col(own[name]).alias(name) for name in own]
            missing = [pl.lit(None, dtype=pl.String).alias(name) for name in TABLES[table].optional if name not in own]
            yield from source.select(*wanted, *missing).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)

    def read(self, table: str) -> pl.DataFrame:
        """Return a small table whole, as text columns."""
        names = (*TABLES[table].required, *TABLES[table].optional)
        empty = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        return pl.concat([empty, *(batch.select(names) for batch in self.batches(table))])


def open_mimic(path: Path) -> MimicFolder:
    """Return the folder with every needed table found and every needed column present; nothing is read yet.

    Raises: InputMistake naming the missing folder, file or column.
    """
    if not path.is_dir():
        raise InputMistake(f"{path} is no folder: give the MIMIC-IV folder that holds hosp/ and icu/")
    files = {table: _find(path, table) for table in TABLES}
    return MimicFolder(path, files, {table: _map_columns(path, files[table], table) for table in TABLES})


def subjects(folder: MimicFolder) -> pl.DataFrame:
    """Return subject_id, sex (F or M), anchor_age, anchor_year, dod of every patient in hosp/patients."""
    table = "hosp/patients"
    frame = folder.read(table).select(
        whole("subject_id"),
        pl.col("gender").str.strip_chars().str.to_uppercase().alias("sex"),
        whole("anchor_age"),
        whole("anchor_year"),
        pl.col("dod").str.head(10).str.to_date("%Y-%m-%d", strict=False),
    )
    _refuse_gaps(folder, table, frame, ["subject_id", "sex", "anchor_age", "anchor_year"])
    other = frame.filter(~pl.col("sex").is_in(["F", "M"]))
    if len(other):
        raise InputMistake(f"{_shown(folder, table)} has gender {other['sex'][0]!r}: it must be F or M")
    return _unique(folder, table, frame, ["subject_id"])


def admissions(folder: MimicFolder) -> pl.DataFrame:
    """Return the columns of the table `admission` for every hospital admission."""
    table = "hosp/admissions"
    frame = folder.read(table).with_columns(
        whole("subject_id"),
        whole("hadm_id"),
        moment("admittime"),
        moment("dischtime"),
        moment("deathtime"),
        pl.col("hospital_expire_flag").str.strip_chars().is_in(["1", "true", "True"]).fill_null(False),
    )
    _refuse_gaps(folder, table, frame, ["subject_id", "hadm_id", "admittime", "admission_type"])
    return _unique(folder, table, frame, ["hadm_id"])


def stays(folder: MimicFolder, subjects: pl.DataFrame, admissions: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the table `stay` for every ICU stay.

    age_years is anchor_age + year(intime) - anchor_year, as MIMIC's documentation says; ages above 89 are 91 there.
    """
    table = "icu/icustays"
    frame = folder.read(table).with_columns(
        whole("subject_id"), whole("hadm_id"), whole("stay_id"), moment("intime"), moment("outtime")
    )
    _refuse_gaps(folder, table, frame, ["subject_id", "hadm_id", "stay_id", "first_careunit", "intime"])
    frame = _unique(folder, table, frame, ["stay_id"])
    if not len(frame):
        raise InputMistake(f"{_shown(folder, table)} holds no ICU stay")
    for key, others, where in (("subject_id", subjects, "hosp/patients"), ("hadm_id", admissions, "hosp/admissions")):
        strays = frame.join(others, on=key, how="anti")
        if len(strays):
            raise InputMistake(f"{_shown(folder, table)} has {key} {strays[key][0]}, which {where} does not")
    known = frame.join(subjects, on="subject_id").join(admissions.select("hadm_id", "deathtime"), on="hadm_id")
    died = pl.col("deathtime").is_between("intime", pl.col("outtime").dt.offset_by(f"{DEATH_AFTER_OUTTIME_H}h"))
    return known.select(
        "stay_id",
        "subject_id",
        "hadm_id",
        "first_careunit",
        pl.col("last_careunit").fill_null(pl.col("first_careunit")),
        "intime",
        "outtime",
        (seconds("outtime") / 3600).alias("los_hours"),
        (pl.col("anchor_age") + pl.col("intime").dt.year() - pl.col("anchor_year")).alias("age_years"),
        died.fill_null(False).alias("died_in_icu"),
        pl.when(died).then(seconds("deathtime")).alias("death_offset_s"),
    ).sort("subject_id", "intime", "stay_id")


def diagnoses(folder: MimicFolder, admissions: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the table `diagnosis` for the given admissions, each code with its disease group."""
    table = "hosp/diagnoses_icd"
    kept = []
    for batch in folder.batches(table):
        frame = batch.select(
            whole("hadm_id"),
            whole("seq_num"),
            whole("icd_version"),
            pl.col("icd_code").str.strip_chars().str.replace_all(".", "", literal=True),
        )
        _refuse_gaps(folder, table, frame, frame.columns)
        kept.append(frame.join(admissions, on="hadm_id", how="semi"))
    schema = {"hadm_id": pl.Int64, "seq_num": pl.Int64, "icd_version": pl.Int64, "icd_code": pl.String}
    codes = pl.concat([pl.DataFrame(schema=schema), *kept]).unique(maintain_order=True)
    return codes.with_columns(group_expression().alias("disease_group"))


def item_labels(folder: MimicFolder) -> pl.DataFrame:
    """Return itemid, label of every bedside item."""
    frame = folder.read("icu/d_items").select(whole("itemid"), pl.col("label").str.strip_chars())
    return frame.drop_nulls().unique("itemid", keep="first", maintain_order=True)


def whole(name: str) -> pl.Expr:
    """A text column as whole numbers; NULL where it holds none."""
    return pl.col(name).str.strip_chars().cast(pl.Int64, strict=False)


def number(name: str) -> pl.Expr:
    """A text column as finite numbers; NULL where it holds none."""
    value = pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value).alias(name)


def moment(name: str) -> pl.Expr:
    """A text column as times of day; NULL where it holds none."""
    return pl.col(name).str.to_datetime(_TIME_FORMAT, time_unit="us", strict=False)


def seconds(later: str, earlier: str = "intime") -> pl.Expr:
    """Whole seconds between two time columns."""
    return (pl.col(later) - pl.col(earlier)).dt.total_seconds()


def _find(folder: Path, table: str) -> Path:
    for suffix in (".csv.gz", ".csv"):
        file = folder / f"{table}{suffix}"
        if file.is_file():
            return file
    raise InputMistake(f"{folder} has no {table}.csv.gz (nor .csv): give the MIMIC-IV folder that holds hosp/ and icu/")


def _map_columns(folder: Path, file: Path, table: str) -> dict[str, str]:
    """Return our name -> the file's name for the columns we use; raise InputMistake where a required one is absent."""
    with _reading(file, folder):
        header = _header(file)
    found: dict[str, str] = {}
    for name in header:
        plain = name.strip().lower()
        if plain in found:
            raise InputMistake(f"{file.relative_to(folder)} has the column {plain} twice")
        found[plain] = name
    if not header:
        raise InputMistake(f"{file.relative_to(folder)} is empty: it must at least have a header line")
    for name in TABLES[table].required:
        if name not in found:
            raise InputMistake(f"{file.relative_to(folder)} has no column {name}; its columns are {', '.join(header)}")
    wanted = (*TABLES[table].required, *TABLES[table].optional)
    return {name: found[name] for name in wanted if name in found}


def _header(file: Path) -> list[str]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        return next(csv.reader(text), [])


@contextmanager
def _reading(file: Path, folder: Path) -> Iterator[None]:
    """What a broken file raises inside becomes an InputMistake that names the file."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputMistake(f"{file.relative_to(folder)} cannot be read: {reason}") from None


def _refuse_gaps(folder: MimicFolder, table: str, frame: pl.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if frame[name].null_count():
            raise InputMistake(f"{_shown(folder, table)} has a row without a readable {name}")


def _unique(folder: MimicFolder, table: str, frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    repeated = frame.filter(pl.struct(key).is_duplicated())
    if len(repeated):
        raise InputMistake(f"{_shown(folder, table)} has {key[0]} {repeated[key[0]][0]} twice")
    return frame


def _shown(folder: MimicFolder, table: str) -> str:
    return str(folder.files[table].relative_to(folder.path))
