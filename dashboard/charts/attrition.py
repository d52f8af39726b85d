"""The attrition table in, a flow of bars as HTML out: how many stays came in, and who left by which rule."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd


def attrition_flow(rows: pd.DataFrame) -> str:
    """A table whose bars are as long as the stays left; it reads as a table without any picture.

    Args:
        rows: step, rule, label, n_before, n_left_out, n_after, in the order of the rules.
    """
    total = int(rows["n_before"].max()) if len(rows) else 0
    of_rules: list[Any] = rows.to_dict("records")
    body = "".join(_row(row, total) for row in of_rules)
    head = '<tr><th scope="col">Rule</th><th scope="col">Stays kept</th><th scope="col">Left out</th></tr>'
    return (
        '<table class="lemof-attrition" data-testid="attrition"><caption>Who was left out, rule after rule</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _row(row: dict[str, Any], total: int) -> str:
    after, gone = int(row["n_after"]), int(row["n_left_out"])
    share = 100 * after / total if total else 0
    lost = 100 * gone / total if total else 0
    return (
        f'<tr><th scope="row">{html.escape(str(row["label"]))}</th>'
        f'<td><div class="lemof-kept"><div class="lemof-bar"><i style="width:{share:.2f}%"></i>'
        f'<s style="width:{lost:.2f}%"></s></div><b>{after:,}</b></div></td>'
        f"<td>{f'−{gone:,}' if gone else ''}</td></tr>"
    )
