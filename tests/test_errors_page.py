"""The page of errors at every state: what it counts, what a link restores, and why there is nothing to see."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from errors_support import PLANTED, errors_home
from pages_support import RUN, STATES, PagesStores, open_page, pages_stores, said
from streamlit.testing.v1 import AppTest

from cohort_db import read_analysis
from cohort_db.store import open_store
from dashboard.charts.error_grid import error_grid
from dashboard.charts.modality_scatter import MOST_POINTS, modality_scatter
from dashboard.wording import care_unit
from lemof_core.evaluation.disagreement import voices_of
from lemof_core.evaluation.facts import facts_of

__all__ = ["errors_home", "pages_stores"]
PANELS = ("Slices", "Error tree", "Two factors", "Disagreement", "Largest errors")
ERRORS = ("Log loss", "Missed long stays")  # over everybody, and over some


@pytest.fixture
def shown(errors_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Opens the page on the planted store with these parameters."""
    yield lambda **query: open_page("errors", errors_home, monkeypatch, **query)


def stays(app: AppTest, number: int = -1) -> list[int]:
    """The stays of a list of cases, in order."""
    return [int(re.findall(r"stay=(\d+)", link)[0]) for link in app.dataframe[number].value["Stay"]]


@pytest.mark.parametrize("state", STATES)
def test_the_page_runs_at_every_state(state: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page("errors", pages_stores.home[state], monkeypatch)
    assert [one.value for one in app.exception] == []
    text = said(app)
    assert app.title[0].value == "Errors" and "Research use only" in text
    wanted = {"no run": "lemof train", "not scored": "lemof score"}
    assert wanted.get(state, "No slice can be looked for") in text, "what is missing is said"
    assert ("provenance" in text) == (state not in wanted)


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("error", ERRORS)
def test_every_panel_counts_every_error(panel: str, error: str, shown: object) -> None:
    app = shown(panel=panel, error=error)  # type: ignore[operator]
    assert [one.value for one in app.exception] == []
    assert "test split" in said(app) and len(app.dataframe) >= 1
    others = set(PANELS) - {panel}
    assert not [name for name in others if _title_of(name) in said(app)], "the other panels are not computed"


def _title_of(panel: str) -> str:
    return {
        "Error tree": "chose the splits",
        "Disagreement": "Who was right",
        "Slices": "which the largest of all",
    }.get(panel, "\0")


def test_the_planted_slice_comes_first_and_its_cases_are_those_of_sql(shown: object, errors_home: Path) -> None:
    app = shown(group=",".join(PLANTED), fewest="10")  # type: ignore[operator]
    table = app.dataframe[0].value
    assert table["Slice"][0] == "women, CCU"
    wanted = sqlite3.connect(errors_home / "cohort.db").execute(
        "SELECT stay.stay_id, -ln(CASE label WHEN 1 THEN p ELSE 1 - p END) FROM prediction JOIN sample USING "
        "(sample_id) JOIN stay USING (stay_id) JOIN subject ON subject.subject_id = stay.subject_id WHERE run_id = ? "
        "AND sex = 'F' AND first_careunit LIKE '%(CCU)' ORDER BY 2 DESC, 1",
        (RUN,),
    )
    rows = wanted.fetchall()
    assert table["n"][0] == len(rows)
    assert table["Error"][0] == pytest.approx(np.mean([loss for _, loss in rows]), abs=1e-6)
    assert set(stays(app)) == {stay for stay, _ in rows[:50]}
    assert all(f"run={RUN}" in link for link in app.dataframe[-1].value["Stay"])
    assert f"women, CCU: {len(rows)} stays" in said(app)


def test_the_largest_errors_are_listed_from_the_largest_on(shown: object) -> None:
    table = shown(panel="Largest errors").dataframe[-1].value  # type: ignore[operator]
    losses = table["Log loss"].to_numpy()
    assert (np.diff(losses) <= 0).all() and len(table) == 50
    p, long = table["p"].to_numpy(), (table["Outcome"] == "long").to_numpy()
    np.testing.assert_allclose(losses, -np.log(np.where(long, p, 1 - p)))


def test_ecg_right_and_whole_model_wrong_gives_exactly_those_stays(shown: object, errors_home: Path) -> None:
    app = shown(panel="Disagreement", group="right:ecg,wrong:fused", at="0.5")  # type: ignore[operator]
    frame = read_analysis.analysed(open_store(f"sqlite:///{errors_home}/cohort.db"), RUN, "test")
    both = frame[frame["path"] == "both"]
    right = voices_of(both, (both["p"] >= 0.5).to_numpy()).right(both["label"].to_numpy())
    wanted = both.loc[right[:, 1] & ~right[:, 0], "stay_id"]
    assert set(stays(app)) == set(wanted) and len(wanted) > 2
    told = app.dataframe[0].value
    chosen = told[(told["ECG alone"] == "right") & (told["Whole model"] == "wrong")]
    assert chosen["n"].sum() == len(wanted)
    apart = app.dataframe[-1].value["ECG vs EHR"].str.replace("−", "-").astype(float).abs()
    assert (apart.diff().dropna() <= 0.011).all(), "the furthest apart come first, to two digits"


def test_patients_that_taught_the_run_are_looked_at_under_a_banner(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("errors", pages_stores.home["full"], monkeypatch)
    assert "in-sample-banner" not in said(app)
    app = open_page("errors", pages_stores.home["full"], monkeypatch, part="train")
    assert "in-sample-banner" in said(app) and "train split" in said(app)


def test_the_threshold_of_a_link_counts(shown: object) -> None:
    every = shown(error="False alarms", panel="Largest errors", at="0", at_ehr="0")  # type: ignore[operator]
    assert "Alarm at p ≥ 0.00" in said(every) and "False alarms 1.00 [0.9" in said(every)
    none = shown(error="False alarms", panel="Slices", at="1", at_ehr="1")  # type: ignore[operator]
    assert "False alarms: 0.00 for every one of the" in said(none), "where nobody is wrong no group is worse"


def test_a_link_to_an_unknown_group_says_so_and_leads_back(shown: object) -> None:
    app = shown(group="sex:X")  # type: ignore[operator]
    assert "by a fact that none of these stays has" in said(app)
    app.button(key="group-unknown").click().run()
    assert "by a fact that none" not in said(app) and "All stays:" in said(app)


def test_an_empty_group_is_said_to_be_empty(shown: object) -> None:
    assert "No stay is in this group" in said(shown(group="sex:F,sex:M"))  # type: ignore[operator]


def test_a_search_without_facts_says_what_to_do(shown: object) -> None:
    app = shown()  # type: ignore[operator]
    app.button_group(key="facts").set_value([]).run()
    assert "add kinds of facts" in said(app) and not app.exception


@pytest.mark.parametrize(("down", "across"), [("Sex", "Sex"), ("Sex", "Disease group")])
def test_factors_are_crossed_with_another_one(down: str, across: str, shown: object) -> None:
    text = said(shown(panel="Two factors", down=down, across=across))  # type: ignore[operator]
    assert ("The same factor twice" in text) == (down == across)
    assert ("is highest" in text) == (down != across)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE prediction SET path = 'ehr'", "No stay has both an ECG and a health record"),
        ("DELETE FROM branch_value", "This run does not store what each modality says"),
    ],
)
def test_a_run_that_cannot_be_parted_says_so(
    change: str, says: str, errors_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cohort.db"
    source = sqlite3.connect(errors_home / "cohort.db")
    with sqlite3.connect(target) as copy:
        source.backup(copy)
        copy.execute(change)
    app = open_page("errors", tmp_path, monkeypatch, panel="Disagreement")
    assert not app.exception and says in said(app)


# Charts


def test_a_cell_says_its_error_and_n_and_hides_what_is_small() -> None:
    error, n = np.array([[0.5, np.nan], [np.nan, 0.75]]), np.array([[12, 3], [0, 40]])
    texts = [["a", "b"], ["c", "d"]]
    figure = error_grid(error, n, texts, ["women", "<men>"], ["MICU", "CCU"], chosen=(1, 1))
    written = [note.text for note in figure.layout.annotations]
    assert written == ["0.50<br>n = 12", "n < 10", "n = 0", "0.75<br>n = 40"]
    assert figure.data[1].customdata == ([0, 0], [0, 1], [1, 0], [1, 1])
    assert figure.layout.shapes[0].x0 == 0.5 and "<men>" not in str(figure.layout.yaxis.ticktext)


def test_the_scatter_sends_a_bounded_number_of_points_and_pales_the_others() -> None:
    rng = np.random.default_rng(0)
    n = 5 * MOST_POINTS
    y, inside = rng.integers(2, size=n), rng.uniform(size=n) < 0.1
    figure = modality_scatter(rng.normal(size=n), rng.normal(size=n), y, np.arange(n), (0.1, np.nan), inside=inside)
    assert sum(len(trace.x) for trace in figure.data) == MOST_POINTS
    for outcome, trace in enumerate(figure.data):
        ids = np.asarray(trace.customdata)
        assert (y[ids] == outcome).all()
        np.testing.assert_array_equal(np.asarray(trace.marker.opacity) > 0.5, inside[ids])
    assert len(figure.layout.shapes) == 1, "a voice without alarms has no cut"


def test_the_planted_facts_are_facts_of_the_store(errors_home: Path) -> None:
    frame = read_analysis.analysed(open_store(f"sqlite:///{errors_home}/cohort.db"), RUN, "test")
    facts = facts_of(frame.assign(unit=frame["unit"].map(care_unit)))
    assert 10 <= facts.members(PLANTED).sum() < len(frame) / 2
