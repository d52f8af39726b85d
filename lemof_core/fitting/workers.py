"""Independent fits in, their results out: over processes of one thread each, where there is enough to do.

One thread a process is faster here than two threads in one (small batches wait for each other), and its numbers do not
depend on how many cores the machine has.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import torch

from lemof_core.training import Progress

N_THREADS = 1  # of every fit and every stored prediction
T = TypeVar("T")
_reports: Any = None


def n_processes() -> int:
    """Return how many processes a fit may use: LEMOF_WORKERS, else one a core."""
    return max(1, int(os.environ.get("LEMOF_WORKERS", os.cpu_count() or 1)))


def run_all(tasks: Sequence[Callable[[Progress], T]], *, parallel: bool, progress: Progress) -> list[T]:
    """Return what each task returns, in their order; tasks and results must be picklable when parallel."""
    count = min(n_processes(), len(tasks)) if parallel else 1
    if count < 2:
        return [task(progress) for task in tasks]
    context = get_context("spawn")
    queue = context.Queue()
    drain = threading.Thread(target=_pass_on, args=(queue, progress), daemon=True)
    drain.start()
    try:
        with ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(queue,)) as pool:
            jobs = [pool.submit(_call, task) for task in tasks]
            return [job.result() for job in jobs]
    finally:
        queue.put(None)
        drain.join(timeout=5)


def _start(queue: Any) -> None:
    global _reports
    torch.set_num_threads(N_THREADS)
    _reports = queue


def _call(task: Callable[[Progress], T]) -> T:
    return task(_report)


def _report(what: str, done: int, total: int) -> None:
    _reports.put((what, done, total))


def _pass_on(queue: Any, progress: Progress) -> None:
    while (message := queue.get()) is not None:
        progress(*message)
