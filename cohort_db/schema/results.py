"""What runs said. A run is written once and never changed; every shown number names its run.

A port is one of the inner predictions that the final decision reads: ecg_1..3, ehr_1..3, cross.
"""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey, Index, String, Table, Text

from cohort_db.schema.column_types import FiniteFloat, Json, Moment, Whole
from cohort_db.schema.metadata import METADATA, col

run = Table(
    "run",
    METADATA,
    col("run_id", String(40), "short hash of config, weights and data", primary_key=True),
    col("task", String(20), "task", index=True),
    col("fusion", String(30), "e.g. lemof"),
    col("preset", String(20), "paper or robust for lemof; empty otherwise"),
    col("ecg_encoder", String(30), "registry name"),
    col("ehr_encoder", String(30), "registry name"),
    col("fitting", String(10), "oof5, holdout or naive"),
    col("seed", Whole, "random seed"),
    col("config", Json, "whole configuration"),
    col("folder", Text, "checkpoint folder: relative to the store's, or the shipped run's name"),
    col("created_at", Moment, "UTC when fitted"),
    col("code_version", String(40), "version of lemof_core that fitted it"),
    col("synthetic", Boolean, "fitted on synthetic patients"),
    col("surrogate_ecg", Boolean, "fitted on surrogate waveforms"),
    col("shipped", Boolean, "fitted elsewhere and imported: no patient of this store was used to fit it"),
    col("n_by_split", Json, "split -> {n, events} the run was fitted with"),
    col("not_estimable", Json, "what could not be fitted -> sentence with n"),
    col("fit_report", Json, "histories, chosen penalties, seconds; for the model card"),
    col("t0_hours", FiniteFloat, "hours from intime to t0 that the run was fitted for"),
    col("cut_hours", FiniteFloat, "label 1: a stay longer than this, hours; NULL for other tasks", nullable=True),
)

calibration = Table(
    "calibration",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("path", String(10), "both, or ehr (no ECG)", primary_key=True),
    col("slope", FiniteFloat, "calibrated logit = slope * logit + intercept, slope > 0"),
    col("intercept", FiniteFloat, "log-odds"),
    col("threshold", FiniteFloat, "probability cut tuned on cal (Youden); NULL when not estimable", nullable=True),
    col("n", Whole, "cal samples used"),
    col("events", Whole, "cal samples with label 1"),
    col("base_logit", FiniteFloat, "v(empty) on the logit scale: mean over the background"),
    col("base_p", FiniteFloat, "v(empty) on the probability scale: mean over the background"),
    col("base_rate", FiniteFloat, "share of label 1 among the samples the decision was fitted on"),
    col("n_base", Whole, "samples behind base_rate; NULL in runs of older stores", nullable=True),
)

prediction = Table(
    "prediction",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), primary_key=True),
    col("split", String(8), "part that the sample was for this run: train, val, meta, cal or test"),
    col("path", String(10), "both, or ehr (no usable ECG)"),
    col("logit", FiniteFloat, "calibrated log-odds"),
    col("p", FiniteFloat, "calibrated probability"),
    col("p_lo", FiniteFloat, "5 % quantile over refits of the stacked decision and the calibrator", nullable=True),
    col("p_hi", FiniteFloat, "95 % quantile over refits of the stacked decision and the calibrator", nullable=True),
    col("logit_raw", FiniteFloat, "log-odds before calibration"),
    col("array_row", Whole, "row in the run's arrays; NULL while not explained", nullable=True),
    col("typical_ecg", FiniteFloat, "conformal p-value of the ECG: share of cal as unusual or more", nullable=True),
    col("typical_ehr", FiniteFloat, "conformal p-value of the record: share of cal as unusual or more", nullable=True),
    col(
        "unusual",
        Json,
        "facts that lie furthest out where typical_* is below the cut: [modality, name, share]",
        nullable=True,
    ),
    col("stay_id", Whole, "stay of the sample, which filters join by; always written", nullable=True),
    Index("ix_prediction_sample", "sample_id"),
    # Holds all that the cohort page filters and orders by, so that the wide rows stay unread.
    Index("ix_prediction_browse", "run_id", "stay_id", "sample_id", "p", "path", "split"),
)

conformal = Table(
    "conformal",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("path", String(10), "both or ehr", primary_key=True),
    col("label", Whole, "class, 0 or 1", primary_key=True, autoincrement=False),
    col("alpha", FiniteFloat, "promised share of this class that its set misses"),
    col("n", Whole, "cal samples of this class"),
    col("cutoff", FiniteFloat, "largest 1 - p(class) that is in the set; NULL where n is too small", nullable=True),
)

trust = Table(
    "trust",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), primary_key=True),
    col("modality", String(10), "whose attribution is tested: ecg (bins) or ehr (variables)", primary_key=True),
    col("deleted_salient", FiniteFloat, "|change of log-odds| without the most salient tenth of the modality"),
    col("deleted_random", FiniteFloat, "the same without a random tenth, mean over draws"),
    col("deleted_random_most", FiniteFloat, "the same, largest of the draws"),
    col("n_random", Whole, "random draws"),
    col("rank_correlation", FiniteFloat, "Spearman of the attribution with that of redrawn weights", nullable=True),
)

level_score = Table(
    "level_score",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), primary_key=True),
    col("modality", String(10), "ecg or ehr", primary_key=True),
    col("level", Whole, "1 low, 2 mid, 3 high", primary_key=True, autoincrement=False),
    col("logit", FiniteFloat, "the level head's own prediction, log-odds"),
    col("phi_logit", FiniteFloat, "selection_phi (eq. 5), closed form, log-odds of G_m"),
    col("phi_prob", FiniteFloat, "selection_phi (eq. 5), 8 coalitions, probability of G_m"),
)

branch_value = Table(
    "branch_value",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), primary_key=True),
    col("port", String(10), "ecg_1..3, ehr_1..3, cross", primary_key=True),
    col("logit", FiniteFloat, "the port's value, log-odds"),
    col("phi_logit", FiniteFloat, "Owen value on the logit scale"),
    col("phi_prob", FiniteFloat, "Owen value on the probability scale"),
)

input_effect = Table(
    "input_effect",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("sample_id", String(60), "sample", ForeignKey("sample.sample_id"), primary_key=True),
    col("v_none", FiniteFloat, "v(0): both modalities from the background, calibrated logit"),
    col("v_ecg", FiniteFloat, "v(1): ECG of the patient, EHR from the background"),
    col("v_ehr", FiniteFloat, "v(2): EHR of the patient, ECG from the background"),
    col("v_both", FiniteFloat, "v(12): the patient's calibrated logit"),
    col("n_background", Whole, "background samples averaged over"),
    col("se_ecg", FiniteFloat, "standard error of v(1) - v(0) over the background; NULL in old stores", nullable=True),
    col("se_ehr", FiniteFloat, "standard error of v(2) - v(0) over the background", nullable=True),
    col("se_joint", FiniteFloat, "standard error of v(12) - v(1) - v(2) + v(0) over the background", nullable=True),
)

level_choice = Table(
    "level_choice",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("modality", String(10), "ecg or ehr", primary_key=True),
    col("level", Whole, "1..3; 0 is M2's own EHR tokenizer", primary_key=True, autoincrement=False),
    col("mean_abs_phi", FiniteFloat, "mean |selection_phi| over the fitting rows, log-odds", nullable=True),
    col("weight", FiniteFloat, "weight of the standardised level logit in G_m", nullable=True),
    col("frequency", FiniteFloat, "share of bootstrap refits in which it is k*", nullable=True),
    col("is_k_star", Boolean, "the paper's best level (eq. 6)"),
    col("is_cross_level", Boolean, "level whose tokens the cross-attention reads"),
    col("cross_frequency", FiniteFloat, "share of bootstrap draws in which M2's choice is it", nullable=True),
    col("auroc", FiniteFloat, "AUROC of the level head on the rows G was fitted on", nullable=True),
)

stage_weight = Table(
    "stage_weight",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("path", String(10), "both or ehr", primary_key=True),
    col("stage", String(20), "G_ecg, G_ehr, G_O1, G_final", primary_key=True),
    col("input", String(20), "input of the stage, or intercept", primary_key=True),
    col("weight", FiniteFloat, "weight of the standardised input"),
    col("mean", FiniteFloat, "standardisation mean (0 where not standardised)"),
    col("scale", FiniteFloat, "standardisation SD (1 where not standardised)"),
    col("lo", FiniteFloat, "5 % bootstrap quantile of the weight", nullable=True),
    col("hi", FiniteFloat, "95 % bootstrap quantile of the weight", nullable=True),
)

array_ref = Table(
    "array_ref",
    METADATA,
    col("owner", String(60), "run_id, or dataset:<id> for the 100 Hz ECG copy", primary_key=True),
    col("name", String(40), "saliency, feature_attribution, attention_ecg_from_ehr, ...", primary_key=True),
    col("folder", Text, "zarr array below the store's array folder"),
    col("n_rows", Whole, "rows written and committed"),
    col("shape", Json, "shape of one row"),
    col("dtype", String(10), "numpy dtype"),
    col("axes", Json, "what each axis of a row is: names, seconds, hours"),
    col("note", Text, "method, baseline and unit, in a sentence"),
    col("sha256", String(64), "hash over the committed rows, chained row by row"),
)

metric = Table(
    "metric",
    METADATA,
    col("run_id", String(40), "run", ForeignKey("run.run_id"), primary_key=True),
    col("split", String(8), "part evaluated", primary_key=True),
    col("source", String(20), "final, M1, M2, ecg_3, ehr_3, late_mean, majority, ...", primary_key=True),
    col("stratum_kind", String(20), "all, or of evaluation.strata.KINDS: disease, sex, age, ...", primary_key=True),
    col("stratum", String(60), "e.g. heart failure; all", primary_key=True),
    col("deaths", String(10), "with or without in-ICU deaths before the cut", primary_key=True),
    col("name", String(30), "auroc, auprc, acc_50, acc_tuned, f1_macro, brier, cal_slope, ...", primary_key=True),
    col("value", FiniteFloat, "NULL when not estimable", nullable=True),
    col("lo", FiniteFloat, "2.5 % quantile, patient bootstrap", nullable=True),
    col("hi", FiniteFloat, "97.5 % quantile, patient bootstrap", nullable=True),
    col("n", Whole, "samples"),
    col("events", Whole, "samples with label 1"),
    col("note", Text, "why it is not estimable", nullable=True),
)
