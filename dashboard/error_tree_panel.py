"""Judged predictions in; the error tree as an indented table whose nodes can be chosen, with a verdict, drawn."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import queries_errors
from dashboard.error_group import pickable
from dashboard.error_settings import Settings
from dashboard.queries_errors import Judged
from dashboard.wording import interval
from lemof_core.evaluation.error_tree import Node
from lemof_core.evaluation.facts import NOT, Fact
from lemof_core.evaluation.losses import Loss

CONFIRMED = 0.05
_INDENT = "\u2003"


def draw_tree(judged: Judged, errors: Loss, settings: Settings) -> None:
    """The tree stands with the root on top, or why it has no split."""
    nodes, facts = queries_errors.tree(settings.cache_key, settings.kind, settings.kinds, settings.fewest, judged)
    st.subheader(title(nodes))
    if len(nodes) == 1:
        st.info(why_bare(nodes[0], len(facts), settings.fewest, errors))
        return
    definitions = [definition(node, facts) for node in nodes]
    column = st.column_config
    config = {
        "Stays": column.TextColumn(width=268),
        "n": column.NumberColumn(format="localized", width=58, help="Stays of everybody in the node"),
        "Error": column.NumberColumn(format="%.2f", width=52, help=f"{errors.words}, mean of the half told below"),
        "95 %": column.TextColumn(width=94),
        "of n": column.NumberColumn(format="localized", width=58, help="Stays that the error is the mean of"),
        "Split confirmed": column.TextColumn(
            help="Whether the two parts differ in the half that did not choose the split"
        ),
    }
    pickable(
        tree_table(nodes, facts), definitions, "tree", config=config, alt="The error tree, a row a node, root first"
    )
    st.caption(
        f"{errors.words}. One half of the patients chose the splits, the numbers are of the other half, so the tree is "
        f"not flattered by the patients that it was grown on. At most three facts deep, at least {settings.fewest} "
        "stays of the growing half in a leaf. A split is confirmed where its two parts differ in the other half, at a "
        "false-discovery rate of 5 % over the splits (Welch by patient, Benjamini and Hochberg)."
    )


def title(nodes: list[Node]) -> str:
    """The finding in a line."""
    splits = [node for node in nodes if node.split is not None]
    if not splits:
        return "The tree has no split"
    confirmed = sum(node.p <= CONFIRMED for node in splits)
    share = f"{confirmed or 'none'} of {len(splits)} split{'s' if len(splits) > 1 else ''}"
    return f"{share} confirmed by the other half of the patients".capitalize()


def why_bare(root: Node, n_facts: int, fewest: int, errors: Loss) -> str:
    """Why there is no split, in a sentence."""
    if not n_facts:
        return "No fact tells these stays apart. Add kinds of facts under Search."
    if root.n < 4 * fewest:
        return (
            f"Of {errors.of} there are {root.n:,}. Half of them choose the splits, and two leaves of {fewest} need "
            f"{4 * fewest:,}. Take smaller leaves under Search, or another split."
        )
    return f"No fact parts the {root.n:,} stays into leaves of {fewest} that differ in {errors.words.lower()}."


def tree_table(nodes: list[Node], facts: tuple[Fact, ...]) -> pd.DataFrame:
    """One row per node, its words indented by its depth."""
    rows = []
    for node in nodes:
        value = node.held_out.value
        rows.append(
            {
                "Stays": _INDENT * len(node.path) + ("└ " if node.path else "") + _last(node, facts),
                "n": node.n,
                "Error": float("nan") if value is None else value,
                "95 %": interval(node.held_out.lo, node.held_out.hi) if value is not None else "not estimable",
                "of n": node.held_out.n,
                "Split confirmed": _split(node),
            }
        )
    return pd.DataFrame(rows)


def definition(node: Node, facts: tuple[Fact, ...]) -> tuple[str, ...]:
    """The codes that lead to the node."""
    return tuple(("" if is_true else NOT) + facts[fact].code for fact, is_true in node.path)


def _last(node: Node, facts: tuple[Fact, ...]) -> str:
    if not node.path:
        return "All stays"
    fact, is_true = facts[node.path[-1][0]], node.path[-1][1]
    return fact.words if is_true else fact.denied or f"not {fact.words}"


def _split(node: Node) -> str:
    if node.split is None:
        return ""
    if node.p != node.p:
        return "too few to tell"
    p = "< 0.001" if node.p < 0.001 else f"= {node.p:.2f}"
    return f"{'yes' if node.p <= CONFIRMED else 'no'}, p {p}"
