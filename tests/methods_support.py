"""A choice of pairs and seeds comes in; folders as `lemof benchmark` writes them, with made-up numbers, go out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ECG = ("baseline", "lstm", "resnet", "wavenet")
EHR = ("baseline", "ft_transformer", "tpc", "tabnet", "tab_transformer")
PAIRS = tuple((ecg, ehr) for ecg in ECG for ehr in EHR)
DISEASES = ("diabetes", "lung cancer", "sepsis", "acute myocardial infarction", "dysrhythmia", "electrolyte disorder")
DISEASES += ("chronic kidney disease", "heart failure", "pneumonia", "kidney failure")
RIVALS = ("daft", "medfuse", "drfuse", "mmtm", "hyperfusion", "late", "level_mean", "ecg_only", "ehr_only")
STEPS = ("paper", "paper + logits", "paper + non-negative weights", "paper + residual", "robust")
METRICS = ("auroc", "acc_50", "acc_tuned", "f1_macro_50", "f1_macro_tuned")
N, EVENTS = 10_000, 4_259
_GOOD = {"lemof": 0.712, "late": 0.705, "level_mean": 0.707, "ecg_only": 0.619, "ehr_only": 0.686}


def result(value: float | None, metric: str, half: float = 0.01, **key: Any) -> dict[str, Any]:
    """One row of results.csv; the key's parts are empty where they are not given."""
    empty = {"ecg_encoder": "", "ehr_encoder": "", "fusion": "lemof", "variant": "", "arm": "", "fitting": "oof5"}
    row = empty | {"seed": 0, "stratum": "all", "metric": metric, "n": N, "events": EVENTS} | key
    bounds = (None, None) if value is None else (value - half, value + half)
    return row | dict(zip(("value", "lo", "hi"), (value, *bounds), strict=True))


def write_table(
    folder: Path,
    results: Sequence[dict[str, Any]],
    differences: Sequence[dict[str, Any]] = (),
    cells: Sequence[dict[str, Any]] = (),
    **about: Any,
) -> Path:
    """The folder holds the four files of one table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("results", results), ("differences", differences), ("cells", cells)):
        if rows:
            pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    known = {
        "command": f"lemof benchmark {folder.name}",
        "created_at": "2026-11-20 08:00 UTC",
        "code_version": "0.1.0",
        "synthetic": True,
        "n_by_split": {"train": 1_900, "val": 300, "meta": 450, "cal": 350, "test": N},
        "p_x_auroc": {"value": 0.835, "lo": 0.828, "hi": 0.843},
        "practical_limit_auroc": 0.779,
        "notes": ["Made-up numbers of a test."],
    }
    (folder / "about.json").write_text(json.dumps(known | about), encoding="utf-8")
    return folder


def write_benchmark(
    root: Path, pairs: Sequence[tuple[str, str]] = PAIRS, seeds: Sequence[int] = (0,), extras: bool = True
) -> Path:
    """A folder per table: table1 over the pairs, and with `extras` the other five."""
    rng = np.random.default_rng(11)
    results, differences, cells = [], [], []
    for ecg, ehr in pairs:
        of_pair = {"ecg_encoder": ecg, "ehr_encoder": ehr}
        shift = rng.normal(0, 0.012)
        for arm in ("frozen", "finetuned"):
            for seed in seeds:
                base = None
                for fusion, variant in (("lemof", "robust"), ("lemof", "paper"), *((name, "") for name in RIVALS)):
                    key = of_pair | {"fusion": fusion, "variant": variant, "arm": arm, "seed": seed}
                    auroc = _GOOD.get(fusion, 0.695) + shift + rng.normal(0, 0.006) - 0.006 * (variant == "paper")
                    base = auroc if base is None else base
                    results += _results(auroc, key)
                    cells.append(
                        {name: value for name, value in result(None, "", **key).items() if name in _CELL}
                        | {"seconds": rng.uniform(40, 400), "n_parameters": 250_000, "epochs": 12}
                    )
                    if (fusion, variant) != ("lemof", "robust"):
                        differences += [
                            {name: value for name, value in row.items() if name != "events"}
                            | {"against": "lemof robust"}
                            for row in (
                                result(base - auroc, "auroc", 0.004, **key),
                                result((base - auroc) / 2, "acc_tuned", 0.005, **key),
                            )
                        ]
    # No encoder and no seed has a part in it.
    results += _results(0.5, {"fusion": "majority", "fitting": ""})
    write_table(root / "table1", results, differences, cells)
    if extras:
        _write_extras(root, rng)
    return root


_CELL = ("ecg_encoder", "ehr_encoder", "fusion", "variant", "arm", "fitting", "seed")


def _results(auroc: float, key: dict[str, Any]) -> list[dict[str, Any]]:
    values = dict(zip(METRICS, auroc - np.array([0, 0.06, 0.05, 0.07, 0.06]), strict=True))
    return [result(value, metric, **key) for metric, value in values.items()]


def _write_extras(root: Path, rng: np.random.Generator) -> None:
    pair = {"ecg_encoder": "wavenet", "ehr_encoder": "ft_transformer", "arm": "frozen"}
    lemof = pair | {"variant": "robust"}
    sources = {"ecg_only": 0.61, "ehr_only": 0.68, "lemof_m1": 0.705, "lemof_m2": 0.70, "lemof": 0.71}
    by_disease = []
    for disease in DISEASES:
        for fusion, auroc in sources.items():
            few = disease == "lung cancer"
            key = (lemof if fusion.startswith("lemof") else pair) | {"fusion": fusion, "stratum": disease}
            rows = _results(
                auroc + rng.normal(0, 0.015), key | {"n": 90 if few else 1_300, "events": 3 if few else 600}
            )
            by_disease += [row | ({"value": None, "lo": None, "hi": None} if few else {}) for row in rows]
    write_table(root / "table2", by_disease)
    write_table(root / "table3", by_disease)
    ladder = [_results(0.704 + 0.002 * place, pair | {"variant": step}) for place, step in enumerate(STEPS)]
    write_table(root / "ablation", [row for rows in ladder for row in rows])
    strata = [f"t0={t0} cut={cut}" for t0, cut in ((12, 72), (24, 48), (24, 72), (24, 120), (48, 120))]
    cohorts = [
        _results(
            0.68 + rng.normal(0, 0.02),
            lemof | {"stratum": one, "n": 9_000 - 500 * place, "events": 4_000 - 700 * place},
        )
        for place, one in enumerate(strata)
    ]
    write_table(root / "sensitivity", [row for rows in cohorts for row in rows])
    leak = [
        _results(auroc, lemof | {"fitting": name})
        for name, auroc in (("oof5", 0.712), ("holdout", 0.7), ("naive", 0.66))
    ]
    write_table(root / "leak", [row for rows in leak for row in rows])
