"""The report of a run: its numbers are the stored ones, it names nobody, opens offline, and is the same twice."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages_support import RUN, PagesStores, add_pages_run, pages_stores, score_all
from pdf_support import text_of

from cohort_db import read_analysis, read_results, schema
from cohort_db.data_hash import data_hash, hash_of_run
from cohort_db.errors import InputMistake
from cohort_db.store import Store, open_store
from dashboard.report import figures
from dashboard.report.contents import contents
from dashboard.report.group import group_metrics
from dashboard.report.html_page import html
from dashboard.report.parts import Picture, Report, Section, Table
from dashboard.report.pdf_document import pdf
from dashboard.threshold_paths import tuned_thresholds
from lemof_core.evaluation.metrics import draws_while_waiting
from lemof_core.jobs.cli import main

__all__ = ["pages_stores"]
MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def full(pages_stores: PagesStores) -> Iterator[Store]:
    store = pages_stores.store("full")
    yield store
    store.close()


@pytest.fixture(scope="module")
def report(full: Store) -> Report:
    return contents(full, RUN)


def words_of(report: Report) -> str:
    """Everything that a reader of the HTML file can read, without the drawn lines."""
    return re.sub(r"<style.*?</style>|<path[^>]*>|<use[^>]*>", "", html(report), flags=re.DOTALL)


def test_the_numbers_are_the_stored_ones(full: Store, report: Report) -> None:
    stored = read_results.metrics(full, RUN, "test")
    overall = stored[(stored["source"] == "final") & (stored["stratum_kind"] == "all")].set_index(["name", "deaths"])
    table = next(section.table for section in report.sections if section.title.startswith("AUROC"))
    assert table is not None
    shown = {row[0]: row[1:] for row in table.rows}
    for name, label in (("brier", "Brier"), ("acc_50", "ACC at 0.5")):
        for column, deaths in enumerate(("with", "without")):
            one = overall.loc[(name, deaths)]
            assert shown[label][column].startswith(f"{one['value']:.2f} [{one['lo']:.2f}")
            assert f"n = {one['n']:,}, {one['events']:,} long" in table.columns[column + 1]


def test_a_group_is_measured_as_evaluate_measures_the_split(full: Store) -> None:
    frame = read_analysis.analysed(full, RUN, "test")
    run = read_results.run(full, RUN)
    found = group_metrics(frame, tuned_thresholds(read_results.calibrations(full, RUN)), run["n_by_split"])
    stored = read_results.metrics(full, RUN, "test")
    key = ["source", "stratum_kind", "stratum", "deaths", "name"]
    # The coverage of the sets alone, by path, is no metric of a group.
    wanted = stored[stored["stratum_kind"] != "path"].set_index(key).sort_index()
    pd.testing.assert_frame_equal(
        found.set_index(key).sort_index().drop(columns="note"), wanted.drop(columns="note"), check_dtype=False
    )


def test_a_group_is_reported_under_its_own_name_and_hash(full: Store, report: Report) -> None:
    ids = read_analysis.analysed(full, RUN, "test")["sample_id"].tolist()
    some = contents(full, RUN, sample_ids=[*ids[:12], "los-elsewhere"], title="Odd <b>ones</b>")
    assert "n = 12" in some.subtitle and "names 13 samples" in words_of(some)
    assert "Odd &lt;b&gt;ones" in html(some)
    hashes = [one.facts["Data hash (SHA-256)"] for one in (some, report, contents(full, RUN, sample_ids=ids))]
    assert hashes[0] != hashes[1] == hashes[2]


def test_the_hash_hangs_on_every_outcome_prediction_and_rule_and_not_on_the_order() -> None:
    rows = [("a", 1, 0.25), ("b", 0, 0.5), ("c", None, 0.75)]
    rules = {"task": "los", "cut_hours": 72.0}
    known = data_hash(rules, rows)
    assert known == data_hash(dict(reversed(rules.items())), rows[::-1])
    others = [rows[:2], [("a", 0, 0.25), *rows[1:]], [("a", 1, np.nextafter(0.25, 1)), *rows[1:]], []]
    assert len({known, data_hash(rules | {"cut_hours": 96.0}, rows), *(data_hash(rules, some) for some in others)}) == 6


def test_the_report_names_the_hash_that_the_store_has(full: Store, pages_stores: PagesStores, report: Report) -> None:
    again = open_store(f"sqlite:///{pages_stores.home['full'] / 'cohort.db'}")
    assert report.facts["Data hash (SHA-256)"] == hash_of_run(again, RUN, "test")
    again.close()


def test_it_names_no_patient_and_no_date_of_one(full: Store, report: Report) -> None:
    text = words_of(report) + text_of(pdf(report))
    with full.reading() as conn:
        stays = conn.execute(schema.stay.select()).all()
        samples = conn.execute(schema.sample.select()).all()
    ids = {str(number) for row in stays for number in (row.stay_id, row.subject_id, row.hadm_id)}
    ids |= {row.sample_id for row in samples}
    dates = {f"{moment:%Y-%m-%d}" for row in stays for moment in (row.intime, row.outtime) if moment is not None}
    assert len(ids) > 200 and len(dates) > 100
    assert not ids & set(re.findall(r"[\w-]+", text))
    assert not [day for day in dates if day in text]


def test_the_html_is_one_file_that_asks_for_nothing(report: Report) -> None:
    page = html(report)
    assert len(page.encode()) < MOST_BYTES
    assert not re.search(r"<script|<link|<img|<iframe|@import|@font-face|url\((?!#)", page)
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) <= set(re.findall(r'"(#[^"]+)"', page))
    assert "default-src 'none'" in page and figures.INK not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 20


def test_the_pdf_is_vectors_and_words_that_name_its_origin(report: Report, full: Store) -> None:
    document = pdf(report)
    assert document.startswith(b"%PDF") and len(document) < MOST_BYTES
    assert not re.search(rb"/Subtype ?/Image", document)
    text = text_of(document)
    threshold = read_results.calibrations(full, RUN).set_index("path").loc["both", "threshold"]
    for said in (RUN, report.facts["Data hash (SHA-256)"], f"{threshold:.3f} with ECG", "Research use only"):
        assert said in text
    assert document == pdf(report), "the same report is the same file"


def test_the_same_store_gives_the_same_file(full: Store, report: Report) -> None:
    assert html(contents(full, RUN)) == html(report)


def test_words_of_a_store_are_never_commands() -> None:
    hostile = '<script>alert(1)</script> #import "x" $y$ \\ & "'
    picture = Picture("a", hostile, hostile, figures.forest(rows_of(hostile), name="a", **NO_LINES))
    made = Report(
        hostile,
        hostile,
        [hostile],
        {"Run": hostile, "Data hash (SHA-256)": hostile},
        [Section(hostile, [hostile], [hostile], Table([hostile, "b"], [[hostile, "1"]]), [picture], hostile)],
    )
    assert "<script" not in html(made) and "&lt;script&gt;" in html(made)
    assert text_of(pdf(made)).count("#import") >= 5


NO_LINES: dict[str, object] = {"x_title": "AUROC", "reference": None, "overall": None}


def rows_of(label: str) -> pd.DataFrame:
    row = {"label": label, "value": 0.6, "lo": 0.5, "hi": 0.7, "text": label, "head": False}
    return pd.DataFrame([row, row | {"value": np.nan, "lo": np.nan, "hi": np.nan}])


def test_one_outcome_gives_a_report_without_curves(full: Store) -> None:
    frame = read_analysis.analysed(full, RUN, "test")
    stayed = frame.loc[frame["label"] == 1, "sample_id"].tolist()
    made = contents(full, RUN, sample_ids=stayed)
    curves = next(section for section in made.sections if section.title.startswith("Ranking"))
    assert "both outcomes" in curves.text[0] and not curves.pictures
    assert f"n = {len(stayed)}" in curves.text[0] and pdf(made)


def test_small_groups_are_counted_not_shown(full: Store) -> None:
    ids = read_analysis.analysed(full, RUN, "test")["sample_id"].tolist()
    forest = next(one for one in contents(full, RUN, sample_ids=ids[:12]).sections if one.title == "For whom it works")
    shown = [int(n) for n in re.findall(r"n = (\d+)", forest.pictures[0].alt)]
    assert min(shown) >= 5 and "groups of fewer than 5 stays are not shown" in forest.note
    fewer = next(one for one in contents(full, RUN, sample_ids=ids[:5]).sections if one.title == "For whom it works")
    assert "groups of fewer than 5 stays" in fewer.text[0] + fewer.note


@pytest.mark.parametrize(("n", "sentence"), [(4, "single patients"), (0, "single patients")])
def test_a_group_of_single_patients_is_refused(full: Store, n: int, sentence: str) -> None:
    ids = read_analysis.analysed(full, RUN, "test")["sample_id"].tolist()
    with pytest.raises(InputMistake, match=sentence):
        contents(full, RUN, sample_ids=ids[:n])


def test_patients_who_taught_the_run_stand_under_a_warning(pages_stores: PagesStores, tmp_path: Path) -> None:
    home = shutil.copytree(pages_stores.home["full"], tmp_path / "home2")
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    from lemof_core.jobs.evaluate import evaluate

    evaluate(store, RUN, split="train")
    assert any(one.startswith("In-sample") for one in contents(store, RUN, "train").warnings)
    add_pages_run(store, "other-run")
    score_all(store, "other-run", split="test", path="ehr")
    evaluate(store, "other-run")
    assert contents(store, "other-run").facts["Data hash (SHA-256)"] != hash_of_run(store, RUN, "test")
    store.close()


def test_large_groups_are_drawn_less_often_and_say_so(report: Report) -> None:
    assert draws_while_waiting(100) == 1000 > draws_while_waiting(100_000)
    performance = next(section for section in report.sections if section.title.startswith("AUROC"))
    assert "1,000 bootstrap draws" in performance.note


def test_a_report_needs_neither_streamlit_nor_torch() -> None:
    code = (
        "import sys; import dashboard.report.contents, dashboard.report.html_page, dashboard.report.pdf_document;"
        "assert not {'streamlit', 'torch'} & set(sys.modules), 'too much is imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("state", "arguments", "sentence"),
    [
        ("not scored", ["--out", "r.html"], "lemof score"),
        ("not evaluated", ["--out", "r.html"], "lemof evaluate --split test"),
        ("no run", ["--out", "r.html"], "lemof train"),
        ("full", ["--out", "r.html", "--run", "nobody"], "holds no run nobody"),
        ("full", ["--out", "r.html", "--split", "train"], "not evaluated on split 'train'"),
        ("full", ["--out", "r.docx"], ".html, .pdf"),
        ("full", ["--out", "nowhere/r.pdf"], "no folder nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    pages_stores: PagesStores,
    state: str,
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{pages_stores.home[state] / 'cohort.db'}"
    monkeypatch.setattr(sys, "argv", ["lemof", "report", *arguments, "--db", url])
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    assert exit_.value.code == 2 and sentence in told.err and told.out == ""
    assert not list(tmp_path.glob("r.*"))


@pytest.mark.parametrize("suffix", ["html", "pdf"])
def test_the_command_writes_the_same_file_as_the_function(
    pages_stores: PagesStores,
    report: Report,
    suffix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / f"r.{suffix}"
    url = f"sqlite:///{pages_stores.home['full'] / 'cohort.db'}"
    monkeypatch.setattr(sys, "argv", ["lemof", "report", "--out", str(out), "--db", url, "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0 and '"data_hash"' in capsys.readouterr().out
    assert out.read_bytes() == (html(report).encode() if suffix == "html" else pdf(report))
    assert out.read_bytes() != html(replace(report, title="other")).encode()
