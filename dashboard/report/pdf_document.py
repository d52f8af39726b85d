"""A report in, a PDF out: vector figures, text that can be selected, the same bytes for the same report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import typst

from dashboard.report.figures import INK
from dashboard.report.parts import Report

_TEMPLATE = Path(__file__).resolve().parents[2] / "assets" / "report" / "report.typ"
_BLACK = "#1a1c1e"


def pdf(report: Report) -> bytes:
    """The whole document, A4.

    The words travel as data, never as Typst source, so no name in the store can be read as a command. The fonts are
    those that come with Matplotlib and Typst: what else is installed changes nothing.
    """
    data = json.dumps(asdict(report), allow_nan=False).replace(INK, _BLACK)
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    made = typst.compile(
        str(_TEMPLATE), format="pdf", sys_inputs={"report": data}, font_paths=[str(fonts)], ignore_system_fonts=True
    )
    assert isinstance(made, bytes)
    return made
