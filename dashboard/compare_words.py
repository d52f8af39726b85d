"""Differences between two runs in, the names, digits and short sentences that /compare says them with out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.wording import recipe
from lemof_core.evaluation.comparison import HIGHER_IS_BETTER, LOWER_IS_BETTER

METRIC_WORDS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "log_loss": "Log loss (nats)",
    "cal_slope": "Calibration slope",
    "cal_intercept": "Calibration intercept (log-odds)",
    "o_e": "Observed / expected long stays",
    "acc": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "alarms": "Share with an alarm",
    "net_benefit": "Net benefit",
}


UNCLEAR = "not clear"  # an interval that holds 0


def run_name(run: Mapping[str, Any]) -> str:
    """A run in short: 2f4a4f44ba · seed 0 · lemof robust · resnet + ft_transformer · oof5 · 2026-11-20 10:00.

    What tells runs apart stands first, where a narrow box still shows it.
    """
    encoders = " + ".join(str(run[name]) for name in ("ecg_encoder", "ehr_encoder") if run[name])
    made = f"{run['created_at']:%Y-%m-%d %H:%M}"
    parts = [run["run_id"], f"seed {run['seed']}", recipe(run), encoders, run["fitting"], made]
    return " · ".join(str(part) for part in parts if part)


def signed_3(value: float) -> str:
    """Three digits with a true sign, +0.012 or −0.012; what rounds to nothing has none."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def gap(value: float | None, low: float | None, high: float | None, note: str | None = None) -> str:
    """A difference with its interval, +0.012 [−0.003 to +0.027], or why there is none."""
    if value is None:
        return note or "not estimable"
    return signed_3(value) if low is None or high is None else f"{signed_3(value)} {ends(low, high)}"


def ends(low: float, high: float) -> str:
    """An interval of signed numbers."""
    return f"[{signed_3(low)} to {signed_3(high)}]"


def p_words(p: float | None) -> str:
    """A p-value: 0.21, 0.003, <0.001; an en dash where there is none."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def equals(p: float | None) -> str:
    """What follows the letter of a p-value: = 0.21, < 0.001."""
    words = p_words(p)
    return f"< {words[1:]}" if words.startswith("<") else f"= {words}"


def who_is_better(name: str, low: float | None, high: float | None, exact: float | None = None) -> str:
    """Which run an interval of A − B favours: A better, B better, they differ, or UNCLEAR.

    Args:
        exact: McNemar's p for the same difference, where there is one: with few verdicts that differ, draws of patients
            hardly ever hold none of them, and their interval leaves 0 out too easily.
    """
    if low is None or high is None or low <= 0 <= high or (exact is not None and exact >= 0.05):
        return UNCLEAR
    if name not in HIGHER_IS_BETTER | LOWER_IS_BETTER:
        return "they differ"
    return "A better" if (low > 0) == (name in HIGHER_IS_BETTER) else "B better"


def stays(n: int, kind: str = "stay") -> str:
    """A count with its noun: 1 stay, 1,234 stays."""
    return f"{n:,} {kind}" if n == 1 else f"{n:,} {kind}s"
