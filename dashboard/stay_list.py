"""The filters and the order of the cohort page in, the list of stays that is leafed through out, also as URL text.

The list travels in the URL of /case as its definition (`list=sex%3DF%26sort%3Dold`): codes and numbers of filters, so
that a copied link leads through the same stays, and no session holds a copy of their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from cohort_db.browse import Browser
from cohort_db.race_groups import RACE_GROUPS
from cohort_db.stay_filters import (
    ECG,
    ORDERS_OF_RUN,
    OUTCOMES,
    QUALITIES,
    SEXES,
    SPLITS,
    VERDICTS,
    WHERE,
    Filters,
)
from dashboard.cohort_filters import SORTS, as_query
from dashboard.wording import Definition

LIST = "list"  # the parameter of /case
IN_COHORT = ("in",)
WHOLE_COHORT = Filters(where=IN_COHORT)
_SORT = "sort"
_OPTIONS: dict[str, tuple[str, ...]] = {
    "where": WHERE,
    "split": SPLITS,
    "sex": SEXES,
    "race": RACE_GROUPS,
    "ecg": tuple(ECG),
    "quality": QUALITIES,
    "outcome": OUTCOMES,
    "verdict": VERDICTS,
}
_RANGES = ("age", "p", "error")


@dataclass(frozen=True)
class StayList:
    """Which stays, in which order; as it stands, the whole cohort by number. `order` is a key of SORTS."""

    filters: Filters = WHOLE_COHORT
    order: str = "id"

    @property
    def reads_run(self) -> bool:
        """Whether another run would list other stays, or in another order."""
        return self.order in ORDERS_OF_RUN or self.filters.reads_run

    def ids(self, browser: Browser) -> np.ndarray:
        """The stays (N,) in the list's order."""
        return browser.stay_ids(self.filters, self.order)

    def written(self) -> str:
        """The list as URL text, empty for the whole cohort by number; `read_list` reads it."""
        parts: list[tuple[str, str]] = []
        for one in fields(Filters):
            value = getattr(self.filters, one.name)
            if one.name == "where":
                # Said only where it is not the usual; nothing chosen is a choice of its own: all stays.
                parts += [] if value == IN_COHORT else [(one.name, code) for code in value or ("",)]
            elif one.name in ("thr", "thr_ehr"):
                parts += [(one.name, repr(value))] if self.filters.verdict else []
            elif one.name in _RANGES:
                parts += [(one.name, f"{value[0]!r}_{value[1]!r}")] if value else []
            else:
                parts += [(one.name, text) for text in ((value,) if isinstance(value, str) else value) if text]
        if self.order != "id":
            parts.append((_SORT, self.order))
        return urlencode(parts)

    def cohort_query(self, defined: Definition) -> dict[str, list[str]]:
        """The URL parameters of /cohort that show this very list."""
        chosen: dict[str, Any] = {name: getattr(self.filters, name) for name in self.filters.active()}
        ranges = {name: [str(end) for end in chosen.pop(name)] for name in _RANGES if name in chosen}
        out = as_query(defined, **chosen) | ranges
        if not self.filters.where:
            out["where"] = [""]
        if self.filters.verdict:
            out |= {"thr": [str(self.filters.thr)], "thr_ehr": [str(self.filters.thr_ehr)]}
        return out | ({} if self.order == "id" else {_SORT: [SORTS[self.order]]})


def read_list(text: str) -> StayList:
    """The list that `StayList.written` wrote.

    Raises: ValueError for a text that it never writes; nothing of such a link is guessed.
    """
    order: str = "id"
    given: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=200):
        if name == _SORT:
            order = _one_of(SORTS, value)
        elif name in _READERS:
            given[name] = _READERS[name](given.get(name), value)
        else:
            raise ValueError(f"a list has no filter {name!r}")
    return StayList(replace(WHOLE_COHORT, **given), order)


def _one_of(known: Any, code: str) -> str:
    if code not in known:
        raise ValueError(f"{code!r} is none of {', '.join(known)}")
    return code


def _codes(known: tuple[str, ...] | None) -> Callable[[Any, str], tuple[str, ...]]:
    """Adds a code to those of its filter; without `known`, any name that a store gives, none of which is empty."""

    def add(so_far: tuple[str, ...] | None, code: str) -> tuple[str, ...]:
        if known is None and code.strip():
            return (*(so_far or ()), code)
        return (*(so_far or ()), _one_of(known or (), code))

    return add


def _where(so_far: tuple[str, ...] | None, code: str) -> tuple[str, ...]:
    return () if code == "" and so_far is None else _codes(_OPTIONS["where"])(so_far, code)


def _digits(so_far: Any, text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a list holds ids and no other text")
    return text


def _cohort_id(so_far: Any, text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise ValueError("a list holds the id of a saved cohort and no other text")
    return text


def _range(number: Callable[[str], Any]) -> Callable[[Any, str], tuple[Any, Any]]:
    def read(so_far: Any, text: str) -> tuple[Any, Any]:
        low, high = (number(part) for part in text.split("_"))
        return low, high

    return read


def _threshold(so_far: Any, text: str) -> float:
    return float(text)


_READERS: dict[str, Callable[[Any, str], Any]] = {
    **{name: _codes(known) for name, known in _OPTIONS.items()},
    **{name: _codes(None) for name in ("rule", "unit", "disease")},
    "where": _where,
    "q": _digits,
    "age": _range(int),
    "p": _range(float),
    "error": _range(float),
    "cohort": _cohort_id,
    "thr": _threshold,
    "thr_ehr": _threshold,
}


def neighbours(stay_id: int, ids: np.ndarray) -> tuple[int | None, int | None, int | None]:
    """(position from 1, stay before, stay after) in the list; a stay outside it stands between its numbers."""
    found = np.flatnonzero(ids == stay_id)
    if found.size:
        at = int(found[0])
        return at + 1, int(ids[at - 1]) if at else None, int(ids[at + 1]) if at + 1 < ids.size else None
    below, above = ids[ids < stay_id], ids[ids > stay_id]
    return None, int(below.max()) if below.size else None, int(above.min()) if above.size else None
