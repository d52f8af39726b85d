"""Two callables in, their times alternately measured and the ratio out, with the machine named."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], *, repeats: int) -> dict[str, float]:
    """Return medians in seconds and their ratio; both run once before, then take turns."""
    ours(), theirs()
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for name, call in (("ours", ours), ("theirs", theirs)):
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    pairs = [a / b for a, b in zip(times["ours"], times["theirs"], strict=True)]
    medians = {f"{name}_s": round(statistics.median(found), 6) for name, found in times.items()}
    return medians | {"ratio": round(statistics.median(pairs), 3), "repeats": repeats}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def report(name: str, found: dict[str, Any]) -> None:
    """Print the result and keep it in results/."""
    document = {"benchmark": name, **found, "machine": machine()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))
