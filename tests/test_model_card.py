"""What the model card reads: the marked differences of the source, and its own text cut at its headings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.model_card import CARD, MODEL_SOURCE, differences, sections
from dashboard.model_card_panels import set_by_hand, taught_by
from dashboard.wording import recipe


def test_every_marked_difference_of_the_source_is_on_the_card() -> None:
    marked = sum(file.read_text(encoding="utf-8").count("# NOTE[DIFF]") for file in MODEL_SOURCE.rglob("*.py"))
    table = differences()
    assert len(table) == marked > 5
    assert (table["here"].str.len() > 10).all(), table[table["here"].str.len() <= 10]["where"].tolist()
    assert (table["because"] != "").all(), table[table["because"] == ""]["where"].tolist()


def test_a_remark_is_read_over_its_lines(tmp_path: Path) -> None:
    folder = tmp_path / "core"
    folder.mkdir()
    (folder / "m.py").write_text(
        "x = 1\n# NOTE[DIFF] paper: one. here (preset `robust`):\n    # two lines. because: why\n    # not.\ny = 2\n"
        "# other\n"
        "# NOTE[DIFF] paper's code: takes where: turns. here: none. because: noise\n"
        "# NOTE[DIFF] something else\n"
    )
    assert differences(folder).to_numpy().tolist() == [
        ["core.m", "one.", "two lines. (preset `robust`)", "why not."],
        ["core.m", "paper's code: takes where: turns.", "none.", "noise"],
        ["core.m", "", "something else", ""],
    ]


def test_a_card_is_cut_at_its_headings() -> None:
    text = "<!-- not shown -->\n\n## One\nfirst\n\n- a\n\n## Two words\nsecond\n### smaller\n"
    assert sections(text) == {"One": "first\n\n- a", "Two words": "second\n### smaller"}
    assert all(sections(CARD.read_text(encoding="utf-8")).values())


def test_a_card_tells_own_pairs_from_exchanged_ones() -> None:
    run = {"fusion": "lemof", "fit_report": {"epochs_kept": {"fold 1 module 2": 3}}}
    own, mixed = (taught_by(run | {"config": {"teacher": "trees", "exchange": how}}) for how in (False, True))
    assert "different patients" in mixed and "different patients" not in own


def test_a_card_and_a_footer_say_what_was_set_by_hand() -> None:
    run = {"fusion": "lemof", "preset": "robust", "config": {}}
    assert (set_by_hand(run), recipe(run)) == ("nothing", "lemof robust")
    changed = run | {"config": {"settings": {"cross.n_heads": "1", "pooling": "mean"}}}
    assert (set_by_hand(changed), recipe(changed)) == ("cross.n_heads=1, pooling=mean", "lemof robust, changed by hand")


@pytest.mark.parametrize(
    ("fusion", "kept", "teacher", "said"),
    [
        ("lemof", "fold 1 module 2", "trees", "boosted trees that read measured ECG quantities"),
        ("daft", "fold 1 daft", "trees", "boosted trees"),
        ("lemof", "fold 1 module 2", "none", "the labels"),
        ("late", "fold 1 ecg label", "trees", "–"),
    ],
)
def test_a_card_says_what_the_joint_network_learnt_from(fusion: str, kept: str, teacher: str, said: str) -> None:
    run = {"fusion": fusion, "config": {"teacher": teacher}, "fit_report": {"epochs_kept": {kept: 3}}}
    assert taught_by(run).startswith(said)
