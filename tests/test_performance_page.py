"""The workbench of /performance: every figure on the page beside plain SQL, and pages of few, one or no stays."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from pages_support import RUN, THRESHOLD, PagesStores, open_page, pages_stores, said
from performance_support import all_test, cost_per_100
from sklearn.metrics import average_precision_score, roc_auc_score

from cohort_db import read_analysis, read_results
from cohort_db.results import replace_metrics
from cohort_db.store import open_store
from dashboard.report.contents import contents
from dashboard.wording import estimate
from lemof_core.evaluation.confusion import confusion
from lemof_core.evaluation.cuts import CUTS
from lemof_core.evaluation.prevalence import reweighted
from lemof_core.jobs.evaluate import evaluate
from lemof_core.jobs.status import status

__all__ = ["all_test", "pages_stores"]
CUTS_IN_USE = {"both": THRESHOLD, "ehr": 0.5}


@pytest.fixture(autouse=True)
def no_curve_of_another_store() -> None:
    """The frames that pages share are forgotten, as the copies are by `open_page`."""
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def known(all_test: Path) -> pd.DataFrame:
    """Every prediction as the tables hold it: label, p, path, sex, alarm."""
    rows = sqlite3.connect(all_test / "cohort.db").execute(
        "SELECT s.label, p.p, p.path, su.sex FROM prediction p JOIN sample s USING (sample_id) "
        "JOIN subject su USING (subject_id) WHERE s.label IS NOT NULL ORDER BY sample_id"
    )
    frame = pd.DataFrame(rows.fetchall(), columns=["label", "p", "path", "sex"])
    return frame.assign(alarm=frame["p"] >= frame["path"].map(CUTS_IN_USE))


def rates_of(text: str) -> dict[str, list[str]]:
    """The cells of the table of rates by the rate's name."""
    table = re.findall(r'data-testid="rates">(.*?)</table>', text, re.DOTALL)[0]
    rows = re.findall(r'<th scope="row">(.*?)<small>.*?</th>(.*?)</tr>', table)
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", cells) for name, cells in rows}


def test_the_rates_are_counted_from_the_tables(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("performance", all_test, monkeypatch))
    at = confusion(known["label"].to_numpy(), known["alarm"].to_numpy())
    assert 0 < at.alarms < at.n, "the made-up cohort must hold both"
    shown = rates_of(text)
    assert shown["Sensitivity"][1] == f"{at.hit} of {at.hit + at.miss}"
    assert shown["PPV"][0].startswith(f"{at.hit / (at.hit + at.false):.2f} [")
    assert shown["Alarms per 100 stays"][0].startswith(f"{100 * (at.hit + at.false) / len(known):.1f} [")
    assert len(shown["PPV"]) == 2, "nothing is re-weighted unasked"


def test_another_share_of_long_stays_changes_ppv_and_npv_alone(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("performance", all_test, monkeypatch, prevalence="20"))
    shown = rates_of(text)
    wanted = reweighted(confusion(known["label"].to_numpy(), known["alarm"].to_numpy()), 0.2)
    assert shown["PPV"][2] == estimate(*wanted["PPV"]) and shown["NPV"][2] == estimate(*wanted["NPV"])
    assert shown["Sensitivity"][2] == shown["Specificity"][2] == "as here"
    assert "re-weighted, 20 % long" in text and "same patients within the long stays" in text
    assert "If a missed long stay costs one false alarm and 20 % of the stays are long" in text
    long, alarm = known["label"] == 1, known["alarm"]
    cost = 20 * (long & ~alarm).sum() / long.sum() + 80 * (~long & alarm).sum() / (~long).sum()
    assert f"100 stays cost {cost:.1f} [" in text


def test_the_cheapest_threshold_is_the_one_that_brute_force_finds(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("performance", all_test, monkeypatch, cost="3")
    text = said(app)
    assert "If a missed long stay costs 3 false alarms" in text
    wanted = {}
    for path, words in (("both", "with ECG"), ("ehr", "without ECG")):
        some = known[known["path"] == path]
        y, p = some["label"].to_numpy(), some["p"].to_numpy()
        costs = {float(cut): cost_per_100(confusion(y, p >= cut), 3) for cut in CUTS}
        least = [cut for cut, cost in costs.items() if cost == pytest.approx(min(costs.values()))]
        wanted[path] = min(least, key=lambda cut: abs(cut - 0.25))
        row = re.findall(rf'<th scope="row" class="words">{words}</th>(.*?)</tr>', text)[0]
        assert f">{wanted[path]:.2f} [" in row and ">0.25<" in row
    now = cost_per_100(confusion(known["label"].to_numpy(), known["alarm"].to_numpy()), 3)
    assert f"100 stays cost {now:.1f} [" in text
    next(one for one in app.button if one.label == "Use the cheapest").click().run()
    assert (app.session_state["at"], app.session_state["at_ehr"]) == (wanted["both"], wanted["ehr"])
    assert f"At {wanted['both']:.2f} with ECG and {wanted['ehr']:.2f} without" in said(app)
    next(one for one in app.button if one.label == "Use the theoretical").click().run()
    assert "At 0.25, " in said(app)


def test_the_curves_carry_the_numbers_of_scikit_learn(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query, some in (({}, known), ({"curves_of": "Sex: women"}, known[known["sex"] == "F"])):
        text = said(open_page("performance", all_test, monkeypatch, **query))
        assert f"**AUROC {roc_auc_score(some['label'], some['p']):.2f} [" in text
        assert f"**AUPRC {average_precision_score(some['label'], some['p']):.2f} [" in text
        assert f"observed over expected {some['label'].sum() / some['p'].sum():.2f} [" in text
        assert f"n = {len(some):,}, {some['label'].sum():,} long. Orange" in text


def test_the_forest_counts_at_the_threshold_what_sql_counts(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("performance", all_test, monkeypatch, by="Sex", measure="Sensitivity"))
    women, men = (known[(known["sex"] == sex) & (known["label"] == 1)]["alarm"].mean() for sex in "FM")
    low, high = sorted([(women, "women"), (men, "men")])
    assert f"Sensitivity by sex: from {low[0]:.2f} ({low[1]}) to {high[0]:.2f} ({high[1]})" in text
    assert "2 groups, 2 intervals, none adjusted" in text and "intervals by Wilson" in text


def test_the_gaps_are_those_between_the_groups(
    all_test: Path, known: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(open_page("performance", all_test, monkeypatch))
    by_sex = known.groupby("sex")["alarm"].mean()
    row = re.findall(r'class="words">Alarms</th>(.*?)</tr>', text)[0]
    assert f">{by_sex.max() - by_sex.min():.2f} [" in row
    for sex, name in (("F", "women"), ("M", "men")):
        some = known[known["sex"] == sex]
        assert f"{name} (n = {len(some)}, {some['label'].sum()} long)" in text
    assert "Chouldechova 2017" in text
    alone = said(open_page("performance", all_test, monkeypatch, between="Race"))
    assert "Nothing to compare by race" in alone and "unknown (n = " in alone


def test_a_store_of_before_offers_only_the_groups_that_it_holds(
    all_test: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "old"
    shutil.copytree(all_test, home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    found = read_results.metrics(store, RUN, "test")
    kinds = ("all", "disease", "sex", "age", "unit", "ecg")
    replace_metrics(store, RUN, "test", found[found["stratum_kind"].isin(kinds) & (found["name"] != "oe")])
    store.close()
    app = open_page("performance", home, monkeypatch)
    assert [one.value for one in app.exception] == []
    by = next(one for one in app.segmented_control if one.label == "By")
    assert list(by.options) == ["Disease group", "Sex", "Age (years)", "Care unit", "ECG"]
    measure = next(one for one in app.selectbox if one.label == "Measure")
    assert "O/E" not in measure.options and "Sensitivity" in measure.options
    assert re.search(r"observed over expected \d\.\d\d \[", said(app)), "what is not stored is counted here"
    assert re.search("Groups by .*race.* were not evaluated yet: run `lemof evaluate` again", said(app))
    newer = open_page("performance", all_test, monkeypatch)
    assert "were not evaluated yet" not in said(newer)
    assert "Race" in next(one for one in newer.segmented_control if one.label == "By").options


def test_without_deaths_only_what_is_stored_so_is_offered(all_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("performance", all_test, monkeypatch, without_deaths="true")
    assert list(next(one for one in app.segmented_control if one.label == "By").options) == ["Disease group"]
    assert "Without deaths only disease groups are evaluated" in said(app)


@pytest.mark.parametrize("which", ["nobody", "one", "long alone", "a few"])
def test_few_one_or_no_stays_are_said_to_be_so(
    which: str, all_test: Path, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = read_analysis.analysed(open_store(f"sqlite:///{all_test / 'cohort.db'}"), RUN, "test")
    some = {
        "nobody": frame.head(0),
        "one": frame.head(1),
        "long alone": frame[frame["label"] == 1].head(12),
        "a few": pd.concat([frame[frame["label"] == label].head(3) for label in (0, 1)]),
    }[which].reset_index(drop=True)
    monkeypatch.setattr("dashboard.queries_analysis.analysed", lambda *_: some)
    app = open_page("performance", all_test, monkeypatch)
    assert [one.value for one in app.exception] == []
    text = said(app)
    if which == "nobody":
        assert "No sample of the test split" in text
        return
    assert f"of {len(some)} stays raise an alarm" in text
    assert "the cheapest threshold is not estimable" in text
    assert "Nothing to compare by sex" in text
    if which != "a few":
        assert "The curves are not estimable" in text
    else:
        assert "The smooth curve is not estimable" in text


def test_metrics_that_are_not_of_the_stays_scored_by_now_say_so(
    all_test: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(all_test, tmp_path / "home")
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    before, names = read_results.scored(store, RUN, "test"), ("overview", "performance", "model_card")
    assert before == read_results.evaluated(store, RUN, "test") != (0, 0)
    assert status(store)["next"].startswith("streamlit run")
    replace_metrics(store, RUN, "test", read_results.metrics(store, RUN, "test").iloc[:0])
    assert read_results.evaluated(store, RUN, "test") is None and status(store)["next"] == "lemof evaluate"
    evaluate(store, RUN)
    for name in names:
        assert [one.value for one in open_page(name, home, monkeypatch).warning] == []
    assert not any("stored metrics" in one for one in contents(store, RUN).warnings)
    with store.writing() as conn:
        conn.exec_driver_sql("DELETE FROM prediction WHERE sample_id = (SELECT min(sample_id) FROM prediction)")
    st.cache_resource.clear()  # no job takes predictions away, so no page looks for it
    now = read_results.scored(store, RUN, "test")
    assert now[0] == before[0] - 1 and read_results.evaluated(store, RUN, "test") == before
    told = f"The stored metrics are of {before[0]} stays, {before[1]} long; by now {now[0]} are scored, {now[1]} long."
    for name in names:
        assert [one.value[: len(told)] for one in open_page(name, home, monkeypatch).warning] == [told], name
    assert any(one.startswith(told) for one in contents(store, RUN).warnings)
    evaluate(store, RUN)
    assert [one.value for one in open_page("performance", home, monkeypatch).warning] == []
    assert read_results.scored(store, "nobody", "test") == (0, 0)
    store.close()


def test_a_link_to_an_unknown_cohort_never_shows_everybody(all_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("performance", all_test, monkeypatch, among="nosuch")
    assert "nosuch that is not here" in app.error[0].value.replace("\\", "")
    assert "AUROC" not in said(app)
    app.button(key="forget-among").click().run()
    assert len(app.error) == 0 and "AUROC" in said(app)
