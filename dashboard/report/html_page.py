"""A report in, one HTML file out: no request leaves it, it prints, and it follows light and dark."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboard.report.figures import INK
from dashboard.report.parts import Report

_TEMPLATES = Path(__file__).resolve().parents[2] / "assets" / "report"
_FONT = "system-ui, sans-serif"
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(report: Report) -> str:
    """The whole file; every word of the report is escaped, and a policy in its head forbids any request."""
    return _environment.get_template("report.html").render(report=report, drawn=_drawn)


def _drawn(svg: str) -> Markup:
    """Our own figure, in the reader's ink and font; text inside it was escaped when it was drawn."""
    return Markup(svg.replace(INK, "currentColor").replace("'DejaVu Sans'", _FONT))
