"""In: the arguments of a cohort. Out: what dataset.json says of it, and whether a folder holds such a cohort.

The name tells cohorts apart, for people and for a store that holds several; the marker `generator` tells our folders
from other people's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DESCRIPTION_FILE = "dataset.json"
_GENERATOR = "lemof synth"


def description(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what dataset.json says of the cohort that these arguments of `write_cohort` make, but `complete`."""
    said = {"name": cohort_name(arguments), "generator": _GENERATOR, "synthetic": True, "seed": arguments["seed"]}
    return said | {"arguments": arguments}


def cohort_name(arguments: dict[str, Any]) -> str:
    """Return a name such as "LeMoF synthetic cohort, 3,000 + 10,000 stays, seed 1, 10 % without ECG".

    Stays and seed are always named, the other arguments where they are not the default.
    """
    test = f" + {arguments['n_test_stays']:,}" if arguments["n_test_stays"] else ""
    parts = [f"LeMoF synthetic cohort, {arguments['n_stays']:,}{test} stays", f"seed {arguments['seed']}"]
    if arguments["planted"] is not None:
        parts.append(f"planted {arguments['planted']}")
    if not arguments["ecg_main"]:
        parts.append("no main effect of the ECG")
    if not arguments["cross_modal"]:
        parts.append("no interaction")
    if arguments["ecg_missing"]:
        informative = " (informative)" if arguments["missing"] == "informative" else ""
        parts.append(f"{100 * arguments['ecg_missing']:g} % without ECG{informative}")
    return ", ".join(parts)


def is_synthetic(folder: Path) -> bool:
    """True where `folder` says that it was written by this generator, whether completely or not."""
    marker = folder / DESCRIPTION_FILE
    if not marker.is_file():
        return False
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and found.get("generator") == _GENERATOR and found.get("synthetic") is True
