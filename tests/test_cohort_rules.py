"""Who becomes a sample and why not: hand-counted attrition, ECG linking case by case, and the real demo by pandas."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mimic_support import DEMO, DEMO_ECG_LIST, needs_demo

from cohort_db.cohort import Cohort, CohortRules, apply_rules, link_ecgs
from cohort_db.ecg_wfdb import read_record_list
from cohort_db.errors import InputMistake
from cohort_db.mimic_iv import admissions, open_mimic, stays, subjects

START = datetime(2150, 1, 10)
H = 3600


def stay(stay_id: int, subject_id: int, **more: Any) -> dict[str, Any]:
    """A man of 60 who stays 100 h, unless said otherwise; times in hours from START."""
    intime = START + timedelta(hours=more.pop("begins", 0))
    hours = more.pop("hours", 100.0)
    death = more.pop("death", None)
    row = {
        "stay_id": stay_id,
        "subject_id": subject_id,
        "hadm_id": subject_id * 10,
        "age_years": 60,
        "intime": intime,
        "outtime": None if hours is None else intime + timedelta(hours=hours),
        "los_hours": hours,
        "died_in_icu": death is not None,
        "death_offset_s": None if death is None else round(death * H),
        "study_id": None,
        "ecg_offset_s": None,
    }
    return row | more


SCHEMA = {
    "stay_id": pl.Int64,
    "subject_id": pl.Int64,
    "hadm_id": pl.Int64,
    "age_years": pl.Int64,
    "intime": pl.Datetime("us"),
    "outtime": pl.Datetime("us"),
    "los_hours": pl.Float64,
    "died_in_icu": pl.Boolean,
    "death_offset_s": pl.Int64,
    "study_id": pl.Int64,
    "ecg_offset_s": pl.Int64,
}


def stays_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA)


def left_out(cohort: Cohort) -> dict[int, str]:
    return dict(cohort.exclusions.select("stay_id", "rule").iter_rows())


def test_every_stay_left_out_is_counted_under_the_first_rule_that_does_it() -> None:
    frame = stays_of(
        stay(1, 1),
        stay(2, 2, age_years=17, hours=None),  # two rules speak against it
        stay(3, 1, begins=300),
        stay(4, 4, hours=None),
        stay(5, 5, hours=24.0),
        stay(6, 6, hours=-2.0),
        stay(7, 7, age_years=18, hours=24.01),
    )
    cohort = apply_rules(frame, CohortRules())
    assert cohort.attrition.select("rule", "n_before", "n_left_out", "n_after").rows() == [
        ("all", 7, 0, 7),
        ("adult", 7, 1, 6),
        ("first_stay", 6, 1, 5),
        ("outtime_known", 5, 2, 3),
        ("in_icu_at_t0", 3, 1, 2),
    ]
    assert left_out(cohort) == {
        2: "adult",
        3: "first_stay",
        4: "outtime_known",
        6: "outtime_known",
        5: "in_icu_at_t0",
    }
    assert cohort.samples["sample_id"].to_list() == ["los-1", "los-7"]


def test_an_earlier_stay_counts_as_first_even_if_it_is_left_out_itself() -> None:
    cohort = apply_rules(stays_of(stay(1, 1, hours=5.0), stay(2, 1, begins=300)), CohortRules())
    assert left_out(cohort) == {1: "in_icu_at_t0", 2: "first_stay"}
    every = apply_rules(stays_of(stay(1, 1, hours=5.0), stay(2, 1, begins=300)), CohortRules(first_stay=False))
    assert every.samples["stay_id"].to_list() == [2]
    assert "first_stay" not in every.attrition["rule"]


def test_the_label_says_still_in_icu_after_the_cut_and_death_before_it_is_marked() -> None:
    frame = stays_of(
        stay(1, 1, hours=72.0),
        stay(2, 2, hours=72.5),
        stay(3, 3, hours=50.5, death=50.0),
        stay(4, 4, hours=90.0, death=89.0),
        stay(5, 5, hours=73.0, death=71.0),  # the bed was left on paper after the cut
        stay(6, 6, hours=30.0, death=23.5),  # dead at t0
    )
    samples = apply_rules(frame, CohortRules()).samples
    assert samples.select("stay_id", "label", "died_before_cut").rows() == [
        (1, 0, False),
        (2, 1, False),
        (3, 0, True),
        (4, 1, False),
        (5, 0, True),
    ]
    assert samples["t0"].to_list()[0] == START + timedelta(hours=24)
    assert samples["outcome_hours"].to_list() == [72.0, 72.5, 50.5, 90.0, 73.0]
    later = apply_rules(frame, CohortRules(cut_days=5)).samples
    assert later["label"].sum() == 0 and later["died_before_cut"].to_list() == [False, False, True, True, True]


def test_nothing_after_the_outcome_decides_who_is_in() -> None:
    frame = stays_of(stay(1, 1, hours=100.0), stay(2, 2, hours=5000.0))
    assert len(apply_rules(frame, CohortRules()).samples) == 2


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.integers(0, 100),
            st.one_of(st.none(), st.floats(-10, 300)),
            st.integers(0, 90),
            st.booleans(),
        ),
        max_size=25,
    ),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_attrition_adds_up_and_every_stay_is_a_sample_or_has_one_reason(
    drawn: list[tuple[int, int, float | None, int, bool]], first_stay: bool, paired: bool
) -> None:
    rows = [
        stay(number, subject, begins=begins, hours=hours, age_years=age, study_id=number if has_ecg else None)
        for number, (subject, begins, hours, age, has_ecg) in enumerate(drawn, start=1)
    ]
    cohort = apply_rules(stays_of(*rows), CohortRules(first_stay=first_stay, paired=paired))
    counted = cohort.attrition
    assert (counted["n_before"] - counted["n_left_out"] == counted["n_after"]).all()
    assert (counted["n_before"].to_list()[1:]) == counted["n_after"].to_list()[:-1]
    assert counted["n_after"][-1] == len(cohort.samples)
    by_rule = dict(cohort.exclusions.group_by("rule").len().iter_rows())
    assert by_rule == {rule: n for rule, n in counted.select("rule", "n_left_out").iter_rows() if n}
    assert sorted([*cohort.exclusions["stay_id"], *cohort.samples["stay_id"]]) == [row["stay_id"] for row in rows]
    assert not first_stay or cohort.samples["subject_id"].is_unique().all()
    assert not paired or cohort.samples["study_id"].null_count() == 0


def _linked(
    records: list[tuple[int, float]], others: list[tuple[int, float, float | None]], rules: CohortRules
) -> tuple[Any, Any]:
    """(study_id, hours) linked to a stay at START in admission 10 from -12 h to 200 h."""
    times = [(study, 1, START + timedelta(hours=hours)) for study, hours in records]
    lying = [(10, 1, -12.0, 200.0), *((hadm, 1, begins, ends) for hadm, begins, ends in others)]
    of_admission = [
        (hadm, who, START + timedelta(hours=a), None if b is None else START + timedelta(hours=b))
        for hadm, who, a, b in lying
    ]
    found = link_ecgs(
        stays_of(stay(1, 1)).drop("study_id", "ecg_offset_s"),
        pl.DataFrame(of_admission, schema=["hadm_id", "subject_id", "admittime", "dischtime"], orient="row"),
        pl.DataFrame(times, schema=["study_id", "subject_id", "ecg_time"], orient="row"),
        rules,
    )
    study, offset = found.select("study_id", "ecg_offset_s").row(0)
    return study, None if offset is None else offset / H


@pytest.mark.parametrize(
    ("records", "others", "linked"),
    [
        ([(1, -24.0)], [], (1, -24.0)),
        ([(1, -24.01)], [], (None, None)),
        ([(1, 24.0)], [], (1, 24.0)),
        ([(1, 24.01)], [], (None, None)),
        ([(1, -5.0), (2, 3.0), (3, 30.0)], [], (2, 3.0)),
        ([(7, 3.0), (6, 3.0)], [], (7, 3.0)),  # at one time: the higher study_id
        ([(1, -20.0)], [], (1, -20.0)),  # before admittime: in the emergency department
        ([(1, -20.0)], [(11, -40.0, -15.0)], (None, None)),  # of the admission before
        ([(1, -20.0)], [(11, -40.0, None)], (None, None)),  # which has no known end
        ([(1, -10.0)], [(11, -40.0, -5.0)], (1, -10.0)),  # in both: the stay's own counts
        ([(1, -20.0), (2, -14.0)], [(11, -16.0, -13.0)], (1, -20.0)),
    ],
)
def test_the_linked_ecg_is_the_last_in_the_window_of_the_same_or_no_admission(
    records: list[tuple[int, float]], others: list[tuple[int, float, float | None]], linked: tuple[Any, Any]
) -> None:
    assert _linked(records, others, CohortRules()) == linked


def test_the_first_ecg_of_the_same_window_and_admission_can_be_linked_instead() -> None:
    records = [(9, -30.0), (1, -20.0), (2, -5.0), (3, 3.0), (4, 30.0)]
    others = [(11, -40.0, -15.0)]
    found = [_linked(records, others, CohortRules(ecg_link=which)) for which in ("first", "last")]
    assert found == [(2, -5.0), (3, 3.0)]


@pytest.mark.parametrize(
    "settings_",
    [
        {"ecg_link": "best"},
        {"cut_days": 1.9},
        {"t0_hours": 60, "cut_days": 3},
        {"min_age": -1},
        {"task": "LOS 3"},
        {"ecg_window_hours": -1},
    ],
)
def test_rules_that_contradict_themselves_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(InputMistake):
        CohortRules(**settings_)
    assert CohortRules(t0_hours=48, cut_days=3).cut_s == 3 * 86_400


@needs_demo
def test_the_real_demo_gives_the_cohort_that_pandas_finds() -> None:
    mimic = open_mimic(DEMO)
    of_hospital = admissions(mimic)
    rules = CohortRules()
    linked = link_ecgs(
        stays(mimic, subjects(mimic), of_hospital), of_hospital, read_record_list(DEMO_ECG_LIST.parent), rules
    )
    cohort = apply_rules(linked, rules)
    assert cohort.attrition["n_after"].to_list() == [140, 140, 100, 100, 85]
    expected = _cohort_by_pandas()
    found = cohort.samples.select("stay_id", "label", "died_before_cut", "study_id").rows()
    assert sorted(found) == expected
    assert len(found) == 85
    assert sum(study is not None for *_, study in found) == 60
    assert sum(label for _, label, *_ in found) == 40
    paired = apply_rules(linked, CohortRules(paired=True))
    assert len(paired.samples) == 60


def _cohort_by_pandas() -> list[tuple[int, int, bool, int | None]]:
    """The same rules, written again stay by stay and without the code under test."""
    times = ["admittime", "dischtime", "deathtime"]
    hospital = pd.read_csv(DEMO / "hosp/admissions.csv.gz", parse_dates=times)
    people = pd.read_csv(DEMO / "hosp/patients.csv.gz").set_index("subject_id")
    icu = pd.read_csv(DEMO / "icu/icustays.csv.gz", parse_dates=["intime", "outtime"])
    ecgs = pd.read_csv(DEMO_ECG_LIST, parse_dates=["ecg_time"])
    day = pd.Timedelta(hours=24)
    rows: list[tuple[int, int, bool, int | None]] = []
    for subject_id, mine in icu.sort_values("intime").groupby("subject_id"):
        first = mine.iloc[0]
        age = people.anchor_age[subject_id] + first.intime.year - people.anchor_year[subject_id]
        if age < 18 or not first.outtime > first.intime + day:
            continue
        own = hospital[hospital.hadm_id == first.hadm_id].iloc[0]
        other = hospital[(hospital.subject_id == subject_id) & (hospital.hadm_id != first.hadm_id)]
        died = pd.notna(own.deathtime) and first.intime <= own.deathtime <= first.outtime + pd.Timedelta(hours=6)
        early = bool(died and own.deathtime <= first.intime + 3 * day)
        study = None
        near = ecgs[(ecgs.subject_id == subject_id) & ecgs.ecg_time.between(first.intime - day, first.intime + day)]
        for ecg in near.sort_values(["ecg_time", "study_id"]).itertuples():
            in_own = own.admittime <= ecg.ecg_time <= own.dischtime
            in_other = ((other.admittime <= ecg.ecg_time) & (ecg.ecg_time <= other.dischtime)).any()
            if in_own or not in_other:
                study = int(ecg.study_id)
        label = int(first.outtime - first.intime > 3 * day and not early)
        rows.append((int(first.stay_id), label, early, study))
    return sorted(rows)
