"""The written cohort looks like MIMIC-IV, follows the cohort rules it claims to follow, and knows its own truth.

Everything is checked from the files: u by polars, cohort rules and ECG linking as written anew here.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import wfdb
from scipy.signal import butter, find_peaks, sosfiltfilt

from cohort_db.synthetic import write_cohort
from cohort_db.synthetic.limits import auroc_interval
from cohort_db.synthetic.observed import NEUTRAL

SHARED = Path(__file__).resolve().parents[2] / "shared"
DEMO = SHARED / "data" / "mimic-iv-clinical-database-demo-2.2"
needs_demo = pytest.mark.skipif(not DEMO.is_dir(), reason="the real MIMIC-IV demo is not at ../shared/data")
N_FIT, N_TEST = 90, 30
DAY = pl.duration(hours=24)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 fit and 30 test stays, all with an ECG."""
    out = tmp_path_factory.mktemp("synthetic") / "cohort"
    write_cohort(out, n_stays=N_FIT, n_test_stays=N_TEST, seed=3)
    return out


@pytest.fixture(scope="module")
def truth(cohort: Path) -> pl.DataFrame:
    return pl.read_csv(cohort / "truth.csv", infer_schema_length=None)


def table(out: Path, name: str) -> pl.DataFrame:
    frame = pl.read_csv(out / f"{name}.csv.gz", infer_schema_length=None)
    times = [column for column in frame.columns if column.endswith("time") and frame[column].dtype == pl.String]
    return frame.with_columns(pl.col(times).str.to_datetime("%Y-%m-%d %H:%M:%S"))


def linked_stays(out: Path) -> pl.DataFrame:
    """Stays that satisfy the default cohort rules, by this file's own reading of them, with t0."""
    stays = table(out, "icu/icustays").join(table(out, "hosp/patients"), on="subject_id")
    age = pl.col("anchor_age") + pl.col("intime").dt.year() - pl.col("anchor_year")
    first = pl.col("intime") == pl.col("intime").min().over("subject_id")
    t0 = pl.col("intime") + DAY
    return stays.filter((age >= 18) & first & (pl.col("outtime") > t0)).with_columns(t0.alias("t0"), age.alias("age"))


# --- the folder -----------------------------------------------------------------------------------------------------


@needs_demo
def test_tables_have_the_columns_of_the_real_demo_in_its_order(cohort: Path) -> None:
    written = sorted(path.relative_to(cohort) for path in cohort.glob("*/*.csv.gz"))
    assert len(written) == 12
    for path in written:
        ours, theirs = (gzip.decompress((folder / path).read_bytes()).split(b"\n")[0] for folder in (cohort, DEMO))
        assert ours == theirs, path


@needs_demo
@pytest.mark.parametrize(
    ("dictionary", "events"), [("icu/d_items", "icu/chartevents"), ("hosp/d_labitems", "hosp/labevents")]
)
def test_item_ids_mean_what_they_mean_in_mimic(cohort: Path, dictionary: str, events: str) -> None:
    ours, theirs = table(cohort, dictionary), table(DEMO, dictionary)
    both = ours.join(theirs, on="itemid", suffix="_real")
    assert both.height == ours.height
    assert (both["label"] == both["label_real"]).all() and (both["category"] == both["category_real"]).all()
    assert set(table(cohort, events)["itemid"]) <= set(ours["itemid"])


@needs_demo
def test_codes_have_their_official_titles(cohort: Path) -> None:
    keys = ["icd_code", "icd_version"]
    ours, theirs = (
        pl.read_csv(folder / "hosp/d_icd_diagnoses.csv.gz", schema_overrides={"icd_code": pl.String})
        for folder in (cohort, DEMO)
    )
    theirs = theirs.with_columns(pl.col("icd_code").str.strip_chars())
    both = ours.join(theirs, on=keys, suffix="_real")
    assert both.height == ours.height
    assert (both["long_title"] == both["long_title_real"]).all()


def test_ids_lie_outside_mimics_ranges_and_dates_within(cohort: Path) -> None:
    stays = table(cohort, "icu/icustays")
    # MIMIC-IV's ids have 8 digits; this is seed 3.
    for column, first in (("subject_id", 5), ("hadm_id", 6), ("stay_id", 7)):
        assert stays[column].is_between(first * 10**8 + 300_000, first * 10**8 + 399_999).all()
    assert stays["stay_id"].is_unique().all()
    assert stays["intime"].dt.year().is_between(2110, 2200).all()
    assert table(cohort, "hosp/admissions")["hadm_id"].is_unique().all()
    assert table(cohort, "hosp/patients")["subject_id"].is_unique().all()


def test_cohort_rules_select_the_stays_of_the_truth_and_have_others_to_leave_out(
    cohort: Path, truth: pl.DataFrame
) -> None:
    chosen = linked_stays(cohort)
    assert set(chosen["stay_id"]) == set(truth["stay_id"])
    assert truth.height == N_FIT + N_TEST
    stays = table(cohort, "icu/icustays").join(table(cohort, "hosp/patients"), on="subject_id")
    assert 1.04 < stays.height / truth.height < 1.12
    assert (stays["anchor_age"] < 18).any()
    assert (stays["los"] < 1).any()
    assert stays["subject_id"].is_duplicated().any()


def test_label_is_still_in_the_icu_after_72_hours(cohort: Path, truth: pl.DataFrame) -> None:
    both = truth.join(linked_stays(cohort).drop("subject_id"), on="stay_id")
    hours = (both["outtime"] - both["intime"]).dt.total_seconds() / 3600
    assert np.allclose(hours, both["los_hours"]) and np.allclose(hours / 24, both["los"])
    assert ((hours > 72) == (both["y"] == 1)).all()
    assert hours.min() > 24 and hours.max() <= 480
    ended = both.join(table(cohort, "hosp/admissions").drop("subject_id"), on="hadm_id")
    assert ((ended["hospital_expire_flag"] == 1) == (ended["died"] == 1)).all()
    dead = ended.filter(pl.col("died") == 1)
    assert dead.height and (dead["deathtime"] == dead["outtime"]).all()


def test_linked_ecg_is_the_last_one_up_to_t0_and_others_exist(cohort: Path, truth: pl.DataFrame) -> None:
    records = pl.read_csv(cohort / "ecg" / "record_list.csv", try_parse_dates=True)
    stays = linked_stays(cohort).join(records, on="subject_id")
    near = stays.filter(pl.col("ecg_time").is_between(pl.col("intime") - DAY, pl.col("t0")))
    last = near.sort("ecg_time").group_by("stay_id").agg(pl.col("study_id").last().alias("found"))
    both = truth.join(last, on="stay_id")
    assert both.height == truth.height and (both["found"] == both["study_id"]).all()
    assert near.height > truth.height
    assert (stays["ecg_time"] > stays["t0"]).any()
    assert (stays.select((pl.col("intime") - pl.col("ecg_time")) > DAY).to_series()).any()
    record = wfdb.rdrecord(str(cohort / "ecg" / records["path"][0]), physical=False)
    assert record.comments == [f"<subject_id>: {records['subject_id'][0]}", "SYNTHETIC WAVEFORM"]
    assert record.base_datetime == records["ecg_time"][0]
    assert all((cohort / "ecg" / f"{path}.dat").stat().st_size == 5000 * 12 * 2 for path in records["path"])


def test_linked_record_shows_the_parameters_of_the_truth(cohort: Path, truth: pl.DataFrame) -> None:
    paths = pl.read_csv(cohort / "ecg" / "record_list.csv").select("study_id", "path")
    regular = truth.filter((pl.col("pvc") == 0) & (pl.col("lbbb") == 0) & (pl.col("hyperk") == 0)).join(
        paths, on="study_id"
    )
    measured = []
    for path in regular["path"]:
        record = wfdb.rdrecord(str(cohort / "ecg" / path)).p_signal
        fast = np.abs(sosfiltfilt(butter(3, (8, 40), "bandpass", fs=500, output="sos"), record, axis=0)).sum(1)
        smooth = np.convolve(fast, np.ones(50) / 50, "same")
        peaks, _ = find_peaks(smooth, distance=130, height=0.3 * np.quantile(smooth, 0.995))
        rr_s = np.diff(peaks) / 500
        measured.append((60 / rr_s.mean(), rr_s.std() / rr_s.mean()))
    rate, spread = np.array(measured).T
    assert np.median(np.abs(rate / regular["rate_bpm"].to_numpy() - 1)) < 0.03
    assert np.corrcoef(rate, regular["rate_bpm"].to_numpy())[0, 1] > 0.9
    af = regular["af"].to_numpy() == 1
    assert np.median(spread[af]) > 0.12 > 0.06 > np.median(spread[~af])


def test_charts_have_the_size_and_the_dirt_of_real_ones(cohort: Path) -> None:
    chart, labs = table(cohort, "icu/chartevents"), table(cohort, "hosp/labevents")
    n_stays = table(cohort, "icu/icustays").height
    assert 300 < (chart.height + labs.height) / n_stays < 550
    assert {223761, 223762} <= set(chart["itemid"])
    fahrenheit = chart.filter((pl.col("itemid") == 223761) & (pl.col("valuenum") < 1000))["valuenum"]
    assert fahrenheit.is_between(90, 108).all()
    assert (chart["valuenum"] == 999_999).any()
    assert (chart["valuenum"] == 999_999).mean() < 0.002
    assert 0 < labs["valuenum"].null_count() < 0.02 * labs.height
    in_stay = chart.join(table(cohort, "icu/icustays"), on="stay_id")
    assert (in_stay["charttime"] > in_stay["intime"]).all() and (in_stay["charttime"] < in_stay["outtime"]).all()


def test_stays_of_a_patient_do_not_overlap_and_lie_within_their_admissions(cohort: Path) -> None:
    stays = table(cohort, "icu/icustays").sort("subject_id", "intime")
    same = stays["subject_id"] == stays["subject_id"].shift(-1)
    assert same.sum() >= 3
    assert (stays["outtime"] < stays["intime"].shift(-1)).filter(same).all()
    both = stays.join(table(cohort, "hosp/admissions"), on="hadm_id")
    assert both.height == stays.height
    assert (both["admittime"] <= both["intime"]).all() and (both["outtime"] <= both["dischtime"]).all()
    moves = table(cohort, "hosp/transfers").filter(pl.col("eventtype") != "discharge").sort("hadm_id", "intime")
    following = moves["hadm_id"] == moves["hadm_id"].shift(-1)
    assert (moves["outtime"] == moves["intime"].shift(-1)).filter(following).all()


def test_intervals_lie_within_their_stay(cohort: Path) -> None:
    stays = table(cohort, "icu/icustays").select("stay_id", "intime", "outtime")
    for name in ("icu/inputevents", "icu/procedureevents"):
        rows = table(cohort, name).join(stays, on="stay_id")
        assert rows.height
        assert (rows["starttime"] >= rows["intime"]).all() and (rows["endtime"] <= rows["outtime"]).all()
        assert (rows["starttime"] < rows["endtime"]).all()


def test_splits_name_every_cohort_subject_once(cohort: Path, truth: pl.DataFrame, tmp_path: Path) -> None:
    splits = pl.read_csv(cohort / "splits.csv")
    assert splits.columns == ["subject_id", "part"]
    assert dict(splits["part"].value_counts().iter_rows()) == {"fit": N_FIT, "test": N_TEST}
    assert splits["subject_id"].to_list() == truth["subject_id"].to_list()
    write_cohort(tmp_path / "plain", n_stays=5, seed=1)
    assert not (tmp_path / "plain" / "splits.csv").exists()


def test_dataset_and_summary_say_what_this_is(cohort: Path, truth: pl.DataFrame) -> None:
    dataset = json.loads((cohort / "dataset.json").read_text())
    assert dataset["synthetic"] is True and dataset["complete"] is True and dataset["seed"] == 3
    assert dataset["arguments"]["n_stays"] == N_FIT
    summary = json.loads((cohort / "summary.json").read_text())
    test = truth.filter(pl.col("part") == "test")
    assert summary["prevalence"] == pytest.approx(truth["y"].mean(), abs=1e-4)
    pairs = [(p, q) for p in test.filter(y=1)["p_x"] for q in test.filter(y=0)["p_x"]]
    assert summary["auroc"]["p_x"]["auroc"] == pytest.approx(np.mean([p > q for p, q in pairs]), abs=1e-4)
    assert set(summary["practical_limit"]) == {"gradient_boosting", "logistic_regression"}


def test_progress_counts_up_to_all_stays(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    write_cohort(tmp_path / "c", n_stays=4, n_test_stays=3, progress=lambda *step: seen.append(step))
    assert [step[0] for step in seen] == sorted(step[0] for step in seen)
    assert seen[-1][:2] == (7, 7)


# --- u, from the files ----------------------------------------------------------------------------------------------

CHART_SERIES = {"hr": [220045], "map": [220181, 220052], "rr": [220210], "spo2": [220277]}
LAB_SERIES = {
    "creatinine": 50912,
    "potassium": 50971,
    "magnesium": 50960,
    "calcium": 50893,
    "lactate": 50813,
    "troponin": 51003,
}
PLAUSIBLE = 1000.0


def u_from_files(out: Path, *, until_t0: bool = True, stored_by_t0: bool = True) -> pl.DataFrame:
    """The functionals of each cohort stay, from rows with a plausible number only."""
    stays = linked_stays(out).select("stay_id", "hadm_id", "t0", "intime")
    usable = pl.col("valuenum") < PLAUSIBLE
    if until_t0:
        usable &= pl.col("charttime") <= pl.col("t0")
    if stored_by_t0:
        usable &= pl.col("storetime") <= pl.col("t0")
    chart = table(out, "icu/chartevents").join(stays.drop("hadm_id"), on="stay_id").filter(usable)
    labs = (
        table(out, "hosp/labevents").join(stays, on="hadm_id").filter(usable & (pl.col("charttime") > pl.col("intime")))
    )
    value = pl.col("valuenum")
    result = stays.select("stay_id")

    def add(rows: pl.DataFrame, name: str, formula: pl.Expr) -> None:
        nonlocal result
        column = rows.sort("charttime").group_by("stay_id").agg(formula.alias(name))
        result = result.join(column, on="stay_id", how="left")

    for name, items in CHART_SERIES.items():
        add(chart.filter(pl.col("itemid").is_in(items)), f"{name}_mean", value.mean())
    add(chart.filter(pl.col("itemid") == 220045), "hr_sd", value.std(ddof=0))
    points = chart.filter(pl.col("itemid").is_in([220739, 223900, 223901]))
    sums = points.group_by("stay_id", "charttime").agg(value.sum(), value.len().alias("k"))
    assert (sums["k"] == 3).all()
    add(sums, "gcs_min", value.min())
    for name, item in LAB_SERIES.items():
        rows = labs.filter(pl.col("itemid") == item)
        if name in ("creatinine", "troponin"):
            add(rows, f"{name}_last", value.last())
        elif name == "lactate":
            add(rows, "lactate_max", value.max())
        else:
            add(rows, f"{name}_mean", value.mean())
    return result.with_columns(pl.col(name).fill_null(neutral) for name, neutral in NEUTRAL.items())


def differing(out: Path, truth: pl.DataFrame, u: pl.DataFrame) -> dict[str, int]:
    """By functional, in how many stays truth and files disagree."""
    both = truth.join(u, on="stay_id")
    assert both.height == truth.height
    return {name: int((np.abs((both[f"u_{name}"] - both[name]).to_numpy()) > 1e-6).sum()) for name in NEUTRAL}


def test_u_of_the_truth_is_what_the_files_say_before_t0(cohort: Path, truth: pl.DataFrame) -> None:
    assert set(differing(cohort, truth, u_from_files(cohort)).values()) == {0}
    both = truth.join(linked_stays(cohort), on="stay_id")
    assert (both["u_age"] == both["age"]).all()
    assert ((both["u_sex_male"] == 1) == (both["gender"] == "M")).all()


def test_values_after_t0_and_values_stored_after_t0_exist_and_would_have_changed_u(
    cohort: Path, truth: pl.DataFrame
) -> None:
    late = differing(cohort, truth, u_from_files(cohort, stored_by_t0=False))
    assert sum(late.values()) > 20 and late["creatinine_last"] + late["lactate_max"] > 0
    after = differing(cohort, truth, u_from_files(cohort, until_t0=False, stored_by_t0=False))
    assert after["hr_mean"] > 0.9 * truth.height and sum(after.values()) > sum(late.values())


def test_values_after_t0_tell_the_outcome_so_that_a_leak_would_show(tmp_path: Path) -> None:
    write_cohort(tmp_path / "c", n_stays=400, seed=4, ecg_missing=1.0)
    truth = pl.read_csv(tmp_path / "c" / "truth.csv", infer_schema_length=None)
    late = table(tmp_path / "c", "icu/chartevents").join(linked_stays(tmp_path / "c"), on="stay_id")
    late = late.filter((pl.col("itemid") == 220045) & (pl.col("charttime") > pl.col("t0")))
    n_late = truth.join(late.group_by("stay_id").len(), on="stay_id", how="left").with_columns(
        pl.col("len").fill_null(0)
    )
    assert auroc_interval(n_late["y"].to_numpy() == 1, n_late["len"].to_numpy())["auroc"] > 0.95


# --- missing ECGs, in the files -------------------------------------------------------------------------------------


def test_stays_without_an_ecg_have_none_up_to_t0_and_p_x_is_p_ehr(tmp_path: Path) -> None:
    write_cohort(tmp_path / "c", n_stays=60, seed=2, ecg_missing=0.5, missing="informative")
    truth = pl.read_csv(tmp_path / "c" / "truth.csv", infer_schema_length=None)
    without = truth.filter(pl.col("study_id").is_null())
    assert 10 < without.height < 50
    assert (without["p_x"] == without["p_ehr"]).all() and without["p_ecg"].n_unique() == 1
    ecg_columns = truth.columns[truth.columns.index("rate_bpm") : truth.columns.index("st_v6_mv") + 1]
    assert len(ecg_columns) == 11 + 12 + 12
    assert all(without[name].null_count() == without.height for name in ecg_columns)
    assert (
        truth.filter(pl.col("study_id").is_not_null())
        .select(ecg_columns)
        .drop("pr_ms")
        .null_count()
        .sum_horizontal()[0]
        == 0
    )
    stays = linked_stays(tmp_path / "c").join(without.select("stay_id"), on="stay_id")
    records = pl.read_csv(tmp_path / "c" / "ecg" / "record_list.csv", try_parse_dates=True)
    near = stays.join(records, on="subject_id").filter(
        pl.col("ecg_time").is_between(pl.col("intime") - DAY, pl.col("t0"))
    )
    assert near.height == 0
