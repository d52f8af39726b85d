"""The paper's printed numbers: complete, with the means and ranks that the paper and an independent count give."""

from __future__ import annotations

import pandas as pd
import pytest
from methods_support import DISEASES, PAIRS

from cohort_db.disease_groups import disease_groups
from dashboard import published
from dashboard.method_scores import printed, ranks
from dashboard.method_words import AS_PRINTED, RANKED, SOURCES
from dashboard.wording import Definition

# (ACC, AUROC) over the 20 rows, computed by hand from the printed table.
MEANS = {
    "daft": (0.596, 0.633),
    "medfuse": (0.592, 0.636),
    "drfuse": (0.587, 0.636),
    "mmtm": (0.598, 0.639),
    "hyperfusion": (0.586, 0.630),
    "lemof": (0.671, 0.658),
}


def test_table_1_holds_every_pair_once_and_its_means_are_the_papers() -> None:
    table = published.table1()
    assert len(table) == 120 and not table.isna().any(axis=None)
    for column, metric in enumerate(("acc", "auroc")):
        values = printed(table, metric)
        assert values.index.tolist() == ["|".join(pair) for pair in PAIRS], "in the order of the paper"
        assert set(values) == set(RANKED)
        for fusion, means in MEANS.items():
            assert values[fusion].mean() == pytest.approx(means[column], abs=0.00051), (fusion, metric)


def test_table_1s_best_and_worst_rows_are_as_printed() -> None:
    acc, auroc = (printed(published.table1(), metric) for metric in ("acc", "auroc"))
    assert (acc.loc["wavenet|ft_transformer", "lemof"], auroc.loc["wavenet|ft_transformer", "lemof"]) == (0.689, 0.692)
    assert (acc.loc["resnet|tabnet", "drfuse"], auroc.loc["resnet|tabnet", "hyperfusion"]) == (0.468, 0.536)
    assert (acc.idxmax(axis=1) == "lemof").all(), "LeMoF is first in accuracy in all 20 rows"
    first = auroc.rank(axis=1, ascending=False)["lemof"]
    assert (first == 1).sum() == 16
    assert set(first.index[first == 6]) == {f"{ecg}|tpc" for ecg in ("baseline", "lstm", "resnet", "wavenet")}


@pytest.mark.parametrize("table", ["table1", "table2_3"])
def test_recomputed_mean_ranks_are_the_printed_ones_but_for_ties(table: str) -> None:
    frame = published.table1() if table == "table1" else published.tables_2_3()
    for metric, known in published.source()["printed_mean_ranks"][table].items():
        found = ranks(printed(frame, metric)).mean()
        assert set(found.index) == set(known)
        for name, rank in known.items():
            assert found[name] == pytest.approx(rank, abs=0.31), (metric, name)
    if table == "table1":
        assert ranks(printed(frame, "acc"))["lemof"].mean() == 1.0
        assert ranks(printed(frame, "auroc"))["lemof"].mean() == 2.0
        assert ranks(printed(frame, "acc"))["daft"].mean() == pytest.approx(3.70)


def test_ties_share_their_mean_rank() -> None:
    values = pd.DataFrame([[0.7, 0.7, 0.6], [0.5, 0.6, 0.7]], columns=list("abc"))
    assert ranks(values).to_numpy().tolist() == [[1.5, 1.5, 3.0], [3.0, 2.0, 1.0]]


def test_tables_2_and_3_are_of_our_disease_groups_and_keep_the_misprint() -> None:
    table = published.tables_2_3()
    assert len(table) == 50 and not table.isna().any(axis=None)
    assert set(table["disease"]) == set(disease_groups()) == set(DISEASES)
    assert set(table["source"]) == set(SOURCES)
    acc, f1 = printed(table, "acc"), printed(table, "f1_macro")
    assert (acc.loc["kidney failure", "lemof"], acc.loc["kidney failure", "ehr_only"]) == (0.665, 0.573)
    gains = (acc["lemof"] - acc["ehr_only"]).drop("kidney failure")
    assert gains.max() == pytest.approx(0.008) and gains.min() == pytest.approx(-0.001)
    # An answer that is always the commoner class, of share p, has macro-F1 p / (1 + p): nearly the ECG's of diabetes.
    assert f1.loc["diabetes", "ecg_only"] == pytest.approx(0.648 / 1.648, abs=0.002)


def test_what_differs_names_the_hours_of_the_store_and_no_others() -> None:
    table = published.what_differs(Definition(48, 120))
    text = " ".join(table["here"])
    assert "48 h" in text and "120 h" in text and "72 h" not in text and "$" not in text
    assert {"Data", "Label and cut", "Landmark", "Splits", "Threshold"} <= set(table["topic"])


def test_every_oddity_belongs_to_a_metric_that_is_printed() -> None:
    for one in published.source()["oddities"]:
        assert set(one["metrics"]) <= set(AS_PRINTED.values())
        assert one["text"] in published.oddities(one["table"], one["metrics"][0])
