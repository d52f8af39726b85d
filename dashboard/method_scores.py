"""Measured results and the paper's in; one score per setting and contender, means and mean ranks of both out.

A setting is a pair of encoders (Table 1) or a disease (Tables 2 and 3). A contender is a fusion, or fusion|variant
where it is not the one that stands in LeMoF's place. Means are taken over the same settings for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Choice:
    """What is compared: the arm and the fitting of all, and the preset that stands in LeMoF's place."""

    arm: str
    fitting: str
    preset: str


def chosen(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The rows of the arm and fitting, and those for which they mean nothing; with `contender` and `pair`.

    A row that names arm, fitting or preset goes before one of the same contender that does not.
    """
    here = rows["arm"].isin([choice.arm, ""]) & rows["fitting"].isin([choice.fitting, ""])
    some = rows[here]
    own = some["variant"] == choice.preset  # a rival without its teacher stands beside LeMoF without it
    contender = some["fusion"].where(own | (some["variant"] == ""), some["fusion"] + "|" + some["variant"])
    some = some.assign(contender=contender, pair=some["ecg_encoder"] + "|" + some["ehr_encoder"])
    unnamed = (some[["arm", "fitting", "variant"]] == "").sum(axis=1)
    key = [name for name in ("pair", "contender", "seed", "stratum", "metric", "against") if name in some]
    first = some.loc[unnamed.sort_values(kind="stable").index].drop_duplicates(key)
    return first.sort_index()


def wide(scores: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Settings x contenders, their values, contenders in the order they were measured in."""
    found = scores.pivot(index=setting, columns="contender", values="value")
    return found[list(dict.fromkeys(scores["contender"]))]


def printed(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A printed table as settings x contenders: pairs x fusions of Table 1, diseases x sources of Tables 2 and 3.

    The settings stand in the order in which they are printed.
    """
    if "disease" in table:
        setting, contender = table["disease"], table["source"]
    else:
        setting, contender = table["ecg_encoder"] + "|" + table["ehr_encoder"], table["fusion"]
    named = pd.DataFrame({"setting": setting, "contender": contender, "value": table[metric]})
    found = named.pivot(index="setting", columns="contender", values="value")
    return found.loc[list(dict.fromkeys(setting))]


def ranks(values: pd.DataFrame) -> pd.DataFrame:
    """The rank of each column in each row: 1 is the highest value, ties share their mean rank."""
    return values.rank(axis=1, ascending=False, method="average")


@dataclass(frozen=True)
class Comparison:
    """Measured beside printed.

    Attributes:
        rows: one per contender, indexed by its name, the ranked ones in their order first: ranked (bool), and for
            `measured` and `printed` <which>, <which>_lo, <which>_hi (mean, lowest, highest setting), <which>_rank,
            <which>_rank_lo, <which>_rank_hi; n_settings. NaN where there is none.
        settings: those that every ranked and measured contender has a value for.
        n_measured: settings with any ranked value; n_ranked: ranked contenders that were measured.
    """

    rows: pd.DataFrame
    settings: list[str]
    n_measured: int
    n_ranked: int


def compare(measured: pd.DataFrame, paper: pd.DataFrame, order: Sequence[str]) -> Comparison:
    """Put means and ranks of both beside each other, over the settings that all measured contenders share.

    Args:
        measured, paper: settings x contenders; order: the contenders that are ranked. Others get a mean over the
            settings that they have.
    """
    named = [name for name in order if name in measured and measured[name].notna().any()]
    some = measured.reindex(columns=named).dropna(how="all")
    shared = some.dropna().index.tolist() if named else []
    rows = pd.DataFrame(index=list(order)).assign(ranked=True)
    rows = rows.join(_summary(some.loc[shared], "measured")).assign(n_settings=float(len(shared)))
    where = [setting for setting in paper.index if setting in shared] or paper.index
    rows = rows.join(_summary(paper.loc[where, list(order)], "printed"))
    others = measured[[name for name in measured if name not in order]].dropna(axis=1, how="all")
    extra = _summary(others, "measured").drop(columns=["measured_rank", "measured_rank_lo", "measured_rank_hi"])
    extra = extra.assign(ranked=False, n_settings=others.notna().sum().astype(float))
    rows = pd.concat([rows, extra]) if len(extra) else rows
    return Comparison(rows.rename_axis("contender"), shared, len(some), len(named))


def _summary(values: pd.DataFrame, which: str) -> pd.DataFrame:
    """Mean, lowest and highest value and rank of each column."""
    ranked = ranks(values)
    parts = {
        which: values.mean(),
        f"{which}_lo": values.min(),
        f"{which}_hi": values.max(),
        f"{which}_rank": ranked.mean(),
        f"{which}_rank_lo": ranked.min(),
        f"{which}_rank_hi": ranked.max(),
    }
    return pd.DataFrame(parts)
