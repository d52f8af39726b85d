"""The page that compares two runs: what is compared, what is left out, and numbers that plain SQL and scipy confirm."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from compare_support import ELSEWHERE, IN_SAMPLE, OTHER, OTHER_THRESHOLD, UNSCORED, CompareStore, compare_store
from pages_support import RUN, THRESHOLD, PagesStores, open_page, pages_stores, said
from sklearn.metrics import brier_score_loss, roc_auc_score
from streamlit.testing.v1 import AppTest

from cohort_db import read_analysis, read_run_pairs
from dashboard import compare_runs
from dashboard.compare_churn import MOVES, moved_most
from dashboard.compare_slices import groups_of
from dashboard.compare_words import equals, gap, p_words, signed_3, who_is_better
from dashboard.threshold_paths import UNTUNED
from lemof_core.evaluation.delong import delong

__all__ = ["compare_store", "pages_stores"]


@pytest.fixture
def page(compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return opened(compare_store, monkeypatch)


def opened(store: CompareStore, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    return open_page("compare", store.home, monkeypatch, **({"a": RUN, "b": OTHER} | query))


def metrics(app: AppTest) -> dict[str, list[str]]:
    """Metric -> the cells of its row: difference, verdict, A, B."""
    return {row[0]: row[1:] for row in _rows(app, "compare-metrics")}


def churn(app: AppTest) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in _rows(app, "compare-churn")}


def _rows(app: AppTest, testid: str) -> list[list[str]]:
    bodies = [str(one.proto.body) for one in app.get("html")]
    (table,) = (body for body in bodies if body.startswith(f'<div data-testid="{testid}"'))
    body = table.split("<tbody>")[1]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>") if "<t" in row]


def number(cell: str) -> float:
    return float(cell.split(" [")[0].replace("−", "-"))


def alarms(both: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The verdicts of both runs at their tuned thresholds; RUN has none of its own without an ECG."""
    cut = np.where(both["path_a"] == "both", THRESHOLD, UNTUNED)
    return (both["p_a"] >= cut).to_numpy(), (both["p_b"] >= OTHER_THRESHOLD).to_numpy()


def test_the_numbers_are_those_of_the_shared_samples(compare_store: CompareStore, page: AppTest) -> None:
    both = compare_store.both()
    y = both["label"].to_numpy()
    assert not page.exception
    assert not set(both["sample_id"]) & {*compare_store.moved, *compare_store.unscored}
    found = metrics(page)
    for name, of in (("AUROC", roc_auc_score), ("Brier score", brier_score_loss)):
        first, second = of(y, both["p_a"]), of(y, both["p_b"])
        assert number(found[name][0]) == pytest.approx(first - second, abs=6e-4)
        assert [number(cell) for cell in found[name][2:]] == pytest.approx([first, second], abs=6e-3)
    test = delong(y, both["p_a"].to_numpy(), both["p_b"].to_numpy())
    assert test is not None
    assert f"p {equals(test.p)}" in page.subheader[0].value
    assert f"n = {len(both)}, {y.sum()} long" in said(page)


def test_what_is_left_out_is_counted(page: AppTest) -> None:
    assert "Left out: 2 stays of A's test split that B has in train; 1 stay of A's test split" in said(page)
    assert "that B has not scored" in said(page)


def test_the_changed_verdicts_are_those_of_sql(compare_store: CompareStore, page: AppTest) -> None:
    both = compare_store.both()
    first, second = alarms(both)
    for group, of in (("Long stays", both["label"] == 1), ("Other stays", both["label"] == 0)):
        counts = [(first & second), (first & ~second), (~first & second), (~first & ~second)]
        wanted = [int(of.sum()), *(int((one & of).sum()) for one in counts)]
        assert [int(cell) for cell in churn(page)[group][:5]] == wanted
    # The NRI's component of the long stays is the difference of the sensitivities, in the table above too.
    assert churn(page)["Long stays"][5] == metrics(page)["Sensitivity"][0]
    assert churn(page)["Other stays"][5] == metrics(page)["Specificity"][0]


def test_swapping_the_runs_flips_every_sign(compare_store: CompareStore, page: AppTest) -> None:
    forth = {name: number(row[0]) for name, row in metrics(page).items()}
    gains = {name: number(row[5]) for name, row in churn(page).items()}
    groups = page.dataframe[1].value.set_index(["Kind", "Group"])["A − B"].map(number)
    page.button("compare-swap").click().run()
    assert (page.query_params["a"], page.query_params["b"]) == (OTHER, RUN)
    assert page.selectbox("compare_a").value == OTHER
    assert {name: number(row[0]) for name, row in metrics(page).items()} == {k: -v for k, v in forth.items()}
    assert {name: number(row[5]) for name, row in churn(page).items()} == {k: -v for k, v in gains.items()}
    swapped = page.dataframe[1].value.set_index(["Kind", "Group"])["A − B"].map(number)
    assert len(groups) >= 2 and all(groups)
    pd.testing.assert_series_equal(swapped.sort_index(), -groups.sort_index(), check_exact=True)


def test_without_deaths_they_are_left_out(compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    both = compare_store.both()
    app = opened(compare_store, monkeypatch, without_deaths="true")
    n = int((both["died_before_cut"] == 0).sum())
    assert n < len(both)
    assert f"n = {n}, {int(both['label'].sum())} long" in said(app)


def test_one_threshold_for_both_is_used_for_both(compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    both = compare_store.both()
    app = opened(compare_store, monkeypatch, alarms_at="one for both", cut="0.3")
    alarm = [(both[name] >= 0.3).mean() for name in ("p_a", "p_b")]
    assert [number(cell) for cell in metrics(app)["Share with an alarm"][2:]] == pytest.approx(alarm, abs=6e-3)
    assert "Net benefit: both runs at 0.30" in said(app)


@pytest.mark.parametrize("move", list(MOVES))
def test_the_list_holds_what_moved_most(
    move: str, compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = compare_store.both()
    long, (first, second) = both["label"].to_numpy() == 1, alarms(both)
    right = {"a": (first == long) & (second != long), "b": (first != long) & (second == long)}
    keep = {"any": np.ones(len(both), dtype=bool), "verdict": first != second, **right}[move]
    some = both[keep].assign(size=lambda rows: (rows["p_a"] - rows["p_b"]).abs())
    wanted = some.sort_values(["size", "stay_id"], ascending=[False, True]).head(50)
    app = opened(compare_store, monkeypatch, moved=MOVES[move])
    shown = app.dataframe[0].value
    assert shown["Stay"].tolist() == [f"case?stay={stay}&run={RUN}" for stay in wanted["stay_id"]]
    assert shown["Under B"].tolist() == [f"case?stay={stay}&run={OTHER}" for stay in wanted["stay_id"]]
    assert shown["p of A"].tolist() == wanted["p_a"].tolist() and shown["p of B"].tolist() == wanted["p_b"].tolist()


def test_a_chosen_row_shows_that_stay_under_both_runs(compare_store: CompareStore, page: AppTest) -> None:
    chosen = page.dataframe[0].value.iloc[2]
    stay = re.search(r"stay=(\d+)", chosen["Stay"])
    assert stay is not None
    app = page
    app.text_input("case").set_value(stay[1]).run()
    both = compare_store.both().set_index("stay_id").loc[int(stay[1])]
    text = said(app)
    assert f"Stay {stay[1]}: A says {both['p_a']:.2f}, B says {both['p_b']:.2f}" in text
    stamped = set(re.findall(r'data-stay="(\d+)" data-run="([^"]+)"', text))
    assert stamped == {(stay[1], RUN), (stay[1], OTHER)}
    assert f'data-testid="p-a">{both["p_a"]:.2f}<' in text and f'data-testid="p-b">{both["p_b"]:.2f}<' in text


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("", "Tick a row above"),
        ("abc", "A stay is a number"),
        ("９", "A stay is a number"),
        ("99999999", "The store holds no ICU stay 99999999"),
        ("30005", "has no prediction of run A and B"),  # left within a day, so it is in no cohort
    ],
)
def test_a_stay_that_cannot_be_shown_says_why(
    case: str, words: str, compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(compare_store, monkeypatch, case=case)
    assert not app.exception
    assert words in said(app)
    assert "data-stay" not in said(app)


# Runs that cannot be compared


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (RUN, "the same run: every difference is 0"),
        (ELSEWHERE, "These runs cannot be compared: A says at 24 h who is still in the ICU after 72 h, B at 24 h"),
        (UNSCORED, f"Run {UNSCORED} has not scored"),
    ],
)
def test_a_sentence_says_why_two_runs_are_not_compared(
    second: str, words: str, compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(compare_store, monkeypatch, b=second)
    assert not app.exception
    assert words in said(app)
    assert "AUROC" not in said(app)


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_link_to_an_unknown_run_shows_no_other(
    side: str, compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(compare_store, monkeypatch, **{side: "nobody"})
    assert "nobody" in app.error[0].value
    assert "AUROC" not in said(app)


def test_by_default_the_newest_other_run_that_has_scored_is_beside_the_selected_one(
    compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("compare", compare_store.home, monkeypatch, run=RUN)
    assert {side: str(app.query_params[side]) for side in "ab"} == {"a": RUN, "b": OTHER}
    assert app.selectbox("compare_b").options[0].split(" · ")[1:3] == ["seed 0", "lemof robust"]


@pytest.mark.parametrize(
    ("state", "words"), [("no run", "lemof train"), ("full", "Train a second run"), ("not scored", "second run")]
)
def test_with_fewer_than_two_runs_it_says_what_to_do(
    state: str, words: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("compare", pages_stores.home[state], monkeypatch)
    assert not app.exception
    assert app.title[0].value == "Compare runs"
    assert words in said(app) and "AUROC" not in said(app)


def test_runs_without_a_shared_stay_say_so(compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(compare_store, monkeypatch, b=IN_SAMPLE)
    assert not app.exception
    assert "A and B share no stay of the test split" in said(app)
    assert "AUROC" not in said(app)


def test_a_split_that_taught_a_run_stands_under_a_banner(
    compare_store: CompareStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "in-sample-banner" not in said(opened(compare_store, monkeypatch))
    app = opened(compare_store, monkeypatch, part="train")
    n = len(compare_store.both("train"))
    assert "in-sample-banner" in said(app) and f"train split · n = {n}" in said(app)


# What the page is made of


def test_shared_splits_are_counted_as_by_hand(compare_store: CompareStore) -> None:
    store = compare_store.store()
    found = read_run_pairs.shared_splits(store, RUN, OTHER)
    counts = {(split, other): n for split, other, n in found.itertuples(index=False)}
    assert counts["test", "train"] == len(compare_store.moved)
    assert counts["test", None] == len(compare_store.unscored)
    assert counts["test", "test"] == len(compare_store.both())
    with store.reading() as conn:
        known = "select count(*) from prediction join sample using (sample_id) where run_id = ? and label is not null"
        assert found["n"].sum() == conn.exec_driver_sql(known, (RUN,)).scalar()
    assert read_run_pairs.shared_splits(store, "nobody", RUN).empty
    assert set(read_run_pairs.shared_splits(store, RUN, "nobody")["other_split"]) == {None}
    store.close()


def test_the_groups_are_the_standard_ones(compare_store: CompareStore) -> None:
    frame = read_analysis.analysed(compare_store.store(), RUN)
    groups = groups_of(frame)
    merged = groups_of(frame.rename(columns={"path": "path_a"}))  # two runs may read different paths of a stay
    assert list(merged) == list(groups)
    assert {kind for kind, _ in groups} == {"sex", "age", "race", "unit", "quality", "disease"}
    for kind in ("sex", "age", "race", "unit", "quality"):
        of_kind = np.stack([of for (one, _), of in groups.items() if one == kind])
        assert (of_kind.sum(0) == 1).all(), "everybody is in one group of a kind"
    for (kind, name), of in groups.items():
        assert of.any()
        if kind == "disease":
            assert of.tolist() == [name in text.split(", ") for text in frame["diseases"].astype(str)]
    assert groups_of(frame.head(0)) == {}


def test_ties_at_the_edge_of_the_list_go_by_stay() -> None:
    n = 60
    frame = pd.DataFrame({"stay_id": np.arange(n)[::-1], "p_a": 0.7, "p_b": 0.2, "label": 1, "alarm_a": True})
    frame["alarm_b"] = False
    assert moved_most(frame, "any", 5)["stay_id"].tolist() == [0, 1, 2, 3, 4]
    assert moved_most(frame, "b").empty


@pytest.mark.parametrize(
    ("value", "words"), [(0.0124, "+0.012"), (-0.5, "−0.500"), (-0.0001, "0.000"), (0.0, "0.000"), (12, "+12.000")]
)
def test_differences_carry_a_true_sign(value: float, words: str) -> None:
    assert signed_3(value) == words


def test_words_for_differences_and_p() -> None:
    assert gap(-0.01, -0.02, 0.001) == "−0.010 [−0.020 to +0.001]"
    assert gap(0.0, None, None) == "0.000"
    assert gap(None, None, None, "not estimable, n = 3") == "not estimable, n = 3"
    assert [p_words(p) for p in (None, 0.00001, 0.0123, 0.5, 1.0)] == ["–", "<0.001", "0.012", "0.50", "1.00"]
    assert [equals(p) for p in (0.00001, 0.5)] == ["< 0.001", "= 0.50"]
    assert who_is_better("auroc", 0.1, 0.2) == "A better" and who_is_better("brier", 0.1, 0.2) == "B better"
    assert who_is_better("cal_slope", 0.1, 0.2) == "they differ" and who_is_better("auroc", -0.1, 0.2) == "not clear"
    assert who_is_better("acc", 0.1, 0.2, 0.04) == "A better" and who_is_better("acc", 0.1, 0.2, 0.06) == "not clear"


def test_who_is_left_out_needs_no_sentence_where_nobody_is() -> None:
    shared = pd.DataFrame({"split": ["test"], "other_split": ["test"], "n": [9]})
    assert compare_runs.left_out_words(shared, shared, "test") == ""
