"""Arrays beside the store: committed rows come back unchanged, whatever was killed, rolled back or lost in between."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sqlalchemy import select, text
from store_support import MakeStore, make_sqlite, make_store

from cohort_db.array_files import rows_per_chunk
from cohort_db.arrays import ArrayStore, sweep_orphans
from cohort_db.errors import InputMistake
from cohort_db.schema import array_ref
from cohort_db.store import Store, open_store

__all__ = ["make_sqlite", "make_store"]

AXES = {"lead": ["I", "II", "III"], "time_s": [0.0, 0.5]}


def _arrays(
    store: Store, name: str = "saliency", shape: tuple[int, ...] = (3, 2), dtype: Any = "float32"
) -> ArrayStore:
    arrays = ArrayStore(store, "run-a")
    arrays.create(name, shape, dtype, AXES, "a note")
    return arrays


def _numbered(start: int, n: int) -> np.ndarray[Any, Any]:
    """Rows that tell their own number: row i is 6 values from i."""
    return (np.arange(start, start + n)[:, None] + np.arange(6) / 8).reshape(n, 3, 2).astype(np.float32)


def _append(arrays: ArrayStore, rows: np.ndarray[Any, Any], name: str = "saliency") -> int:
    with arrays.store.writing() as conn:
        return arrays.append(conn, name, rows)


def test_rows_come_back_as_they_went_in_however_the_batches_were_cut(make_store: MakeStore) -> None:
    store = make_store()
    seen: list[int] = []
    elements: dict[str, Any] = {"float16": {"allow_nan": False, "allow_infinity": False}}
    elements |= {"float32": elements["float16"], "float64": elements["float16"]}

    @settings(max_examples=15, deadline=None)
    @given(data=st.data(), dtype=st.sampled_from(["float16", "float32", "float64", "int16", "uint8", "int64", "bool"]))
    def holds(data: Any, dtype: str) -> None:
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=5))
        n = data.draw(st.integers(0, 40))
        given_elements = st.floats(width=int(dtype[5:]), **elements[dtype]) if dtype in elements else None
        rows = data.draw(hnp.arrays(dtype, (n, *shape), elements=given_elements))
        cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
        owners = [ArrayStore(store, f"run-{len(seen)}-{kind}") for kind in ("cut", "whole")]
        seen.append(1)
        for arrays, parts in zip(owners, (np.split(rows, cuts), [rows]), strict=True):
            arrays.create("a", shape, dtype, {}, "")
            for part in parts:
                _append(arrays, part, "a")
            read = arrays.read("a", slice(None))
            assert read.dtype == np.dtype(dtype)
            assert read.shape == rows.shape
            assert read.tobytes() == rows.tobytes()  # so that -0.0 stays -0.0
            assert arrays.verify("a")
        assert owners[0].meta("a")["sha256"] == owners[1].meta("a")["sha256"]

    holds()


def test_an_array_says_what_it_is(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    assert [_append(arrays, _numbered(0, n)) for n in (2, 3)] == [0, 2]
    meta = arrays.meta("saliency")
    assert meta | {"sha256": "", "folder": ""} == {
        "owner": "run-a",
        "name": "saliency",
        "folder": "",
        "n_rows": 5,
        "shape": (3, 2),
        "dtype": "float32",
        "axes": AXES,
        "note": "a note",
        "sha256": "",
    }
    assert (arrays.store.arrays_folder / meta["folder"] / "zarr.json").is_file()


def test_rows_are_read_by_number_by_list_and_by_slice(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    rows = _numbered(0, 50)
    _append(arrays, rows)
    assert arrays.read("saliency", 7).shape == (3, 2)
    np.testing.assert_array_equal(arrays.read("saliency", np.int64(7)), rows[7])
    for asked in ([4, 2, 2, 49], [], np.array([3, 4, 5]), slice(10, 20), slice(40, 5, -7), slice(45, 90), [0]):
        expected = rows[asked if isinstance(asked, slice) else np.asarray(asked, dtype=int)]
        np.testing.assert_array_equal(arrays.read("saliency", asked), expected)


@pytest.mark.parametrize("asked", [5, -1, [0, 5], 1.0, [True]])
def test_rows_that_are_not_there_are_refused(make_sqlite: MakeStore, asked: Any) -> None:
    arrays = _arrays(make_sqlite())
    _append(arrays, _numbered(0, 5))
    with pytest.raises(InputMistake, match=r"has 5 rows and no row|chosen by whole numbers"):
        arrays.read("saliency", asked)


def test_an_array_nobody_made_is_refused(make_sqlite: MakeStore) -> None:
    arrays = ArrayStore(make_sqlite(), "run-b")
    for ask in (
        lambda: arrays.read("saliency", 0),
        lambda: arrays.meta("saliency"),
        lambda: _append(arrays, _numbered(0, 1)),
    ):
        with pytest.raises(InputMistake, match="run-b has no array 'saliency'"):
            ask()


def test_making_an_array_again_changes_nothing_and_another_is_refused(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    _append(arrays, _numbered(0, 3))
    before = arrays.meta("saliency")
    _arrays(arrays.store, dtype=np.float32)
    assert arrays.meta("saliency") == before
    assert arrays.verify("saliency")
    for changed, told in (
        (((3, 3), "float32", AXES, "a note"), r"shape \(3, 2\) is not \(3, 3\)"),
        (((3, 2), "float16", AXES, "a note"), "dtype 'float32' is not 'float16'"),
        (((3, 2), "float32", {}, "a note"), "axes"),
        (((3, 2), "float32", AXES, "another"), "note 'a note' is not 'another'"),
    ):
        with pytest.raises(InputMistake, match=told):
            arrays.create("saliency", *changed)
    for shape, dtype in (((0, 2), "float32"), ((3,), "complex64"), ((3,), "U5")):
        with pytest.raises(InputMistake, match="rows of at least one number"):
            arrays.create("other", shape, dtype, {}, "")


@pytest.mark.parametrize(
    ("dtype", "rows", "told"),
    [
        ("float32", np.full((1, 2), np.nan), "finite"),
        ("float32", np.full((1, 2), np.inf), "finite"),
        ("float16", np.full((1, 2), 70_000.0), "finite numbers within the range of float16"),
        ("int16", np.full((1, 2), 40_000), "outside its range"),
        ("uint8", np.full((1, 2), 1.5), "holds uint8, however: float64"),
        ("int16", np.full((1, 2), 1.0), "holds int16, however: float64"),
        ("float32", np.zeros((1, 3)), r"rows of shape \(2,\), however: \(3,\)"),
        ("float32", np.zeros(2), r"rows of shape \(2,\)"),
    ],
)
def test_rows_the_array_cannot_hold_are_refused(make_sqlite: MakeStore, dtype: str, rows: Any, told: str) -> None:
    arrays = _arrays(make_sqlite(), shape=(2,), dtype=dtype)
    with pytest.raises(InputMistake, match=told):
        _append(arrays, rows)
    assert arrays.meta("saliency")["n_rows"] == 0


# Killed, rolled back, lost


@pytest.mark.parametrize("n_orphans", [1, 4, 30])
def test_rows_of_a_transaction_rolled_back_are_replaced_by_the_next(make_store: MakeStore, n_orphans: int) -> None:
    arrays = _arrays(make_store())
    _append(arrays, _numbered(0, 5))
    with pytest.raises(RuntimeError, match="on purpose"), arrays.store.writing() as conn:
        assert arrays.append(conn, "saliency", -_numbered(100, n_orphans)) == 5
        raise RuntimeError("on purpose")
    assert arrays.meta("saliency")["n_rows"] == 5
    assert arrays.verify("saliency")
    with pytest.raises(InputMistake, match="no row 5"):
        arrays.read("saliency", 5)
    assert _append(arrays, _numbered(5, 4)) == 5
    np.testing.assert_array_equal(arrays.read("saliency", slice(None)), _numbered(0, 9))
    assert arrays.verify("saliency")


def test_two_appends_in_one_transaction_follow_each_other(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    with arrays.store.writing() as conn:
        assert [arrays.append(conn, "saliency", _numbered(start, 3)) for start in (0, 3)] == [0, 3]
    np.testing.assert_array_equal(arrays.read("saliency", slice(None)), _numbered(0, 6))


def test_a_reader_sees_committed_rows_while_others_are_written(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    _append(arrays, _numbered(0, 5))
    with arrays.store.writing() as conn:
        arrays.append(conn, "saliency", _numbered(5, 500))
        np.testing.assert_array_equal(arrays.read("saliency", slice(None)), _numbered(0, 5))


def test_a_program_killed_before_it_commits_leaves_the_array_as_it_was(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    _append(arrays, _numbered(0, 5))
    script = (
        "import os, sys, numpy as np\n"
        "from cohort_db.arrays import ArrayStore\n"
        "from cohort_db.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "with store.writing() as conn:\n"
        "    ArrayStore(store, 'run-a').append(conn, 'saliency', np.full((7, 3, 2), 9.0))\n"
        "    ArrayStore(store, 'run-a').create('killed', (3,), 'int16', {}, '', conn=conn)\n"
        "    os._exit(9)\n"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", script, arrays.store.url], cwd=root, timeout=60, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert arrays.verify("saliency")
    assert _append(arrays, _numbered(5, 2)) == 5
    np.testing.assert_array_equal(arrays.read("saliency", slice(None)), _numbered(0, 7))
    orphan = arrays.store.arrays_folder / "run-a" / "killed"
    assert orphan.is_dir()
    assert sweep_orphans(arrays.store) == [orphan]


def test_an_array_whose_making_was_rolled_back_can_be_made_again(make_store: MakeStore) -> None:
    store = make_store()
    arrays = ArrayStore(store, "run-a")
    with pytest.raises(RuntimeError, match="on purpose"), store.writing() as conn:
        arrays.create("saliency", (9,), "int64", {}, "", conn=conn)
        arrays.append(conn, "saliency", np.ones((3, 9), dtype=np.int64))
        raise RuntimeError("on purpose")
    _arrays(store)
    assert _append(arrays, _numbered(0, 2)) == 0
    np.testing.assert_array_equal(arrays.read("saliency", slice(None)), _numbered(0, 2))


def test_two_writers_append_one_after_the_other(make_store: MakeStore) -> None:
    arrays = _arrays(make_store())
    other = open_store(arrays.store.url)
    firsts: list[tuple[int, int]] = []
    failures: list[BaseException] = []

    def write(own: ArrayStore, mark: int) -> None:
        try:
            for _ in range(8):
                firsts.append((_append(own, np.full((3, 3, 2), mark, np.float32)), mark))
        except BaseException as error:
            failures.append(error)

    writers = [(arrays, 1), (arrays, 2), (ArrayStore(other, "run-a"), 3)]
    threads = [threading.Thread(target=write, args=writer) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failures == []
    assert sorted(first for first, _ in firsts) == list(range(0, 72, 3))
    for first, mark in firsts:
        assert (arrays.read("saliency", slice(first, first + 3)) == mark).all()
    assert arrays.verify("saliency")


def test_verifying_notices_a_changed_a_cut_and_a_lost_file(make_sqlite: MakeStore) -> None:
    arrays = _arrays(make_sqlite(), shape=(200, 100))
    rows = np.random.default_rng(0).normal(size=(9, 200, 100)).astype(np.float32)
    _append(arrays, rows)
    folder = arrays.store.arrays_folder / arrays.meta("saliency")["folder"]
    chunk = folder / "c.1.0.0"
    whole = chunk.read_bytes()
    assert rows_per_chunk(folder) < 9
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    for content in (bytes(changed), whole[:-20]):
        chunk.write_bytes(content)
        assert not arrays.verify("saliency")
    chunk.unlink()
    assert not arrays.verify("saliency")
    chunk.write_bytes(whole)
    assert arrays.verify("saliency")
    with arrays.store.writing() as conn:
        conn.execute(text("UPDATE array_ref SET n_rows = 8"))
    assert not arrays.verify("saliency")
    shutil.rmtree(folder)
    assert not arrays.verify("saliency")
    with pytest.raises(InputMistake, match="missing or damaged"):
        arrays.read("saliency", 0)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_rows_of_zeros_are_on_disk_too_and_keep_their_sign(make_sqlite: MakeStore, zero: float) -> None:
    arrays = _arrays(make_sqlite())
    _append(arrays, np.full((4, 3, 2), zero))
    assert (np.signbit(arrays.read("saliency", slice(None))) == np.signbit(zero)).all()
    folder = arrays.store.arrays_folder / arrays.meta("saliency")["folder"]
    assert (folder / "c.0.0.0").is_file()


# Folders


def test_sweeping_takes_orphans_and_nothing_else(make_store: MakeStore) -> None:
    store = make_store()
    kept = _arrays(store)
    _append(kept, _numbered(0, 3))
    gone = [ArrayStore(store, owner) for owner in ("run-b", "dataset:1", "../../outside")]
    for arrays in gone:
        arrays.create("a/b", (2,), "int16", {}, "")
    with store.writing() as conn:
        folders = sorted(conn.execute(select(array_ref.c.folder).where(array_ref.c.owner != "run-a")).scalars())
        conn.execute(text("DELETE FROM array_ref WHERE owner <> 'run-a'"))
    strange = store.arrays_folder / "run-a" / "not an array"
    strange.mkdir()
    assert [path.relative_to(store.arrays_folder) for path in sweep_orphans(store)] == [Path(name) for name in folders]
    assert sorted(path.name for path in store.arrays_folder.iterdir()) == ["run-a"]
    assert strange.is_dir()
    assert kept.verify("saliency")
    assert sweep_orphans(store) == []
    assert sweep_orphans(make_store()) == []


def test_stores_that_share_a_folder_leave_each_other_alone(tmp_path: Path) -> None:
    one, two = (open_store(f"sqlite:///{tmp_path / name}", create=True) for name in ("one.db", "two.db"))
    arrays = _arrays(one)
    _append(arrays, _numbered(0, 3))
    assert sweep_orphans(two) == []
    with pytest.raises(InputMistake, match="belongs to another store"):
        _arrays(two)
    with two.reading() as conn:
        assert conn.execute(select(array_ref)).all() == []
    assert arrays.verify("saliency")
    one.close()
    two.close()


@pytest.mark.parametrize("shape", [(), (64,), (12, 250), (12, 1000), (12, 5000, 4)])
def test_reading_one_row_unpacks_little(make_sqlite: MakeStore, shape: tuple[int, ...]) -> None:
    arrays = _arrays(make_sqlite(), shape=shape, dtype="float16")
    n_rows = rows_per_chunk(arrays.store.arrays_folder / arrays.meta("saliency")["folder"])
    row_bytes = 2 * int(np.prod(shape))
    assert n_rows == 1 or n_rows * row_bytes <= 256 * 1024
    assert n_rows >= min(1024, 128 * 1024 // row_bytes)  # nor are the files needlessly many
