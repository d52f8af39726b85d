"""Stored metrics of a run in; one of them out, or a sentence where they are not of the stays that are scored now."""

from __future__ import annotations

from typing import Any

import pandas as pd


def one_metric(found: pd.DataFrame, name: str, source: str = "final", deaths: str = "with") -> dict[str, Any] | None:
    """The overall metric of a source as a mapping; None where it was not evaluated."""
    here = (found["source"] == source) & (found["stratum_kind"] == "all") & (found["deaths"] == deaths)
    rows = found[here & (found["name"] == name)].to_dict("records")
    return {str(key): value for key, value in rows[0].items()} if rows else None


def outdated(
    found: pd.DataFrame, n: int, events: int, *, run_id: str, split: str = "test", deaths: str = "with"
) -> str:
    """What the metrics are of, where stays were scored, or their outcomes read anew, since; else nothing.

    Args:
        found: the columns of `read_results.metrics` on the split; n, events: of the predictions with a known outcome.
        deaths: with or without in-ICU deaths before the cut, in the counts too.
    """
    one = one_metric(found, "auroc", deaths=deaths)
    if one is None or (one["n"], one["events"]) == (n, events):
        return ""
    return (
        f"The stored metrics are of {one['n']:,} stays, {one['events']:,} long; by now {n:,} are scored, {events:,} "
        f"long. Run `lemof evaluate --run {run_id} --split {split}`: until then AUROC, AUPRC, Brier score, calibration "
        "slope and intercept, groups and parts are not of the same stays as what is counted here."
    )
