"""A verb of `lemof` in; called with a progress bar on stderr, its result printed on stdout, its store closed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

from cohort_db.store import Store, open_store
from lemof_core.jobs.progress import Report, shown


def carry_out(title: str, as_json: bool, verb: Callable[[Report], dict[str, Any]]) -> None:
    """Call the verb with a progress bar on stderr and print its result."""
    with shown(title, enabled=True) as report:
        found = verb(report)
    if as_json:
        print(json.dumps(found, default=str, sort_keys=True))
        return
    for key, value in found.items():
        print(f"{key}: {value}" if not isinstance(value, (dict, list)) else f"{key}: {json.dumps(value, default=str)}")


def with_store(
    url: str | None, create: bool, verb: Callable[[Store, Report], dict[str, Any]]
) -> Callable[[Report], dict[str, Any]]:
    """The verb, given the store at the URL while it works."""

    def run(report: Report) -> dict[str, Any]:
        with closing(open_store(url, create=create)) as store:
            return verb(store, report)

    return run
