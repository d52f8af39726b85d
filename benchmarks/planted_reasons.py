"""No ratio: on synthetic truth, is what decided a case among its three reasons, and do explanations pass their checks?

The decisive driver of a stay is the term of the generator's log-odds that lies furthest from its mean over the stays:
one of the record's own effects, or an ECG feature with its partner in the record, where naming either counts.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from side_by_side import report

from cohort_db import read_comparable, read_results
from cohort_db.arrays import ArrayStore
from cohort_db.store import Store, open_store
from cohort_db.synthetic.ecg_parameters import u_scores
from cohort_db.synthetic.outcome import LEVELS, Outcome, Signal, ecg_scores, partner_scores
from dashboard.case_reasons import N_REASONS
from dashboard.facts import grouped
from dashboard.queries_case import Explained, against_usual
from dashboard.trust_badge import verdicts
from lemof_core.jobs.demo import demo

PARTNER = {"low": "magnesium", "mid": "troponin_t", "high": "potassium"}


def main() -> None:
    """Measure on the demo store (LEMOF_HOME, else made anew) and report."""
    home = os.environ.get("LEMOF_HOME")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(home or scratch)
        store = open_store(f"sqlite:///{folder / 'cohort.db'}", create=True)
        run_id = demo(store)["run_id"]
        found = measure(store, run_id, pd.read_csv(folder / "demo" / "truth.csv"))
        store.close()
        report("planted_reasons", found)


def terms(truth: pd.DataFrame) -> pd.DataFrame:
    """Return the generator's terms (log-odds) by the facts that a reason would name, ecg+partner for an ECG feature."""
    u = {name.removeprefix("u_"): truth[name].to_numpy(float) for name in truth if name.startswith("u_")}
    e = {
        name: truth[name].to_numpy(float) for name in truth if not name.startswith("u_") and truth[name].dtype != object
    }
    z, signal = u_scores(u), Outcome(Signal(LEVELS))
    out = {
        "gcs": 0.17 * np.minimum(15 - u["gcs_min"], 9),
        "respiratory_rate": 0.31 * z["respiratory_rate"],
        "spo2": -0.31 * z["spo2"],
        "kidney": 0.36 * np.tanh(z["creatinine"]),
        "lactate": 0.24 * z["lactate"],
        "blood_pressure": 0.07 * np.maximum(72 - u["map_mean"], 0),
        "age": -0.17 * z["age"] ** 2,
    }
    scores, partners = ecg_scores(e), partner_scores(u)
    for level in LEVELS:
        both = signal.main_weight * scores[level] + signal.interaction_weight * scores[level] * partners[level]
        out[f"ecg+{PARTNER[level]}"] = both
    return pd.DataFrame(out, index=truth["stay_id"])


def measure(store: Store, run_id: str, truth: pd.DataFrame) -> dict[str, Any]:
    """Return how often the decisive driver is among the reasons, how checks came out, how far deletions moved."""
    predicted = read_results.predictions(store, run_id)
    predicted = predicted[predicted["array_row"].notna()].reset_index(drop=True)
    away = terms(truth).reindex(predicted["stay_id"]).fillna(0.0)
    away = away - away.mean()
    arrays = ArrayStore(store, run_id)
    rows = predicted["array_row"].to_numpy(np.int64)
    names = arrays.meta("feature_attribution")["axes"]["feature"]
    features, saliency = arrays.read("feature_attribution", rows), arrays.read("saliency", rows)
    completeness = arrays.read("completeness", rows)
    usual = {path: read_comparable.usual_attribution(store, run_id, path) for path in ("both", "ehr")}
    hits, strong, passed, ratios = [], [], {}, []
    for at, row in enumerate(predicted.itertuples()):
        own = away.iloc[at].drop([name for name in away if name.startswith("ecg+") and row.path == "ehr"])
        driver = str(own.abs().idxmax())
        raw = Explained(
            dict(zip(names, features[at].astype(float).tolist(), strict=True)),
            saliency[at].astype(float) if row.path == "both" else None,
            (), 0.04, *completeness[at].astype(float).tolist(), "",
        )  # fmt: skip
        explained = against_usual(raw, usual[row.path])
        parts = grouped(explained, read_results.input_effect(store, run_id, row.sample_id))
        reasons = set(sorted(parts, key=lambda name: -abs(parts[name]))[:N_REASONS])
        hits.append(bool(reasons & set(driver.split("+"))))
        strong.append(float(own.abs().max()) >= 2 * float(own.abs().drop(driver).max()))
        checks = read_results.trust(store, run_id, row.sample_id)
        for verdict in verdicts(checks, explained):
            passed.setdefault(verdict.name.lower(), []).append(verdict.passed)
        of_ecg = checks[checks["modality"] == "ecg"]
        ratios += (of_ecg["deleted_salient"] / of_ecg["deleted_random"]).tolist()
    clear = [hit for hit, is_strong in zip(hits, strong, strict=True) if is_strong]
    return {
        "driver_among_three_reasons": _share(hits),
        "where_it_is_twice_the_next": _share(clear),
        "checks_passed": {name: _share(which) for name, which in passed.items()},
        "deleted_salient_over_random_median": round(float(np.median(ratios)), 2),
        "deletion_cases": len(ratios),
    }


def _share(which: list[Any]) -> dict[str, Any]:
    """Return the share that is true with its one-sided 95 % lower bound and n."""
    k, n = sum(bool(one) for one in which), len(which)
    low = binomtest(k, n, alternative="greater").proportion_ci(0.95, method="wilson").low
    return {"share": round(k / n, 3), "lower_95": round(float(low), 3), "n": n}


if __name__ == "__main__":
    main()
