"""A LiveResult in, the page's answer out: probability, reasons, waterfall, ECG, and what the reader must know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts.risk import risk_scale
from dashboard.charts.waterfall import sum_in_words, waterfall
from dashboard.ecg_paper import ecg_paper
from dashboard.live_input import UploadedEcg
from dashboard.wording import LABEL, interval, probability, signed
from lemof_core.live import LiveResult

LIVE = "live"
SAME = 1e-5  # log-odds: what another machine's arithmetic may change


def show(result: LiveResult, ecg: UploadedEcg | None, run: dict[str, Any], stored_logit: float | None) -> None:
    """Draw the result."""
    left, right = st.columns([62, 38], gap="medium")
    with left:
        _ecg(result, ecg, run)
    with right:
        _risk(result, run)
        if stored_logit is not None:
            _compare(float(result.prediction["logit"]), stored_logit)
        _reasons(result)
        _waterfall(result)
    for note in result.notes:
        st.warning(note)


def _risk(result: LiveResult, run: dict[str, Any]) -> None:
    prediction, calibration = result.prediction, result.calibration
    p, low, high = prediction["p"], prediction["p_lo"], prediction["p_hi"]
    st.subheader(LABEL)
    base = calibration["base_rate"]
    st.markdown(
        "<span class='tabular' data-testid='live-probability' style='font-size:1.9rem;font-weight:600'>"
        f"{probability(p)}</span> "
        f"<span style='opacity:.7'>{interval(low, high)}</span>",
        unsafe_allow_html=True,
    )
    scale = risk_scale(p, low, high, base_rate=base, threshold=calibration["threshold"])
    st.markdown(scale, unsafe_allow_html=True)
    path = "ECG and health record" if prediction["path"] == "both" else "health record alone"
    st.caption(
        f"From {path}, run {run['run_id']}. Interval: 90 % of refits of the stacked decision and calibrator; the "
        f"encoders are not refitted. Base rate {base:.2f} among the samples the decision was fitted on. Death in the "
        "ICU before 72 h counts as not staying: a low probability is not good news by itself."
    )


def _compare(logit: float, stored: float) -> None:
    difference = abs(logit - stored)
    told = f"Stored log-odds {stored:.6f}, predicted now {logit:.6f}: difference {difference:.1e}."
    if difference <= SAME:
        st.success(f"The same as the stored prediction. {told}")
    else:
        st.error(f"NOT the stored prediction. {told} The raw files or the store have changed since scoring.")


def _reasons(result: LiveResult) -> None:
    names = result.axes["feature_attribution"]["feature"]
    values = dict(zip(names, result.arrays["feature_attribution"].astype(float), strict=True))
    if result.prediction["path"] == "both":
        values["ECG waveform"] = float(result.arrays["saliency"].astype(float).sum())
    strongest = sorted(values.items(), key=lambda item: -abs(item[1]))[:5]
    gap, error = result.arrays["completeness"].astype(float)
    st.subheader("Strongest attributions")
    table = pd.DataFrame(
        {
            "input": [name.replace("_", " ") for name, _ in strongest],
            "log-odds": [signed(value) for _, value in strongest],
        }
    )
    st.dataframe(table, hide_index=True, width="stretch", height="content")
    st.caption(
        f"Integrated gradients from a baseline patient; they miss their sum ({signed(gap)}) by {error:.3f} log-odds."
    )


def _waterfall(result: LiveResult) -> None:
    branches = pd.DataFrame(result.branch_values)
    base, total = float(result.calibration["base_logit"]), float(result.prediction["logit"])
    st.subheader("How the inner predictions add up")
    figure = waterfall(branches, base=base, total=total, scale="log-odds")
    parts = dict(zip(branches["port"], branches["phi_logit"], strict=True))
    st.plotly_chart(
        figure,
        width="stretch",
        key="live_waterfall",
        config={"displayModeBar": False},
        alt=f"Waterfall of Owen values: {sum_in_words(base, parts, total)}",
    )
    st.caption("The base is the model's mean over its background patients, not the base rate.")


def _ecg(result: LiveResult, ecg: UploadedEcg | None, run: dict[str, Any]) -> None:
    if ecg is None:
        st.info("No ECG was given. The model has a path of its own for that; it was fitted without ECGs.")
        return
    factor = {"uv": 1e-3, "µv": 1e-3, "v": 1e3}.get(ecg.units[0].lower(), 1.0)
    known = {lead.lower(): lead for lead in ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7)))}
    columns = [index for index, name in enumerate(ecg.sig_name) if name.strip().lower() in known]
    names = [known[ecg.sig_name[index].strip().lower()] for index in columns]
    if not names:
        st.warning("No lead of this file has a standard name, so it cannot be drawn.")
        return
    shown = st.toggle("Saliency over the traces", key="live_saliency", disabled="saliency" not in result.arrays)
    saliency = _in_order(result.arrays["saliency"], names) if shown and result.prediction["path"] == "both" else None
    quality = {lead: ", ".join(flags) for lead, flags in (result.quality or {}).items() if flags and lead in names}
    ecg_paper(
        np.asarray(ecg.p_signal[:, columns].T * factor, dtype=float),
        round(ecg.fs),
        names,
        stay_id=LIVE,
        run_id=run["run_id"],
        key="live_ecg_paper",
        saliency=saliency,
        quality=quality or None,
        caption="uploaded, unfiltered",
    )
    m = result.measurements
    facts = [
        (f"HR {m['heart_rate_bpm']:.0f}/min" if "heart_rate_bpm" in m else "HR –"),
        (f"PR {m['pr_ms']:.0f} ms" if "pr_ms" in m else "PR –"),
        (f"QRS {m['qrs_ms']:.0f} ms" if "qrs_ms" in m else "QRS –"),
        (f"QTc (Fridericia) {m['qtcf_ms']:.0f} ms" if "qtcf_ms" in m else "QTc –"),
    ]
    st.caption(" · ".join(facts) + " · automated, unconfirmed")


def _in_order(saliency: np.ndarray, names: list[str]) -> np.ndarray:
    """Return (n, bins) rows of the standard-order saliency in the order of `names`."""
    standard = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    return saliency[[standard.index(name) for name in names]].astype(float)
