"""A page in a browser in, its serious and critical violations of accessibility, found by axe-core, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "axe" / "axe.min.js"
VERSION = "4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page, exceptions: dict[str, tuple[str, ...]]) -> list[str]:
    """One line for each element that breaks a rule with impact serious or critical: rule, element, what is wrong.

    Args:
        exceptions: rule -> CSS selectors of elements that may break it; an element inside one is excepted too.
    """
    page.add_script_tag(path=str(AXE)) if page.evaluate("() => !window.axe") else None
    found: dict[str, Any] = page.evaluate(
        "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })", RULES
    )
    assert found["testEngine"]["version"] == VERSION
    lines = []
    for rule in found["violations"]:
        if rule["impact"] not in ("serious", "critical"):
            continue
        for node in rule["nodes"]:
            target = node["target"][-1]
            where = target if isinstance(target, str) else target[-1]
            allowed = exceptions.get(rule["id"], ())
            if not page.evaluate(
                "([where, allowed]) => { const one = document.querySelector(where);"
                " return !!one && allowed.some((selector) => one.closest(selector)); }",
                [where, list(allowed)],
            ):
                message = " ".join(node["failureSummary"].split())
                lines.append(f"{rule['id']} ({rule['impact']}): {where} {message[:300]}")
    return lines
