"""Every page of results runs at every state of the work, says what is missing, and names its numbers' source."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from pages_support import (
    PAGES,
    RUN,
    STATES,
    THRESHOLD,
    PagesStores,
    add_pages_run,
    ehr_alone,
    fitted_parts,
    open_page,
    pages_stores,
    said,
    score_all,
)
from streamlit.testing.v1 import AppTest

from cohort_db import read, read_results
from cohort_db.browse import Browser
from cohort_db.results import replace_metrics
from cohort_db.stay_filters import Filters
from cohort_db.store import Store, open_store
from dashboard import queries_results
from dashboard.model_card import card_of
from dashboard.queries_results import HELD_OUT
from dashboard.stay_list import read_list
from dashboard.wording import Definition
from lemof_core.evaluation.confusion import confusion
from lemof_core.jobs.evaluate import evaluate

__all__ = ["pages_stores"]

RESULTS = ("levels", "performance")
TITLES = dict(zip(PAGES, ("Who will", "Cohort", "Levels", "Performance", "Model card"), strict=True))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_runs_at_every_state(
    name: str, state: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(name, pages_stores.home[state], monkeypatch)
    assert [one.value for one in app.exception] == []
    text = said(app)
    assert app.title[0].value.startswith(TITLES[name])
    assert "Research use only" in text
    if state == "no run":
        assert "lemof train" in text or name == "cohort", "what to do stands where there is nothing"
        assert "provenance" not in text
    elif state == "not scored" and name in RESULTS:
        assert "lemof score" in text
    elif state == "not evaluated" and name in ("performance", "overview", "model_card"):
        assert "lemof evaluate" in text
    else:
        assert f"Run {RUN}" in text


@pytest.mark.parametrize("name", [*PAGES, "methods"])
def test_without_a_store_a_page_says_what_to_do(
    name: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(name, pages_stores.empty, monkeypatch)
    assert [one.value for one in app.exception] == []
    assert app.title[0].value == "No data yet"
    assert "lemof ingest" in said(app)


def test_a_store_of_an_older_version_is_no_store_without_data(
    pages_stores: PagesStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(pages_stores.home["full"] / "cohort.db", tmp_path)
    with sqlite3.connect(tmp_path / "cohort.db") as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0004'")
    app = open_page("performance", tmp_path, monkeypatch)
    assert [one.value for one in app.exception] == []
    assert app.title[0].value == "The store has another version"
    assert app.info[0].value.startswith("The store at ") and "`lemof ingest` brings it up to date." in app.info[0].value


@pytest.mark.parametrize("name", [*PAGES, "methods"])
def test_a_link_to_an_unknown_run_never_shows_another_one(
    name: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(name, pages_stores.home["full"], monkeypatch, run="nobody")
    assert "nobody" in app.error[0].value
    assert "AUROC" not in said(app)


@pytest.fixture
def full(pages_stores: PagesStores) -> Store:
    return pages_stores.store("full")


def test_the_overview_shows_the_stored_figures(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("overview", pages_stores.home["full"], monkeypatch))
    found = read_results.metrics(full, RUN, "test")
    here = found[(found["source"] == "final") & (found["stratum_kind"] == "all") & (found["deaths"] == "with")]
    for name in ("auroc", "cal_slope", "brier"):
        row = here[here["name"] == name].iloc[0]
        assert f"{row['value']:.2f}" in text
        assert f"{row['hi']:.2f}]" in text
    n, events = int(here["n"].iloc[0]), int(here["events"].iloc[0])
    assert f"test split · n = {n}, {events} long" in text
    assert "Share of the reachable" not in text, "no truth is at hand, so none is made up"


def test_the_share_of_the_reachable_stands_where_the_truth_is_at_hand(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = read.samples(full)
    truth = pd.DataFrame({"stay_id": samples["stay_id"], "p_x": samples["label"].astype(float) * 0.6 + 0.2})
    monkeypatch.setattr(queries_results, "_truth", lambda url, revision: truth)
    text = said(open_page("overview", pages_stores.home["full"], monkeypatch))
    assert "Share of the reachable AUROC" in text
    assert "against 1.00 of the true probabilities" in text


# The cohort


def test_the_cohort_counts_what_sql_counts(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = pages_stores.home["full"]
    with full.reading() as conn:
        n_stays = conn.exec_driver_sql("SELECT count(*) FROM stay").scalar()
        n_samples = conn.exec_driver_sql("SELECT count(*) FROM sample").scalar()
        women = conn.exec_driver_sql(
            "SELECT count(*) FROM sample JOIN subject USING (subject_id) JOIN stay USING (stay_id) "
            "WHERE sex = 'F' AND age_years BETWEEN 40 AND 70"
        ).scalar()
    app = open_page("cohort", home, monkeypatch)
    assert f"<b>{n_samples}</b> of {n_stays} stays" in said(app), "those in the cohort are shown first"
    app = open_page("cohort", home, monkeypatch, sex="Women", age=["40", "70"])
    assert f"<b>{women}</b> of {n_stays} stays" in said(app)
    assert {one.label for one in app.button} >= {"Women ×", "40–70 years ×", "Remove all"}


def test_stays_outside_the_cohort_are_listed_with_their_rule(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("cohort", pages_stores.home["full"], monkeypatch, where="Left out")
    shown = app.dataframe[0].value
    sentences = set(read.attrition(full)["label"])
    assert len(shown) == len(read.exclusions(full))
    assert set(shown["Left out because not"]) <= sentences


def _n_listed(app: AppTest) -> int:
    return int(re.findall(r'data-testid="cohort-count"><b>([\d,]+)</b>', said(app))[0].replace(",", ""))


def test_removing_a_filter_brings_its_stays_back(pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("cohort", pages_stores.home["full"], monkeypatch, sex="Men", q="30")
    before = _n_listed(app)
    next(one for one in app.button if one.label == "Men ×").click().run()
    assert _n_listed(app) > before
    assert app.session_state["q"] == "30", "the other filter stays"
    next(one for one in app.button if one.label == "Remove all").click().run()
    assert not [one.label for one in app.button if one.label.endswith("×")]


def test_a_link_of_the_table_leads_through_all_stays_in_the_order_shown(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("cohort", pages_stores.home["full"], monkeypatch, sort="Highest probability first")
    with full.reading() as conn:
        query = (
            "SELECT stay_id FROM sample LEFT JOIN prediction ON prediction.sample_id = sample.sample_id "
            f"AND run_id = '{RUN}' ORDER BY p DESC NULLS LAST, stay_id"
        ).replace("stay_id", "sample.stay_id")
        wanted = list(conn.exec_driver_sql(query).scalars())
    first = app.dataframe[0].value["Stay"].iloc[0]
    assert first == f"case?stay={wanted[0]}&run={RUN}&list=sort%3Dp_high"
    linked = parse_qs(urlsplit(first).query)["list"][0]
    assert read_list(linked).ids(Browser(full, RUN)).tolist() == wanted


# Performance


def test_the_confusion_matrix_starts_at_the_tuned_threshold_and_links_to_the_very_stays(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("performance", pages_stores.home["full"], monkeypatch)
    known = read_results.predictions(full, RUN, "test")
    # The path without an ECG has no tuned threshold in these stores, and 0.5 stands for it.
    alarm = known["p"] >= known["path"].map({"both": THRESHOLD, "ehr": 0.5})
    at = confusion(known["label"].to_numpy(int), alarm.to_numpy())
    words = f"At {THRESHOLD:.2f} with ECG and 0.50 without, {at.hit + at.false} of {at.n} stays raise an alarm"
    assert words in said(app)
    assert set(known["path"]) == {"both", "ehr"}
    counts = {"hit": at.hit, "false": at.false, "miss": at.miss, "calm": at.calm}
    browser = Browser(full, RUN)
    for verdict, count in counts.items():
        filters = Filters(where=("in",), split=("test",), verdict=(verdict,), thr=THRESHOLD, thr_ehr=0.5)
        assert browser.count(filters) == count
    links = [one.proto.label for one in app.get("page_link")]
    assert [int(re.sub(r"\D", "", label)) for label in links] == list(counts.values())


def test_in_sample_numbers_stand_under_a_banner(pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RESULTS:
        assert "In-sample" not in said(open_page(name, pages_stores.home["full"], monkeypatch))
        assert "In-sample" in said(open_page(name, pages_stores.home["full"], monkeypatch, part="train"))


def test_deaths_can_be_left_out(pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    known = read_results.predictions(full, RUN, "test")
    alive = known[~known["died_before_cut"].astype(bool)]
    assert 0 < len(alive) < len(known), "the made-up cohort must hold early deaths in test"
    app = open_page("performance", pages_stores.home["full"], monkeypatch, without_deaths="true")
    assert f"n = {len(alive)}, {int(alive['label'].sum())} long" in said(app)


def test_a_shipped_runs_own_test_stands_beside_this_stores(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "shipped"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    add_pages_run(store, shipped=True)
    score_all(store, split="test")
    brought = read_results.metrics(pages_stores.store("full"), RUN, "test")
    brought = brought.assign(n=10_000, events=4_321)
    replace_metrics(store, RUN, HELD_OUT, brought)
    store.close()
    app = open_page("performance", home, monkeypatch, source="The run's own test")
    assert [one.value for one in app.exception] == []
    assert "n = 10,000" in str(app.dataframe[0].value.columns.tolist())
    card = said(open_page("model_card", home, monkeypatch))
    assert "own test, n = 10,000" in card
    assert "No patient of this store was used to fit it" in card


# Levels and the model card


@pytest.mark.parametrize("scale", ["log-odds", "probability"])
def test_levels_name_no_choice_without_its_frequency(
    scale: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("levels", pages_stores.home["full"], monkeypatch, scale=scale)
    assert [one.value for one in app.exception] == []
    text = said(app)
    assert "ECG: level 3 is k* in 60 % of the refits" in text
    assert "importance inside G, not what the ECG or the EHR contributed" in text


def test_a_run_without_an_ecg_path_is_shown_without_one(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "ehr"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    add_pages_run(store, parts=ehr_alone(fitted_parts()))
    score_all(store, path="ehr")
    evaluate(store, RUN)
    store.close()
    for name in PAGES:
        app = open_page(name, home, monkeypatch)
        assert [one.value for one in app.exception] == [], name
    levels = said(open_page("levels", home, monkeypatch))
    assert "ECG: no level was chosen" in levels
    assert "EHR levels correlate" in levels and "ECG levels correlate" not in levels
    assert "No stay shown here was scored with its ECG levels" in levels
    assert "inner predictions were not evaluated" in said(open_page("performance", home, monkeypatch))


def test_the_model_card_shows_gaps_as_gaps_and_the_stored_numbers(
    pages_stores: PagesStores, full: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("model_card", pages_stores.home["full"], monkeypatch))
    for title, words in card_of(Definition(24, 72), "holdout").items():
        assert title in text
        assert words in text, title
    for words in ("External validation: not provided", "Death ends a stay", "Because", "ehr: calibration", "MIT"):
        assert words in text.replace("\\", "")
    found = read_results.metrics(full, RUN, "test")
    auroc = found[(found["source"] == "final") & (found["stratum_kind"] == "all") & (found["name"] == "auroc")].iloc[0]
    assert f"{auroc['value']:.2f} [{auroc['lo']:.2f}–{auroc['hi']:.2f}]" in text
    assert "ECG 3 (60 % of refits)" in text
    assert "ECG 1 (50 % of draws)" in text, "nothing is fitted anew to tell how often Module 2's levels are best"
    assert "0.50, n = 1,234" in text, "the base rate stands with the samples it is a share of"
