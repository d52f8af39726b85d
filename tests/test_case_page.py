"""A store with a made-up run in, the page `/case` in every state out: whose numbers stand on it, and what it says when
something is not there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from case_support import RUN, CaseStore
from streamlit.testing.v1 import AppTest

from cohort_db import read, read_results
from cohort_db.store import Store, open_store

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def store(case_store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The made-up store is the one that the page opens."""
    monkeypatch.setenv("LEMOF_HOME", str(case_store.home))
    st.cache_resource.clear()
    st.cache_data.clear()
    store = open_store(case_store.url)
    yield store
    store.close()


def opened(**query: object) -> AppTest:
    """The page after its first run, with that query."""
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    page.run()
    page.switch_page("dashboard/pages/case.py")
    for name, value in query.items():
        page.query_params[name] = str(value)
    return page.run()


def markup(page: AppTest) -> str:
    """All that the page put there by `st.html` and `st.markdown`, without style sheets."""
    bodies = [body for element in page.get("html") if not (body := element.proto.body).startswith("<style")]
    return "\n".join([*bodies, *(element.value for element in page.markdown)])


def stays_on(page: AppTest) -> set[str]:
    return set(re.findall(r'data-stay="(\d+)"', markup(page)))


def sentences(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.info, *page.warning, *page.error])


def test_every_panel_of_a_case_carries_its_stay_and_its_run(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=case_store.test_stay, run=RUN)
    assert not page.exception
    assert stays_on(page) == {str(case_store.test_stay)}
    assert set(re.findall(r'data-run="([^"]*)"', markup(page))) == {RUN}
    panels = set(re.findall(r'data-panel="(\w+)"', markup(page)))
    assert panels == {"identity", "ecg", "risk", "reasons", "trust", "branches", "trends"}


def test_the_probability_shown_is_the_stored_one_and_the_waterfall_sums_to_it(
    store: Store,
    case_store: CaseStore,
) -> None:
    stored = read_results.prediction(store, RUN, f"los-{case_store.test_stay}")
    assert stored is not None
    for view, total in (
        ({"steps": "levels", "scale": "log-odds"}, stored["logit"]),
        ({"steps": "levels", "scale": "probability"}, stored["p"]),
        ({"steps": "inputs", "scale": "probability"}, stored["logit"]),  # inputs have log-odds alone
        ({}, stored["logit"]),
    ):
        text = markup(opened(stay=case_store.test_stay, run=RUN, **view))
        assert f'<span class="case-p" data-testid="risk-probability">{stored["p"]:.2f}</span>' in text
        assert f"[{stored['p_lo']:.2f}–{stored['p_hi']:.2f}]" in text
        told = re.search(r'data-testid="waterfall-sum">([^<]+)<', text)
        assert told
        left, right = told.group(1).replace("−", "-").split(" = ")
        terms = [float(number.replace(" ", "")) for number in re.findall(r"[-+]? ?\d+\.\d+", left)]
        assert float(right) == pytest.approx(total, abs=5e-4)
        assert sum(terms) == pytest.approx(float(right), abs=0.0021)  # four rounded terms and a rounded sum


def test_only_a_patient_who_was_used_to_fit_the_model_is_marked_in_sample(
    store: Store,
    case_store: CaseStore,
) -> None:
    assert "in-sample" in markup(opened(stay=case_store.train_stay, run=RUN))
    assert "in-sample" not in markup(opened(stay=case_store.test_stay, run=RUN))


def test_the_outcome_is_told_only_when_it_is_asked_for(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=case_store.died, run=RUN)
    assert "before the cut" not in markup(page)
    page.toggle[0].set_value(True).run()
    assert "died in ICU at" in markup(page) and "counted as not long" in markup(page)


def test_a_case_without_an_ecg_says_so_and_shows_no_ecg_steps(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=case_store.no_ecg, run=RUN)
    assert not page.exception
    assert "No ECG in the window" in sentences(page)
    assert "No ECG was used" in markup(page)
    assert "The ECG contributed" not in markup(page) and "(ECG)" not in markup(page)


def test_an_ecg_whose_file_is_gone_is_one_sentence(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=case_store.unreadable, run=RUN)
    assert not page.exception
    assert "This ECG cannot be shown" in sentences(page) and "missing" in sentences(page)


def test_an_ecg_whose_file_was_exchanged_is_not_drawn(store: Store, case_store: CaseStore) -> None:
    samples = read.samples(store).set_index("stay_id")
    mine, other = (
        Path(read.ecg_record(store, int(samples.loc[stay_id, "study_id"]))["record_path"] + ".dat")
        for stay_id in (case_store.test_stay, case_store.train_stay)
    )
    whole = mine.read_bytes()
    try:
        mine.write_bytes(other.read_bytes())
        page = opened(stay=case_store.test_stay, run=RUN)
    finally:
        mine.write_bytes(whole)
        st.cache_data.clear()
    assert "is not the record that was ingested" in sentences(page)
    assert "is not the record" not in sentences(opened(stay=case_store.test_stay, run=RUN))


def test_a_stay_outside_the_cohort_is_shown_with_the_rule_and_without_a_prediction(
    store: Store,
    case_store: CaseStore,
) -> None:
    page = opened(stay=case_store.left_out, run=RUN)
    rule = read.exclusions(store).set_index("stay_id").loc[case_store.left_out, "rule"]
    label = read.attrition(store).set_index("rule").loc[rule, "label"]
    assert not page.exception
    assert str(label) in sentences(page)
    assert stays_on(page) == {str(case_store.left_out)}
    assert 'class="case-p"' not in markup(page) and "branches" not in markup(page)


def test_a_stay_that_the_run_did_not_score_says_how_to_score_it(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=case_store.not_scored, run=RUN)
    assert not page.exception
    assert f"lemof score --run {RUN}" in sentences(page) and 'class="case-p"' not in markup(page)


def test_an_unknown_stay_is_a_sentence_with_no_patient_on_the_page(store: Store, case_store: CaseStore) -> None:
    page = opened(stay=12, run=RUN)
    assert not page.exception
    assert "no ICU stay 12" in sentences(page)
    assert stays_on(page) == set()


@pytest.mark.parametrize("asked", ["abc", "1; DROP TABLE stay", "<b>", "-3", "9" * 30])
def test_a_stay_that_is_no_number_is_refused(store: Store, case_store: CaseStore, asked: str) -> None:
    page = opened(stay=asked, run=RUN)
    assert not page.exception
    assert "not a number" in sentences(page) and stays_on(page) == set()


def test_without_a_stay_the_page_asks_for_one_and_leads_there(store: Store, case_store: CaseStore) -> None:
    page = opened(run=RUN)
    assert stays_on(page) == set()
    page.number_input[0].set_value(case_store.test_stay)
    page.button[0].click().run()
    assert page.query_params["stay"] == str(case_store.test_stay)
    assert stays_on(page) == {str(case_store.test_stay)}


def test_an_ecg_of_another_patient_in_the_link_is_not_shown(store: Store, case_store: CaseStore) -> None:
    others = read.stays(store).set_index("stay_id")["study_id"].dropna()
    foreign = int(others[others.index != case_store.test_stay].iloc[0])
    page = opened(stay=case_store.test_stay, run=RUN, ecg=foreign)
    own = opened(stay=case_store.test_stay, run=RUN)
    assert not page.exception
    assert markup(page) == markup(own)


def test_another_ecg_of_the_patient_is_shown_as_not_seen_by_the_model(store: Store, case_store: CaseStore) -> None:
    samples = read.samples(store)
    for sample in samples[samples["study_id"].notna()].to_dict("records"):
        records = read.ecgs(store, int(sample["subject_id"]))
        other = records.loc[(records["study_id"] != sample["study_id"]), "study_id"]
        scored = read_results.prediction(store, RUN, sample["sample_id"])
        if len(other) and scored is not None and scored["path"] == "both":
            break
    page = opened(stay=sample["stay_id"], run=RUN, ecg=int(other.iloc[0]), overlay="saliency")
    assert not page.exception
    assert "not the ECG that the model saw" in markup(page)


@pytest.mark.parametrize("depth", ["Attention", "Levels", "Raw values", "Diagnoses"])
def test_one_depth_is_computed_and_the_others_are_not(store: Store, case_store: CaseStore, depth: str) -> None:
    page = opened(stay=case_store.test_stay, run=RUN, depth=depth)
    assert not page.exception
    panels = set(re.findall(r'data-panel="(\w+)"', markup(page)))
    assert panels & {"attention", "levels", "raw", "diagnoses"} == {depth.split()[0].lower()}
    assert stays_on(page) == {str(case_store.test_stay)}


def test_depth_works_for_a_stay_outside_the_cohort_and_for_one_without_an_ecg(
    store: Store,
    case_store: CaseStore,
) -> None:
    for stay_id, depth in (
        (case_store.left_out, "Levels"),
        (case_store.left_out, "Raw values"),
        (case_store.left_out, "Diagnoses"),
        (case_store.no_ecg, "Attention"),
        (case_store.no_ecg, "Levels"),
        (case_store.not_scored, "Attention"),
    ):
        page = opened(stay=stay_id, run=RUN, depth=depth)
        assert not page.exception and stays_on(page) == {str(stay_id)}


def test_next_and_previous_follow_the_list_in_the_link(store: Store, case_store: CaseStore) -> None:
    known = read.samples(store).sort_values(["age_years", "stay_id"], ascending=[False, True])
    first, second, *_, last = known.loc[known["sex"] == "F", "stay_id"].tolist()
    n = int((known["sex"] == "F").sum())
    page = opened(run=RUN, stay=first, list="sex=F&sort=old")
    assert f"1 of {n}" in markup(page) and page.button(key="case-prev").disabled
    page.button(key="case-next").click().run()
    assert stays_on(page) == {str(second)} and f"2 of {n}" in markup(page)
    assert page.query_params["list"] == "sex=F&sort=old"
    page = opened(run=RUN, stay=last, list="sex=F&sort=old")
    assert f"{n} of {n}" in markup(page) and page.button(key="case-next").disabled


def test_a_link_with_a_list_that_cannot_be_read_leafs_through_nobody(store: Store, case_store: CaseStore) -> None:
    page = opened(run=RUN, stay=case_store.cohort[3], list="name=<b>John</b>")
    assert not page.exception and stays_on(page) == {str(case_store.cohort[3])}
    assert "list cannot be read" in sentences(page) and "John" not in sentences(page) + markup(page)
    assert page.button(key="case-next").disabled and page.button(key="case-prev").disabled


def test_a_store_without_a_run_still_shows_the_course(
    case_store: CaseStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = sqlite3.connect(case_store.home / "cohort.db")
    copy = sqlite3.connect(tmp_path / "cohort.db")
    source.backup(copy)
    for table in ("input_effect", "branch_value", "level_score", "level_choice", "calibration", "prediction", "run"):
        copy.execute(f"DELETE FROM {table}")
    copy.commit()
    copy.close()
    source.close()
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path))
    st.cache_resource.clear()
    st.cache_data.clear()
    page = opened(stay=case_store.test_stay)
    assert not page.exception
    assert "no model has been fitted yet" in sentences(page)
    assert stays_on(page) == {str(case_store.test_stay)}
