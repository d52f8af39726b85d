"""A small frame in, a plain HTML table out: words at the left, numbers at the right, no boxes."""

from __future__ import annotations

import html
from collections.abc import Collection

import pandas as pd


def plain_table(frame: pd.DataFrame, *, words: Collection[str] = (), head: bool = True) -> str:
    """The frame as a table whose first column heads the rows; every text is escaped.

    Args:
        words: the columns that hold words rather than numbers, besides the first.
    """
    columns = [str(name) for name in frame.columns]
    titles = "".join(
        f'<th scope="col" class="{_kind(name, columns, words)}">{html.escape(name)}</th>' for name in columns
    )
    body = "".join(_row(row, columns, words) for row in frame.itertuples(index=False))
    top = f"<thead><tr>{titles}</tr></thead>" if head else ""
    return f'<div class="lemof-table"><table class="lemof-plain">{top}<tbody>{body}</tbody></table></div>'


def _row(row: tuple[object, ...], columns: list[str], words: Collection[str]) -> str:
    first, *others = (html.escape(str(value)) for value in row)
    cells = "".join(
        f'<td class="{_kind(name, columns, words)}">{value}</td>'
        for name, value in zip(columns[1:], others, strict=True)
    )
    return f'<tr><th scope="row" class="words">{first}</th>{cells}</tr>'


def _kind(name: str, columns: list[str], words: Collection[str]) -> str:
    return "words" if name == columns[0] or name in words else "number"
