"""Panels that ask the model, in a browser: what-if and its Reset, similar stays, other baselines of the waterfall."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import ROOT, chromium_browser, find_chromium, identities, idle, streamlit_server
from playwright.sync_api import Page, expect
from sklearn.neighbors import NearestNeighbors

from cohort_db import read, read_results
from cohort_db.store import Store
from dashboard.neighbours import FUSED, standardised

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
SLOW_MS = 120_000  # the worker's first answer loads torch


@pytest.fixture(scope="module")
def url(demo_home: Path) -> Iterator[str]:
    with streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(demo_home)}) as served, chromium_browser():
        yield served


def some_case(store: Store) -> tuple[int, str, float]:
    """(stay, run, stored probability) of a stay whose ECG was read."""
    run_id = read_results.newest_run(store)
    found = read_results.predictions(store, run_id)
    row = found[found["path"] == "both"].iloc[1]
    return int(row["stay_id"]), run_id, float(row["p"])


def opened(page: Page, url: str, stay: int, **query: str) -> Page:
    asked = "&".join([f"stay={stay}", *(f"{name}={value.replace(' ', '+')}" for name, value in query.items())])
    page.goto(f"{url}/case?{asked}")
    idle(page, 120)
    return page


def choose(page: Page, label: str, option: str) -> None:
    """The option is chosen; a list that a rerun closed again is opened once more."""
    wanted = page.get_by_role("option", name=option)
    for _ in range(5):
        page.get_by_role("combobox", name=label).click()
        page.wait_for_timeout(1000)
        if wanted.count():
            break
    wanted.click()
    idle(page)


def told(page: Page) -> str:
    return page.get_by_test_id("what-if").inner_text()


def test_what_if_tells_the_change_refuses_the_implausible_and_resets_exactly(
    page: Page, url: str, demo_store: Store
) -> None:
    stay, run_id, p = some_case(demo_store)
    opened(page, url, stay, depth="What if")
    expect(page.get_by_test_id("what-if")).to_contain_text("As stored", timeout=SLOW_MS)
    before = told(page)
    assert f"{p:.2f}" in before

    page.get_by_text("Without the ECG").click()
    idle(page)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.get_by_test_id("what-if")).to_contain_text("fitted without an ECG", timeout=SLOW_MS)
    page.get_by_role("button", name="Reset").click()
    idle(page, 120)
    expect(page.get_by_test_id("what-if")).to_have_text(before, timeout=SLOW_MS)

    page.get_by_label("Change the last value of").click()
    page.get_by_role("option", name="Heart rate", exact=True).click()
    page.keyboard.press("Escape")
    idle(page)
    box = page.get_by_label(re.compile("^Heart rate .*observed"))
    box.fill("290")
    box.press("Enter")
    idle(page)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.get_by_text("is outside what was observed")).to_be_visible(timeout=SLOW_MS)

    low, high = map(float, re.findall(r"observed (\d+) to (\d+)", box.get_attribute("aria-label") or "")[0])
    box.fill(f"{(low + high) / 2:.0f}")
    box.press("Enter")
    idle(page)
    page.get_by_role("button", name="Ask the model").click()
    expect(page.get_by_test_id("what-if")).to_contain_text(f"{p:.2f} becomes", timeout=SLOW_MS)
    expect(page.locator(".st-key-what-if-chart")).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    idle(page, 120)
    expect(page.get_by_test_id("what-if")).to_have_text(before, timeout=SLOW_MS)
    assert identities(page) == {(str(stay), run_id)}


def test_similar_stays_are_those_of_brute_force_and_one_stands_beside_under_its_own_name(
    page: Page, url: str, demo_store: Store
) -> None:
    stay, run_id, _ = some_case(demo_store)
    opened(page, url, stay, depth="Similar stays")
    shown = page.get_by_test_id("similar-stays").locator("tbody th")
    expect(shown).to_have_count(10)
    found = read_results.predictions(demo_store, run_id)
    found = found[found["path"] == "both"].reset_index(drop=True)
    rows = [read_results.array_row(demo_store, run_id, "embedding", int(row)) for row in found["array_row"]]
    vectors = standardised(np.stack(rows))
    own = int(found.index[found["stay_id"] == stay][0])
    at = NearestNeighbors(n_neighbors=11).fit(vectors).kneighbors(vectors[own : own + 1], return_distance=False)[0]
    expected = [str(found["stay_id"].iloc[row]) for row in at if row != own]
    assert shown.all_inner_texts() == expected, FUSED
    subjects = read.samples(demo_store).set_index("stay_id")["subject_id"]
    for name, row in zip(expected, page.get_by_test_id("similar-stays").locator("tbody tr").all(), strict=True):
        same = subjects[int(name)] == subjects[stay]
        assert ("same patient" in row.inner_text()) == same

    idle(page)
    choose(page, "Beside this patient", f"Stay {expected[0]}")
    expect(page.locator(".case-other-head")).to_contain_text(f"Other patient · Stay {expected[0]}")
    expect(page.get_by_test_id("last-values")).to_contain_text(f"This stay {stay}")
    idle(page)
    assert identities(page) == {(str(stay), run_id), (expected[0], run_id)}
    # The next patient takes the one beside away.
    page.locator(".st-key-case-next button").click()
    expect(page.locator(".case-other-head")).to_have_count(0)


def test_another_baseline_changes_the_base_and_keeps_the_sum(page: Page, url: str, demo_store: Store) -> None:
    run_id = read_results.newest_run(demo_store)
    found = read_results.predictions(demo_store, run_id)
    groups = read.disease_groups(demo_store).merge(found[found["path"] == "both"], on="sample_id")
    usable = groups[groups["split"].isin(["cal", "test"])]["disease_group"].value_counts()
    group = str(usable.index[0])
    stay = int(groups.loc[groups["disease_group"] == group, "stay_id"].iloc[0])
    total = float(found.loc[found["stay_id"] == stay, "logit"].iloc[0])
    base_names = []
    for against in ("cohort", group):
        opened(page, url, stay, steps="levels", against=against)
        if against != "cohort":
            said = page.get_by_text(re.compile(rf"Against \d+ other stays with {group}|Not estimable against {group}"))
            expect(said).to_be_visible(timeout=SLOW_MS)
        words = page.get_by_test_id("waterfall-sum").first.text_content() or ""
        numbers = [float(one.replace("−", "-").replace(" ", "")) for one in re.findall(r"[−+]? ?\d+\.\d+", words)]
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.003)
        assert numbers[-1] == pytest.approx(total, abs=0.001)
        base_names.append(page.locator(".st-key-case-waterfall .ytick").first.text_content())
    # The small run of the tests may say the same of everybody: that the base's number moves, `test_what_if` holds.
    assert base_names == ["Model's mean", group if usable.iloc[0] > 10 else "Model's mean"]
