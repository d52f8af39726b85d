"""The numbers of a table in, the page that is read without the dashboard out: results.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lemof_core.benchmark.cells import CELL_FIELDS, PAPER_FUSIONS
from lemof_core.benchmark.over_seeds import over_seeds

_METRICS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "acc_50": "ACC at 0.5",
    "acc_tuned": "ACC, tuned",
    "f1_macro_50": "macro-F1 at 0.5",
    "f1_macro_tuned": "macro-F1, tuned",
    "brier": "Brier",
    "cal_slope": "calibration slope",
}
_RANKED = {"auroc": "AUROC", "acc_50": "ACC at 0.5", "acc_tuned": "ACC, tuned"}
_BUT_SEED = [name for name in CELL_FIELDS if name != "seed"]
_PAIR = ["ecg_encoder", "ehr_encoder"]  # within which fusions are ranked
_COSTS = {"seconds": "seconds", "n_parameters": "parameters", "epochs": "epochs"}


def markdown(results: pd.DataFrame, differences: pd.DataFrame, costs: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Return what the data are, metrics by model and group of patients, ranks, differences from LeMoF, and costs.

    results, differences, costs: rows as in the table's CSV files.
    """
    parts = [*_of_what(about), "", "## Results", "", *_results(results)]
    for title, lines in (
        ("Mean rank among the paper's fusions, all patients (1 is best)", _ranks(results)),
        ("AUROC of LeMoF `robust` minus that of each other, on the same drawn patients", _differences(differences)),
        ("Cost of a fit; seconds leave Stage 1 out and depend on the machine", _costs(costs)),
    ):
        found = list(lines)
        parts += ["", f"## {title}", "", *found] if len(found) > 2 else []  # more than a head
    return "\n".join(parts) + "\n"


def _of_what(about: Mapping[str, Any]) -> Iterator[str]:
    n = about["n_by_split"]["test"]["n"]
    yield from (f"**{line}**\n" for line in about.get("not_estimable", ()))
    yield "**Synthetic patients.**" if about["synthetic"] else "Patients of the store's own cohort."
    if about["surrogate_ecg"]:
        yield "**Surrogate ECGs: the waveforms are other people's, and no number here says what an ECG is worth.**"
    yield f"n = {n} tested, [95 % interval] by patient bootstrap. Measured by `{about['command']}`."
    yield "The interval of a mean over seeds holds the noise of fitting again too; each seed is in the CSV."


def _table(columns: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _named(key: Mapping[str, Any]) -> list[str]:
    fusion = f"{key['fusion']} {key['variant']}".rstrip()
    return [
        key["ecg_encoder"],
        key["ehr_encoder"],
        fusion,
        key["arm"],
        key["fitting"],
        ", ".join(map(str, key["seeds"])),
    ]


_NAMED = ["ECG", "EHR", "fusion", "arm", "fitting", "seeds"]


def _results(results: pd.DataFrame) -> Iterator[str]:
    there = [name for name in _METRICS if (results["metric"] == name).any()]

    found = over_seeds(results, [*_BUT_SEED, "stratum", "metric"])

    def rows() -> Iterator[list[str]]:
        for _, some in found.groupby([*_BUT_SEED, "stratum"], sort=False):
            by_metric, first = some.set_index("metric"), some.iloc[0]
            yield [*_named(first), first["stratum"], *(_shown(by_metric.loc[name]) for name in there)]

    yield from _table([*_NAMED, "patients", *(_METRICS[name] for name in there)], rows())


def _shown(row: Any) -> str:
    if pd.isna(row["value"]):
        return f"not estimable, n = {row['n']}"
    return f"{row['value']:.3f} [{row['lo']:.3f}-{row['hi']:.3f}]"


def _ranks(results: pd.DataFrame) -> Iterator[str]:
    """Ranks by the mean over seeds within a pair, averaged over pairs in which all fusions of an arm have a number."""
    own = results[(results["stratum"] == "all") & results["fusion"].isin(PAPER_FUSIONS)]
    own = own[own["variant"].isin(("", "robust")) & (own["arm"] != "")]
    own = over_seeds(own, [*_BUT_SEED, "metric"])
    groups = own.groupby(["fitting", "arm"], sort=False) if own["fusion"].nunique() > 1 else []

    def rows() -> Iterator[list[str]]:
        for (fitting, arm), some in groups:
            wide = {
                metric: some[some["metric"] == metric].pivot(index=_PAIR, columns="fusion", values="value").dropna()
                for metric in _RANKED
            }
            ranks = {metric: values.rank(axis=1, ascending=False).mean() for metric, values in wide.items()}
            for fusion in (name for name in PAPER_FUSIONS if name in set(some["fusion"])):
                means = [
                    f"{ranks[metric][fusion]:.2f}" if len(values) else f"not estimable, n = {len(values)}"
                    for metric, values in wide.items()
                ]
                yield [fitting, arm, str(len(wide["auroc"])), fusion, *means]

    yield from _table(["fitting", "arm", "pairs", "fusion", *_RANKED.values()], rows())


def _differences(differences: pd.DataFrame) -> Iterator[str]:
    found = over_seeds(differences[differences["metric"] == "auroc"], [*_BUT_SEED, "stratum"])

    def rows() -> Iterator[list[str]]:
        for row in found.to_dict("records"):
            interval = f"{row['value']:+.4f} [{row['lo']:+.4f}, {row['hi']:+.4f}]"
            yield [*_named(row), row["stratum"], str(row["n"]), interval]

    yield from _table([*_NAMED, "patients", "n", "LeMoF minus it"], rows())


def _costs(costs: pd.DataFrame) -> Iterator[str]:
    means = {name: (name, "mean") for name in _COSTS}
    found = costs.groupby(_BUT_SEED, sort=False).agg(seeds=("seed", list), **means).reset_index()

    def rows() -> Iterator[list[str]]:
        for row in found.to_dict("records"):
            yield [*_named(row), *("" if pd.isna(row[name]) else f"{row[name]:,.6g}" for name in _COSTS)]

    yield from _table([*_NAMED, *_COSTS.values()], rows())
