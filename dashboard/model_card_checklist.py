"""A checklist and the facts of a run in; each item answered, partly answered, or a gap that says what is missing, out.

A gap is never filled by silence: an item whose facts the store does not hold becomes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

from dashboard.model_card_facts import WANTED

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "model_card"
NAMES = ("tripod_ai", "chai", "hti1")
SCHEMA = FOLDER / "schema.json"
ANSWERED, PARTLY, GAP = "answered", "partly", "gap"


@dataclass(frozen=True)
class Item:
    """One item: what it asks, in our words; the answer from the store; what is not provided. Either may be empty."""

    id: str
    section: str
    asks: str
    answer: str
    missing: str

    @property
    def status(self) -> str:
        """Answered, partly (an answer with something missing), or gap."""
        return (PARTLY if self.missing else ANSWERED) if self.answer else GAP


@dataclass(frozen=True)
class Checklist:
    """A filled checklist with its name and what it is."""

    key: str
    name: str
    about: str
    items: list[Item]

    def n(self, status: str) -> int:
        """How many items have the status."""
        return sum(item.status == status for item in self.items)

    @property
    def counts(self) -> str:
        """How much of it is answered, in words: 14 of 27 answered, 11 partly, 2 not provided."""
        return f"{self.n(ANSWERED)} of {len(self.items)} answered, {self.n(PARTLY)} partly, {self.n(GAP)} not provided"


def filled(key: str, facts: Mapping[str, str], folder: Path = FOLDER) -> Checklist:
    """The checklist of that file, filled from the facts.

    Args:
        facts: `model_card_facts.card_facts`; an answer that names an absent fact is a gap, which says what is wanted.
    """
    document = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    return Checklist(key, document["name"], document["about"], [_filled(row, facts) for row in document["items"]])


def _filled(row: Mapping[str, str], facts: Mapping[str, str]) -> Item:
    template = Template(row.get("answer", ""))
    unknown = [name for name in template.get_identifiers() if name not in facts]
    missing = [WANTED.get(name, name.replace("_", " ")) for name in unknown]
    missing += [row["missing"]] if row.get("missing") else []
    answer = "" if unknown else " ".join(template.substitute(facts).split())
    answer = answer[:1].upper() + answer[1:]
    return Item(row["id"], row["section"], row["asks"], answer, "; ".join(dict.fromkeys(missing)))


def as_document(
    run_id: str, data_hash: str, facts: Mapping[str, str], performance: list[dict[str, Any]], lists: list[Checklist]
) -> dict[str, Any]:
    """The filled card as JSON, valid by assets/model_card/schema.json.

    Args:
        performance: rows of `read_results.metrics`, final and overall: name, deaths, value, lo, hi, n, events.
    """
    return {
        "format_version": 1,
        "run_id": run_id,
        "data_hash": data_hash,
        "facts": dict(facts),
        "performance": performance,
        "checklists": {
            one.key: {
                "name": one.name,
                "about": one.about,
                "counts": {status: one.n(status) for status in (ANSWERED, PARTLY, GAP)},
                "items": [asdict(item) | {"status": item.status} for item in one.items],
            }
            for one in lists
        },
    }
