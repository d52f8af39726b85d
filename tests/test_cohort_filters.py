"""What the reader's filters are called: in the line above the table, and in links."""

from __future__ import annotations

from cohort_support import FIVE_DAYS

from dashboard.cohort_filters import OUTCOMES, VERDICTS, Filters, as_query, in_words, outcome_words


def test_active_filters_are_said_in_words() -> None:
    filters = Filters(q="30", sex=("F",), age=(40, 60), verdict=("miss",), thr=0.37, rule=("adult",))
    words = in_words(filters, {"adult": "At least 18 years old"}, FIVE_DAYS)
    assert words == {
        "q": "id starts with 30",
        "sex": "Women",
        "age": "40–60 years",
        "verdict": "Missed at 0.37 with ECG and 0.50 without",
        "rule": "At least 18 years old",
    }
    assert in_words(Filters(), {}, FIVE_DAYS) == {}
    others = Filters(
        race=("unknown", "white"),
        unit=("Medical Intensive Care Unit (MICU)",),
        quality=("flagged",),
        error=(0.6, 1.0),
        cohort="abc",
    )
    assert in_words(others, {}, FIVE_DAYS, {"abc": "Night shifts"}) == {
        "race": "Race not known, White",
        "unit": "MICU",
        "quality": "A lead flagged",
        "error": "error 0.60–1.00",
        "cohort": "saved cohort Night shifts",
    }
    one_threshold = Filters(verdict=("miss",), outcome=("died",), thr=0.37, thr_ehr=0.37)
    assert in_words(one_threshold, {}, FIVE_DAYS) == {
        "outcome": "Died in ICU before 120 h",
        "verdict": "Missed at 0.37",
    }


def test_links_name_options_as_the_buttons_do() -> None:
    assert as_query(FIVE_DAYS, verdict="miss", split="test") == {"verdict": [VERDICTS["miss"]], "split": ["test"]}
    assert as_query(FIVE_DAYS, outcome=("long", "left")) == {
        "outcome": ["Still in ICU after 120 h", "Left alive before 120 h"]
    }
    assert list(outcome_words(FIVE_DAYS)) == list(OUTCOMES)
    assert as_query(FIVE_DAYS, unit="Coronary Care Unit (CCU)", race="other") == {
        "unit": ["CCU"],
        "race": ["Other race"],
    }
