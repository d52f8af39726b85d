"""`/methods`: the paper's printed tables beside what `lemof benchmark` measured, and what differs between them."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import published, queries_cohort
from dashboard.measured import BY_ECG, TABLES, About, Measured
from dashboard.method_comparison import draw_comparison
from dashboard.method_differences import FIRST_PAIR, draw_differences
from dashboard.method_extras import TITLES, draw_cost, draw_ladder, draw_quality
from dashboard.method_scores import Choice, chosen, printed
from dashboard.method_sets import Grid, choose, choose_grid, grids
from dashboard.method_words import AS_PRINTED, RANKED, SOURCES, arm_label, metric_label, pair_label
from dashboard.plain_table import plain_table
from dashboard.provenance import no_cohort, style
from dashboard.session import banners, selected_run, stamp
from dashboard.wording import Definition
from lemof_core.benchmark.over_seeds import over_seeds

URL: dict[str, Any] = {"bind": "query-params"}


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Methods")
        return
    st.title("Methods")
    st.markdown(
        "The tables that LeMoF's authors printed, beside what `lemof benchmark` measured here. "
        f"{published.citation()} The printed numbers are of {published.source()['data']}."
    )
    found = grids()
    grid = Grid("", {}, ())
    with st.container(horizontal=True, gap="medium"):
        if found:
            grid = choose_grid(found)
        choice = _choice(grid)
        metric = _metric("Metric", "score", ("auroc", "acc_50", "acc_tuned"))
    _origin(grid, choice)
    _table_1(grid, choice, metric)
    if "table1" in grid.tables:
        draw_differences(grid.tables["table1"].differences, choice, metric)
    _tables_2_3(grid, choice)
    for name in TITLES:
        if name in grid.tables:
            draw_ladder(name, grid.tables[name], metric)
    if "table1" in grid.tables:
        draw_quality(grid.tables["table1"], choice)
        draw_cost(grid.tables["table1"], choice)
    _missing(grid)
    _differs(defined)
    _footer(grid)


def _choice(grid: Grid) -> Choice:
    """What is compared in the paper's tables."""
    results = [grid.tables[name].results for name in ("table1", "table2", "table3") if name in grid.tables]
    return choose(pd.concat(results)) if results else Choice("", "", "")


def _metric(label: str, key: str, names: tuple[str, ...]) -> str:
    chosen_name = st.segmented_control(
        label, names, format_func=metric_label, default=names[0], key=key, required=True, **URL
    )
    return str(chosen_name or names[0])


def _origin(grid: Grid, choice: Choice) -> None:
    """Say whose patients were measured and how, or that nothing was measured."""
    for sentence in grid.broken:
        st.error(sentence)
    if not grid.tables:
        st.info(
            "Nothing is measured yet: only what the paper prints can be shown. Measure the same grid on this store:"
        )
        st.code("lemof benchmark table1       # every fusion with every pair of encoders", language=None)
        return
    if grid.synthetic:
        st.html(
            '<div class="lemof-banner lemof-banner-strong" role="note" data-testid="grid-banner">Measured on synthetic '
            "patients, printed for real ones: compare the order and the distances of methods, not the levels.</div>"
        )
    lacking = list(dict.fromkeys(line for one in grid.tables.values() for line in one.about.not_estimable))
    if lacking:
        st.warning("Not everything could be fitted here:\n" + "\n".join(f"- {line}" for line in lacking))
    if grid.surrogate:
        st.html(
            '<div class="lemof-banner lemof-banner-strong" role="note" data-testid="surrogate-banner">Measured with '
            "surrogate ECGs, which are other people's: no number here says what an ECG is worth.</div>"
        )
    about = next(iter(grid.tables.values())).about
    counts = ", ".join(f"{split} {n:,}" for split, n in about.n_by_split.items())
    fitting = f"fitting {choice.fitting}" if choice.fitting else ""
    preset = f"LeMoF is its preset {choice.preset}" if choice.preset else ""
    how = [grid.origin, arm_label(choice.arm), preset, fitting, f"n by split: {counts}"]
    st.caption(" · ".join(filter(None, how)))
    with st.expander("How this was measured"):
        notes = dict.fromkeys(note for one in grid.tables.values() for note in one.about.notes)
        st.markdown("\n".join(f"- {note}" for note in notes))


def _table_1(grid: Grid, choice: Choice, metric: str) -> None:
    one = grid.tables.get("table1")
    lines = _limits(one.about) if one is not None and metric == "auroc" else {}
    draw_comparison(
        st.container(),
        _scores(one, choice, metric, "pair"),
        printed(published.table1(), AS_PRINTED[metric]),
        RANKED,
        title="Table 1, all patients",
        setting="pair",
        words=pair_label,
        metric=metric,
        printed_ranks=published.source()["printed_mean_ranks"]["table1"][AS_PRINTED[metric]],
        lines=lines,
    )
    _oddities("table1", metric)


def _tables_2_3(grid: Grid, choice: Choice) -> None:
    head = st.container()
    metric = _metric(
        "Metric by disease", "disease_score", ("auroc", "acc_50", "acc_tuned", "f1_macro_50", "f1_macro_tuned")
    )
    one = grid.tables.get("table3" if metric.startswith("f1") else "table2")
    pair = _pair_of(one)
    draw_comparison(
        head,
        _scores(one, choice, metric, "disease", pair),
        printed(published.tables_2_3(), AS_PRINTED[metric]),
        SOURCES,
        title="Tables 2 and 3, by disease",
        setting="disease",
        words=str.capitalize,
        metric=metric,
        printed_ranks=published.source()["printed_mean_ranks"]["table2_3"][AS_PRINTED[metric]],
    )
    other = "" if one is None or pair == FIRST_PAIR else f" as printed, measured with {pair_label(pair)}"
    st.caption(f"Encoders: {pair_label(FIRST_PAIR)}{other}.")
    _oddities("table2_3", metric)


def _oddities(table: str, metric: str) -> None:
    for text in published.oddities(table, AS_PRINTED[metric]):
        st.caption(text)


def _scores(one: Measured | None, choice: Choice, metric: str, setting: str, pair: str = "") -> pd.DataFrame:
    """The scores of a table by setting and contender, as `draw_comparison` takes them; no rows without the table.

    Args:
        pair: the encoders whose rows are taken, with those of either alone; all where it is empty.
    """
    if one is None:
        return pd.DataFrame(columns=[setting, "contender", "value", "lo", "hi", "n_seeds", "n", "events", "seeds"])
    rows = one.results[(one.results["metric"] == metric) & ~one.results["stratum"].isin(BY_ECG)]
    rows = chosen(rows[(rows["stratum"] == "all") == (setting == "pair")], choice)
    if pair:
        ecg, ehr = pair.split("|")
        rows = rows[rows["ecg_encoder"].isin([ecg, ""]) & rows["ehr_encoder"].isin([ehr, ""])]
    return over_seeds(rows.assign(disease=rows["stratum"]), (setting, "contender"))


def _pair_of(one: Measured | None) -> str:
    """The paper's pair of encoders, or LeMoF's first where that was not measured."""
    if one is None:
        return FIRST_PAIR
    own = one.results[one.results["fusion"].str.startswith("lemof")]
    pairs = (own["ecg_encoder"] + "|" + own["ehr_encoder"]).tolist()
    return pairs[0] if pairs and FIRST_PAIR not in pairs else FIRST_PAIR


def _limits(about: About) -> dict[str, float]:
    known = {"p_x": about.p_x, "practical limit": about.practical_limit}
    return {words: value for words, value in known.items() if value is not None}


def _missing(grid: Grid) -> None:
    missing = [name for name in TABLES if name not in grid.tables]
    if missing and grid.tables:
        raw = {"sensitivity": " --ehr DIR --ecg DIR"}  # it ingests anew for each landmark and cut
        commands = "\n".join(f"lemof benchmark {name}{raw.get(name, '')}" for name in missing)
        st.markdown(f"Not measured here: {', '.join(missing)}.")
        st.code(commands, language=None)


def _differs(defined: Definition) -> None:
    st.subheader("What differs from the paper")
    table = published.what_differs(defined).rename(columns=str.capitalize)
    st.html(plain_table(table, words=list(table.columns)))
    st.page_link("dashboard/pages/model_card.py", label="Differences inside the model, as marked in its source →")


def _footer(grid: Grid) -> None:
    parts = [
        f"{name}: {one.about.command}, {one.about.created_at}, code {one.about.code_version}"
        for name, one in grid.tables.items()
    ]
    if parts:
        text = html.escape(" · ".join(parts))
        st.html(f'<footer class="lemof-provenance" data-testid="provenance">{text}</footer>')


main()
