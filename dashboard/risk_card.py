"""What is known of one prediction in, the risk card's markup out, for stored and live predictions alike. Pure."""

from __future__ import annotations

import html
from dataclasses import dataclass

from dashboard.charts.risk import risk_scale
from dashboard.wording import interval, probability

INTERVAL = "The interval is of 90 % over refits of the stacked decision and calibration; encoders are not refitted."
LOW = "Low is no good news: a stay also ends by death."


@dataclass(frozen=True)
class Risk:
    """One prediction as the card shows it.

    base_rate: of whom base_words speaks. abstains: why no recommendation may be made, one sentence a reason.
    short: sentences that stand on the card; more: those beneath it, to be opened.
    """

    p: float
    low: float | None
    high: float | None
    threshold: float | None
    base_rate: float | None
    base_words: str
    set_words: str
    abstains: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


def risk_markup(risk: Risk) -> str:
    """Return the card; one that abstains shows its reasons first, and the number without scale and without colour."""
    more = "".join(f"<p>{html.escape(one)}</p>" for one in risk.more)
    opened = f'<details class="case-footnote"><summary>How to read this</summary>{more}</details>' if more else ""
    short = " ".join(html.escape(one) for one in risk.short)
    remarks = f'<div class="case-remarks">{short}</div>' if short else ""
    if risk.abstains:
        return _abstains(risk) + remarks + opened
    scale = risk_scale(risk.p, risk.low, risk.high, base_rate=risk.base_rate, threshold=risk.threshold)
    return (
        f'<div class="case-risk"><span class="case-p" data-testid="risk-probability">{probability(risk.p)}</span> '
        f'<span class="case-interval">{interval(risk.low, risk.high) or "no interval"}</span>'
        f'<span class="case-base">{html.escape(risk.base_words)}</span></div>{scale}'
        f'<div class="case-set" data-testid="prediction-set">{html.escape(risk.set_words)}</div>{remarks}{opened}'
    )


def _abstains(risk: Risk) -> str:
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in risk.abstains)
    number = f"{probability(risk.p)} {interval(risk.low, risk.high)}".strip()
    return (
        '<div class="case-risk case-abstains" role="note" data-testid="abstains"><div><b>No recommendation</b>'
        f"<ul>{reasons}</ul><small>The number that the model gives all the same, not to be relied on: "
        f'<span data-testid="abstained-probability">{number}</span>.</small>'
        "</div></div>"
    )
