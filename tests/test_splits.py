"""Parts of the data: no patient in two, floors kept where they can be, nobody ever moved."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort_db.errors import InputMistake
from cohort_db.splits import FLOOR, FLOORED, SHARES, assign_parts, read_given_parts, wanted_counts

labels_of_patients = st.lists(st.sampled_from([0, 0, 1, None]), min_size=1, max_size=400)


def frame(labels: list[int | None], first: int = 1) -> pl.DataFrame:
    ids = list(range(first, first + len(labels)))
    return pl.DataFrame({"subject_id": ids, "label": labels}, schema={"subject_id": pl.Int64, "label": pl.Int64})


def counts(parts: pl.DataFrame, labels: pl.DataFrame) -> dict[tuple[str, int | None], int]:
    both = parts.join(labels.unique(), on="subject_id")
    return {(part, label): n for part, label, n in both.group_by("split", "label").len().iter_rows()}


@given(labels_of_patients, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_patient_has_exactly_one_part_and_a_seed_gives_it_again(labels: list[int | None], seed: int) -> None:
    patients = frame(labels)
    parts = assign_parts(patients, seed=seed)
    assert sorted(parts["subject_id"]) == sorted(patients["subject_id"])
    assert set(parts["split"]) <= set(SHARES)
    # The order in which samples come does not matter, nor that a patient has several.
    again = assign_parts(pl.concat([patients.reverse(), patients]), seed=seed)
    assert parts.equals(again)


@given(st.integers(0, 3000))
def test_wanted_counts_sum_up_and_keep_floors_where_train_can_spare(n: int) -> None:
    wanted = wanted_counts(n, SHARES)
    assert sum(wanted.values()) == n and min(wanted.values()) >= 0
    plain = wanted_counts(n, SHARES, floored=False)
    for part, share in SHARES.items():
        assert abs(plain[part] - n * share / 100) < 1
    if all(wanted[part] >= FLOOR for part in FLOORED):
        assert wanted["train"] >= FLOOR
    else:
        assert wanted == plain


def test_floors_are_kept_from_22_of_a_class_on_and_shares_below() -> None:
    # 22: val 2, and 5 each for train, meta, cal, test. 21: test 4, meta 3, cal 2 lack 6, which train (10) cannot spare.
    assert wanted_counts(22, SHARES) == {"train": 5, "val": 2, "meta": 5, "cal": 5, "test": 5}
    assert wanted_counts(21, SHARES) == wanted_counts(21, SHARES, floored=False)
    assert wanted_counts(1000, SHARES) == {"train": 500, "val": 80, "meta": 120, "cal": 100, "test": 200}


def test_a_cohort_of_85_has_five_of_each_class_in_meta_cal_and_test() -> None:
    labels = frame([1] * 40 + [0] * 45)
    found = counts(assign_parts(labels, seed=0), labels)
    for part in FLOORED:
        assert found[part, 0] >= FLOOR and found[part, 1] >= FLOOR
    assert sum(n for (part, _), n in found.items() if part == "test") == 17


@given(labels_of_patients, labels_of_patients, st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_new_patients_never_move_those_who_have_a_part(
    labels: list[int | None], more: list[int | None], seed: int
) -> None:
    first = assign_parts(frame(labels), seed=seed)
    everybody = pl.concat([frame(labels), frame(more, first=len(labels) + 1)])
    added = assign_parts(everybody, seed=seed, known=first)
    assert not set(added["subject_id"]) & set(first["subject_id"])
    assert sorted([*added["subject_id"], *first["subject_id"]]) == everybody["subject_id"].to_list()
    assert assign_parts(everybody, seed=seed, known=pl.concat([first, added])).is_empty()


def test_new_patients_fill_what_is_missing() -> None:
    small, large = frame([0] * 30), frame([0] * 1000)
    first = assign_parts(small, seed=0)
    both = pl.concat([first, assign_parts(large, seed=0, known=first)])
    assert {part: n for (part, _), n in counts(both, large).items()} == wanted_counts(1000, SHARES)


def test_seeds_deal_differently_and_classes_independently() -> None:
    labels = frame([0, 1] * 100)
    assert not assign_parts(labels, seed=0).equals(assign_parts(labels, seed=1))
    # More patients of class 1 do not move those of class 0.
    more = pl.concat([labels, frame([1] * 50, first=1000)])
    zeros = labels.filter(pl.col("label") == 0)
    few = assign_parts(labels, seed=0).join(zeros, on="subject_id", how="semi")
    assert few.equals(assign_parts(more, seed=0).join(zeros, on="subject_id", how="semi"))


def test_given_test_patients_are_the_test_part_and_the_others_keep_their_proportions() -> None:
    labels = frame([0, 1] * 400)
    test_patients = set(range(1, 301))
    given = {subject: "test" if subject in test_patients else "fit" for subject in labels["subject_id"]}
    parts = assign_parts(labels, seed=0, given=given)
    assert set(parts.filter(pl.col("split") == "test")["subject_id"]) == test_patients
    fit = dict(parts.filter(pl.col("split") != "test").group_by("split").len().iter_rows())
    assert sum(fit.values()) == 500
    for part, share in (("train", 50), ("val", 8), ("meta", 12), ("cal", 10)):
        assert abs(fit[part] - 500 * share / 80) <= 2
    assert assign_parts(labels, seed=0, known=parts, given=given).is_empty()


def test_splits_csv_says_who_is_in_test(tmp_path: Path) -> None:
    assert read_given_parts(tmp_path) is None
    file = tmp_path / "splits.csv"
    file.write_text("subject_id,part\n1,fit\n2,test\n3,test\n")
    assert read_given_parts(tmp_path) == {1: "fit", 2: "test", 3: "test"}
    for text, sentence in [
        ("subject_id\n1\n", "has no column part"),
        ("subject_id,part\n1,train\n", "must say fit or test"),
        ("subject_id,part\n1,fit\n1,test\n", "both fit and test"),
    ]:
        file.write_text(text)
        with pytest.raises(InputMistake, match=sentence):
            read_given_parts(tmp_path)
