"""The words of the model card and the source of the model in; sections and the differences from the paper out."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import pandas as pd

from dashboard.split_use import how_fitted
from dashboard.wording import Definition

CARD = Path(__file__).resolve().parents[1] / "assets" / "model_card.md"
MODEL_SOURCE = Path(__file__).resolve().parents[1] / "lemof_core"
_MARK = "NOTE[DIFF]"
_PARTS = re.compile(
    r"^(?P<whose>paper|(?:papers?|authors)\b[^:]*):(?P<paper>.*?)"
    r"\bhere(?P<preset> \([^)]*\))?:(?P<here>.*?)(?:because:(?P<because>.*))?$"
)


def sections(text: str) -> dict[str, str]:
    """Heading -> text below it, in order; what stands before the first heading is left out."""
    parts = re.split(r"^## +(.+)$", text, flags=re.MULTILINE)
    return {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def card_of(defined: Definition, fitting: str | None) -> dict[str, str]:
    """The sections of the model card for what is predicted; how a run was fitted stands in it where there is one."""
    words = {"t0": defined.t0, "cut": defined.cut, "fitting": "" if fitting is None else how_fitted(fitting)}
    return sections(Template(CARD.read_text(encoding="utf-8")).substitute(words))


def differences(folder: Path = MODEL_SOURCE) -> pd.DataFrame:
    """The marked differences from the paper: where (module), paper, here, because; by module and line.

    What stands elsewhere than in LeMoF's own paper ("paper's code", "paper (van den Oord)") says so in `paper`.
    Read as text, because pages may not import the model. A remark that is not in three parts stands whole in `here`.
    """
    rows = []
    for file in sorted(folder.rglob("*.py")):
        module = ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        rows += [_parsed(module, remark) for remark in _remarks(file.read_text(encoding="utf-8"))]
    return pd.DataFrame(rows, columns=["where", "paper", "here", "because"])


def _remarks(source: str) -> list[str]:
    """Each marked comment as one line: the comment lines that follow the mark belong to it."""
    found: list[str] = []
    running = False
    for line in source.splitlines():
        text = line.strip()
        is_comment = text.startswith("#")
        if is_comment and _MARK in text:
            found.append(text.split(_MARK, 1)[1].strip())
            running = True
        elif running and is_comment:
            found[-1] += " " + text.lstrip("# ").strip()
        else:
            running = False
    return found


def _parsed(module: str, remark: str) -> tuple[str, str, str, str]:
    match = _PARTS.search(remark)
    if match is None:
        return module, "", remark, ""
    preset = (match["preset"] or "").strip(" ()")
    here = match["here"].strip() + (f" ({preset})" if preset else "")
    whose = "" if match["whose"] == "paper" else match["whose"] + ": "
    return module, whose + match["paper"].strip(), here, (match["because"] or "").strip()
