"""What long work reports while it runs: a line on a terminal, nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Report = Callable[[str, int, int], None]  # (what, done, total)


def quiet(what: str, done: int, total: int) -> None:
    """Report nothing."""


@contextmanager
def shown(title: str, *, enabled: bool) -> Iterator[Report]:
    """Give a report that draws one bar on stderr: live on a terminal, a line at each tenth elsewhere."""
    if not enabled:
        yield quiet
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=done, total=max(total, 1))

        yield report


def _lines(title: str) -> Report:
    last: dict[str, int] = {}

    def report(what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if last.get(what) != tenth:
            last.clear()
            last[what] = tenth
            print(f"{title}: {what} {done}/{total}", file=sys.stderr, flush=True)

    return report
