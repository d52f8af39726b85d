"""How many stays have each value of a facet in; the values with their counts and bars as HTML out."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

MOST = 10  # values of a facet that are shown


def facet_counts(counts: Mapping[str, int], say: Callable[[str], str], *, order: list[str] | None = None) -> str:
    """One line per value: its words, a bar and the number of stays; the most frequent first, or in an order.

    Args:
        order: the values in the order of the buttons above; those that nobody has are left out.
    """
    shown = [value for value in order or () if counts.get(value)]
    if order is None:
        shown = sorted(counts, key=lambda value: (-counts[value], value))
    top = max(counts.values(), default=0)
    lines = "".join(_line(say(value), counts[value], top) for value in shown[:MOST])
    more = f'<div class="lemof-count-more">and {len(shown) - MOST} more</div>' if len(shown) > MOST else ""
    return f'<div class="lemof-counts">{lines}{more}</div>'


def _line(words: str, n: int, top: int) -> str:
    share = 100 * n / top if top else 0
    return f'<div><i style="width:{share:.1f}%"></i><span>{html.escape(words)} · <b>{n:,}</b></span></div>'
