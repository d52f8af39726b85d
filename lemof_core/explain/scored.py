"""A fitted model and a few samples in, everything that is stored of them out, as frames and arrays in one order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from lemof_core.batch import ScaledCohort
from lemof_core.decision import unions_of
from lemof_core.ecg_signal import LEADS
from lemof_core.explain.attention import attention_axes, attention_maps, module_two
from lemof_core.explain.embeddings import NOTE, embedding_widths, level_embeddings
from lemof_core.explain.gradients import METHOD, N_BINS, attribute
from lemof_core.explain.modalities import input_effects
from lemof_core.explain.owen import branch_phi
from lemof_core.explain.selection import selection_phi
from lemof_core.explain.trust import TRUST_COLUMNS, check_rows, trust_checks
from lemof_core.fusion.lemof import LemofModel
from lemof_core.typicality import judge

_EFFECT_COLUMNS = ("v_none", "v_ecg", "v_ehr", "v_both", "se_ecg", "se_ehr", "se_joint")


@dataclass(frozen=True)
class ArraySpec:
    """One array of a run: the shape of a row, its axes and a sentence on what it is."""

    shape: tuple[int, ...]
    dtype: str
    axes: dict[str, Any]
    note: str


@dataclass
class Scored:
    """Predictions and explanations of n samples; frames carry sample_id, arrays are aligned with `predictions`."""

    predictions: pd.DataFrame
    level_scores: pd.DataFrame
    branch_values: pd.DataFrame
    input_effects: pd.DataFrame
    trust: pd.DataFrame
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def array_specs(model: LemofModel) -> dict[str, ArraySpec]:
    """Return the arrays that scoring writes for this model; none where no gradient runs back to the inputs."""
    if not model.differentiable:
        return {}
    features = [*model.scaler.series_names, *model.scaler.static_names]
    specs = {
        "feature_attribution": ArraySpec(
            (len(features),),
            "float32",
            {"feature": features},
            f"log-odds; value, observed and time since summed per variable; {METHOD}",
        ),
        "completeness": ArraySpec(
            (2,),
            "float32",
            {"what": ["gap", "error"]},
            "log-odds; F(x) - F(baseline), and how far attributions miss it",
        ),
    }
    for name, width in embedding_widths(model).items():
        specs[name] = ArraySpec((width,), "float16", {"d": width}, NOTE)
    if not model.has_ecg_path:
        return specs
    specs["saliency"] = ArraySpec(
        (12, N_BINS), "float16", {"lead": list(LEADS), "seconds_per_bin": 10 / N_BINS}, f"log-odds; {METHOD}"
    )
    if not model.has_cross:
        return specs
    d_embedding = module_two(model.folds[0]).cross.out.in_features
    specs["embedding"] = ArraySpec(
        (d_embedding,), "float16", {"d": d_embedding}, "Module 2's last hidden vector, mean over folds"
    )
    if model.config.cross.vectors:  # of one token a modality there is no map to show
        return specs
    edges, names = attention_axes(model)
    n_ecg, n_ehr = len(edges) - 1, len(names)
    looked = "attention weights, mean over folds and heads: where Module 2 looked, not why"
    seconds = [round(float(edge), 4) for edge in edges]
    return specs | {
        "attention_ecg_from_ehr": ArraySpec(
            (n_ecg, n_ehr), "float16", {"ecg_edges_s": seconds, "ehr": list(names)}, looked
        ),
        "attention_ehr_from_ecg": ArraySpec(
            (n_ehr, n_ecg), "float16", {"ehr": list(names), "ecg_edges_s": seconds}, looked
        ),
        "attention_effect": ArraySpec(
            (1,),
            "float32",
            {"what": ["effect"]},
            "log-odds; mean absolute change when the attention weights are permuted",
        ),
    }


def score_samples(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, *, explain: bool = True) -> Scored:
    """Return everything that is stored of the rows; with explain=False only predictions, levels and branches.

    Samples without an ECG have zeros in the ECG arrays and no row in `input_effects`.
    """
    output = model.predict(cohort, rows)
    ports = output.intermediates["ports"]
    ids = np.array([cohort.arrays.sample_ids[int(row)] for row in rows], dtype=object)
    logit = output.logits[:, 0]
    predictions = pd.DataFrame(
        {"sample_id": ids, "path": output.intermediates["path"], "logit": logit, "p": expit(logit)}
    )
    predictions["logit_raw"] = output.intermediates["raw"]
    predictions["p_lo"] = predictions["p_hi"] = np.nan
    predictions = predictions.assign(**judge(model.typicality, cohort.arrays.take(rows)))
    levels, branches, effects, trust = [], [], [], []
    arrays = (
        {name: np.zeros((len(rows), *spec.shape), spec.dtype) for name, spec in array_specs(model).items()}
        if explain
        else {}
    )
    for path, at in model.paths(np.isfinite(ports[:, 0])).items():
        own = ports[at][:, model.columns(path)]
        low, high = model.interval(path, own)
        predictions.loc[at, "p_lo"], predictions.loc[at, "p_hi"] = expit(low), expit(high)
        levels += _level_rows(model, ids[at], own, path)
        branches += _branch_rows(model, ids[at], own, path)
        if explain:
            trust += _explain(model, cohort, rows, at, ids, path, arrays)
            if path == "both":
                effects += _effect_rows(model, cohort, rows[at], ids[at])
    columns = ["sample_id", *_EFFECT_COLUMNS, "n_background"]
    frames = (pd.DataFrame(levels), pd.DataFrame(branches), pd.DataFrame(effects, columns=columns))
    return Scored(predictions, *frames, pd.DataFrame(trust, columns=TRUST_COLUMNS, dtype=object), arrays)


def _level_rows(model: LemofModel, ids: np.ndarray, ports: np.ndarray, path: str) -> list[dict[str, Any]]:
    out = []
    for index, (modality, (phi, phi_p)) in enumerate(selection_phi(model, ports, path).items()):
        for row, sample_id in enumerate(ids):
            for k in range(3):
                out.append(
                    {
                        "sample_id": sample_id,
                        "modality": modality,
                        "level": k + 1,
                        "logit": ports[row, 3 * index + k],
                        "phi_logit": phi[row, k],
                        "phi_prob": phi_p[row, k],
                    }
                )
    return out


def _branch_rows(model: LemofModel, ids: np.ndarray, ports: np.ndarray, path: str) -> list[dict[str, Any]]:
    decision = model.decisions[path]
    if not decision.ports:
        return []
    phi, phi_p, _, _ = branch_phi(decision.logit, ports, model.port_background[path], unions_of(decision.ports))
    return [
        {
            "sample_id": sample_id,
            "port": port,
            "logit": ports[row, k],
            "phi_logit": phi[row, k],
            "phi_prob": phi_p[row, k],
        }
        for row, sample_id in enumerate(ids)
        for k, port in enumerate(decision.ports)
    ]


def _effect_rows(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray, ids: np.ndarray) -> list[dict[str, Any]]:
    found = input_effects(model, cohort, rows)
    each = {name: getattr(found, name) for name in _EFFECT_COLUMNS}
    return [
        {
            "sample_id": sample_id,
            **{name: values[i] for name, values in each.items()},
            "n_background": found.n_background,
        }
        for i, sample_id in enumerate(ids)
    ]


def _explain(
    model: LemofModel,
    cohort: ScaledCohort,
    rows: np.ndarray,
    at: np.ndarray,
    ids: np.ndarray,
    path: str,
    arrays: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Fill the arrays' rows `at` with attributions, and with attention where there is an ECG; return their checks."""
    if not arrays:
        return []
    found = attribute(model, cohort, rows[at], path)
    arrays["feature_attribution"][at] = found.feature
    arrays["completeness"][at] = np.stack([found.gap, found.error], axis=1)
    for name, vectors in level_embeddings(model, cohort, rows[at], path).items():
        arrays[name][at] = vectors
    if path == "both":
        arrays["saliency"][at] = found.saliency
    if path == "both" and model.has_cross:
        maps = attention_maps(model, cohort, rows[at])
        arrays["embedding"][at] = maps.embedding
        if "attention_effect" in arrays:
            arrays["attention_ecg_from_ehr"][at] = maps.ecg_from_ehr
            arrays["attention_ehr_from_ecg"][at] = maps.ehr_from_ecg
            arrays["attention_effect"][at, 0] = maps.effect
    return check_rows(trust_checks(model, cohort, rows[at], path, found), ids[at])
