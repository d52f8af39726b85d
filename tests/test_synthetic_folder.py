"""A cohort folder is written whole or not at all, the same for the same seed, and never over anything else."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cohort_db.errors import InputMistake
from cohort_db.synthetic import write_cohort


def file_hashes(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_cohort(tmp_path / name, n_stays=12, seed=seed, ecg_missing=0.3)
    a, b, c = (file_hashes(tmp_path / name) for name in "abc")
    assert a == b
    # Bytes 4 to 8 of a gzip file are its time of writing.
    assert all(path.read_bytes()[4:8] == bytes(4) for path in (tmp_path / "a").rglob("*.gz"))
    assert a["truth.csv"] != c["truth.csv"] and not set(a) <= set(c)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"n_stays": 0}, "positive"),
        ({"n_stays": -3}, "positive"),
        ({"n_test_stays": -1}, "test"),
        ({"n_stays": 5_000_000}, "fewer"),
        ({"seed": -1}, "seed"),
        ({"planted": "deep"}, "planted"),
        ({"ecg_missing": 1.2}, "between 0 and 1"),
        ({"ecg_missing": -0.1}, "between 0 and 1"),
        ({"ecg_missing": float("nan")}, "between 0 and 1"),
        ({"missing": "sometimes"}, "mcar"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, object], word: str
) -> None:
    arguments: dict[str, object] = {"n_stays": 5} | change
    with pytest.raises(InputMistake, match=word):
        write_cohort(tmp_path / "c", **arguments)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "marker", [None, "{", '{"name": "LeMoF synthetic cohort, 5 stays, seed 0", "synthetic": true}', "[1]"]
)
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "hosp").mkdir()
    (tmp_path / "hosp" / "patients.csv.gz").write_bytes(b"precious")
    if marker is not None:
        (tmp_path / "dataset.json").write_text(marker)
    with pytest.raises(InputMistake, match="not empty"):
        write_cohort(tmp_path, n_stays=5)
    assert (tmp_path / "hosp" / "patients.csv.gz").read_bytes() == b"precious"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("")
    with pytest.raises(InputMistake, match="file"):
        write_cohort(tmp_path / "c", n_stays=5)


@pytest.mark.parametrize("spoil", [lambda out: None, lambda out: (out / "truth.csv").unlink()])
def test_a_former_or_interrupted_synthetic_cohort_is_replaced_whole(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    out = tmp_path / "c"
    write_cohort(out, n_stays=20, n_test_stays=4, seed=1)
    spoil(out)
    write_cohort(out, n_stays=6, seed=2)
    write_cohort(tmp_path / "fresh", n_stays=6, seed=2)
    assert file_hashes(out) == file_hashes(tmp_path / "fresh")
    with gzip.open(out / "icu" / "icustays.csv.gz", "rt") as stays:
        assert len(list(csv.DictReader(stays))) >= 6
