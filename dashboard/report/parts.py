"""What a report is made of: words, tables of words and vector figures, before anybody decides on HTML or PDF."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

FEWEST = 5  # samples: a report of fewer, or a group of fewer in it, would describe single patients


@dataclass(frozen=True)
class Table:
    """Rows of words below their column heads; `words` names the columns that are not numbers, besides the first."""

    columns: list[str]
    rows: list[list[str]]
    words: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, frame: pd.DataFrame, *, words: list[str] | None = None) -> Table:
        """The frame's columns and rows, every cell as text."""
        rows = [[str(value) for value in row] for row in frame.itertuples(index=False)]
        return cls([str(name) for name in frame.columns], rows, words or [])


@dataclass(frozen=True)
class Picture:
    """A vector figure: title (the finding), what it shows in words for who cannot see it, and the SVG.

    Ink in the SVG has the colour `figures.INK`, which each format replaces by its own.
    """

    name: str
    title: str
    alt: str
    svg: str
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, then sentences, points, a table, figures and a note below them; any may be absent."""

    title: str
    text: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    table: Table | None = None
    pictures: list[Picture] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report.

    warnings: what must stand on top (synthetic data, research use, in-sample); facts: what identifies it (run, data
    hash, split, n), name by value.
    """

    title: str
    subtitle: str
    warnings: list[str]
    facts: dict[str, str]
    sections: list[Section]
