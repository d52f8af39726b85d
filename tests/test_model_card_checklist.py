"""The model card's checklists: numbers are the store's, what is unknown is a gap, and the JSON keeps its schema."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections.abc import Iterator
from string import Template
from typing import Any

import jsonschema
import pytest
from pages_support import RUN, THRESHOLD, PagesStores, open_page, pages_stores, said

from cohort_db import read_results
from cohort_db.data_hash import hash_of_run
from cohort_db.read_people import people
from cohort_db.store import Store
from dashboard import queries_report
from dashboard.model_card_checklist import FOLDER, GAP, NAMES, SCHEMA, Checklist, filled
from dashboard.model_card_facts import WANTED, card_facts
from dashboard.model_card_take_along import checklist_table

__all__ = ["pages_stores"]
N_ITEMS = {"tripod_ai": 27, "chai": 38, "hti1": 31}


@pytest.fixture(scope="module")
def full(pages_stores: PagesStores) -> Iterator[Store]:
    store = pages_stores.store("full")
    yield store
    store.close()


@pytest.fixture(scope="module")
def facts(full: Store) -> dict[str, str]:
    return card_facts(full, RUN)


def document(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_list_has_all_its_items_once_and_each_can_be_answered_or_says_what_is_missing(
    name: str, facts: dict[str, str]
) -> None:
    rows = document(name)["items"]
    assert len(rows) == N_ITEMS[name] == len({row["id"] for row in rows})
    for row in rows:
        assert row.keys() <= {"id", "section", "asks", "answer", "missing"}
        assert row.get("answer") or row.get("missing"), row["id"]
        template = Template(row.get("answer", ""))
        assert template.is_valid() and set(template.get_identifiers()) <= facts.keys() | WANTED.keys(), row["id"]


def test_the_numbers_are_the_stores_own(full: Store, facts: dict[str, str], pages_stores: PagesStores) -> None:
    found = read_results.metrics(full, RUN, "test")
    overall = found[(found["source"] == "final") & (found["stratum_kind"] == "all") & (found["deaths"] == "with")]
    one = overall.set_index("name").loc["brier"]
    assert facts["brier"] == f"{one['value']:.2f} [{one['lo']:.2f}–{one['hi']:.2f}] (n = {one['n']})"
    assert facts["n_test"] == f"{one['n']} stays of the test split, {one['events']} long"
    assert f"{THRESHOLD:.3f} with ECG" in facts["thresholds"] and "without" not in facts["thresholds"]
    database = sqlite3.connect(pages_stores.home["full"] / "cohort.db")
    rows = database.execute(
        "select st.age_years, su.sex from sample s join stay st using (stay_id) join subject su "
        "on su.subject_id = s.subject_id where s.task = 'los'"
    ).fetchall()
    women = 100 * sum(sex == "F" for _, sex in rows) / len(rows)
    median = statistics.median(age for age, _ in rows)
    assert f"n = {len(rows)}, median age {median:.0f} " in facts["people"] and f"{women:.0f} % women" in facts["people"]
    assert facts["without_ecg"].startswith(f"{len(rows)} of {len(rows)}"), "the made-up cohort has no ECG"
    assert int(people(full)["n"].sum()) == len(rows) and people(full, "other").empty


@pytest.mark.parametrize("name", NAMES)
def test_without_a_fact_every_item_that_needs_it_is_a_gap_that_says_so(name: str, facts: dict[str, str]) -> None:
    for gone in WANTED:
        some = {key: value for key, value in facts.items() if key != gone}
        for row, item in zip(document(name)["items"], filled(name, some).items, strict=True):
            needs = gone in Template(row.get("answer", "")).get_identifiers()
            assert not needs or (item.status == GAP and WANTED[gone] in item.missing), (gone, item.id)


@pytest.mark.parametrize("state", ["not scored", "not evaluated", "full"])
def test_nothing_is_left_unfilled_and_every_item_has_a_status(pages_stores: PagesStores, state: str) -> None:
    store = pages_stores.store(state)
    known = card_facts(store, RUN)
    for name in NAMES:
        one = filled(name, known)
        assert sum(one.n(status) for status in ("answered", "partly", "gap")) == N_ITEMS[name]
        assert not [item.id for item in one.items if "$" in item.answer + item.missing or "nan" in item.answer.split()]
    gaps = filled("tripod_ai", known).n(GAP)
    assert gaps == 1 if state == "full" else gaps > 3
    store.close()


def test_external_validation_is_not_provided_unless_recorded_patients_took_no_part(facts: dict[str, str]) -> None:
    assert "external" not in facts
    item = next(one for one in filled("hti1", facts).items if one.id == "6.1")
    assert item.status == GAP and "an external validation" in item.missing
    item = next(one for one in filled("hti1", facts | {"external": "AUROC 0.6, n = 85."}).items if one.id == "6.1")
    assert item.status == "partly" and item.answer == "AUROC 0.6, n = 85."


def test_only_gaps_are_left_on_demand(facts: dict[str, str]) -> None:
    chosen = filled("chai", facts)
    table = checklist_table(chosen, only_gaps=True)
    assert len(table) == chosen.n("partly") + chosen.n(GAP) < len(checklist_table(chosen)) == 38
    assert (table["Not provided"] != "").all()
    assert checklist_table(Checklist("a", "A", "", []), only_gaps=True).empty


@pytest.mark.parametrize("state", ["not scored", "full"])
def test_the_card_as_json_keeps_its_schema_and_says_what_the_store_says(
    pages_stores: PagesStores, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pages_stores.store(state)
    card = json.loads(queries_report.card_json(store.url, f"test {state}", RUN))
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(card, schema)
    assert card["data_hash"] == hash_of_run(store, RUN) and card["run_id"] == RUN
    found = read_results.metrics(store, RUN, "test")
    overall = found[(found["source"] == "final") & (found["stratum_kind"] == "all")]
    assert len(card["performance"]) == len(overall)
    told = {(row["name"], row["deaths"]): row["value"] for row in card["performance"]}
    for row in overall.itertuples():
        assert told[(row.name, row.deaths)] == (None if row.value != row.value else row.value)
    card["checklists"]["hti1"]["items"].pop()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(card, schema)
    store.close()


def test_the_page_shows_one_list_with_its_counts_and_the_auroc_of_the_performance_page(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, facts: dict[str, str]
) -> None:
    home = pages_stores.home["full"]
    card = open_page("model_card", home, monkeypatch, checklist="HTI-1", only_gaps="true")
    words = said(card)
    assert not card.exception and filled("hti1", facts).counts in words and "a plan for monitoring" in words
    assert "Intended patients." not in words, "answered, and only gaps were asked for"
    auroc = facts["auroc"].split(" (n")[0]
    assert auroc in words and auroc in said(open_page("performance", home, monkeypatch))


@pytest.mark.parametrize(("state", "offered"), [("not scored", 1), ("full", 3)])
def test_a_report_is_offered_where_there_is_something_to_report(
    pages_stores: PagesStores, state: str, offered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("model_card", pages_stores.home[state], monkeypatch)
    assert not page.exception
    files = [one.proto.label for one in page.get("download_button")]
    assert len([label for label in files if label.startswith(("Report", "Card"))]) == offered
    assert ("lemof evaluate" in said(page)) == (state == "not scored")
