"""The true probabilities of the synthetic cohort are true: checked on drawn outcomes, without files or waveforms.

Oracles: 100,000 outcomes drawn by the generator, plain Monte Carlo, densities of scipy.stats.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from cohort_db.synthetic.charting import chart_patients
from cohort_db.synthetic.diagnoses import draw_diagnoses
from cohort_db.synthetic.ecg_parameters import draw_ecg, draw_uniforms, evidence, evidence_weights, u_scores
from cohort_db.synthetic.limits import auroc_interval
from cohort_db.synthetic.observed import NEUTRAL, U_PANELS, observe
from cohort_db.synthetic.outcome import LEVELS, Signal, ecg_scores, partner_scores
from cohort_db.synthetic.patients import draw_patients
from cohort_db.synthetic.stay_end import draw_stay_end
from cohort_db.synthetic.truth import Draw, Truth, draw_u


def all_levels() -> Truth:
    return Truth(Signal(LEVELS))


def misfit(y: np.ndarray, p: np.ndarray, n_bins: int = 10) -> tuple[float, float]:
    """Largest |observed - predicted| of ten bins in standard errors, and the slope of logit(p) on the outcome."""
    bins = np.clip(np.searchsorted(np.quantile(p, np.linspace(0, 1, n_bins + 1)), p) - 1, 0, n_bins - 1)
    z = [
        abs((y[bins == k] - p[bins == k]).sum()) / np.sqrt((p[bins == k] * (1 - p[bins == k])).sum())
        for k in np.unique(bins)
    ]
    x = np.column_stack([np.ones_like(p), np.log(p / (1 - p))])
    beta = np.array([0.0, 1.0])
    for _ in range(10):
        q = expit(x @ beta)
        beta = beta + np.linalg.solve((x * (q * (1 - q))[:, None]).T @ x, x.T @ (y - q))
    return max(z), float(beta[1])


@pytest.mark.slow
def test_true_probabilities_are_calibrated_on_100_000_draws() -> None:
    truth = all_levels()
    draw = truth.draw(100_000, np.random.default_rng(11))
    y = draw.y.astype(float)
    some = slice(0, 15_000)
    p_ecg = truth.p_ecg({name: values[some] for name, values in draw.e.items()}, draw.has_ecg[some])
    for p, outcome in ((draw.p_latent, y), (draw.p_x, y), (truth.p_ehr(draw.u), y), (p_ecg, y[some])):
        worst, slope = misfit(outcome, p)
        # 4 standard errors in one of ten bins: once in 1,600 such tests.
        assert worst < 4
        assert slope == pytest.approx(1.0, abs=0.05)
    assert y.mean() == pytest.approx(0.42, abs=0.01)


def test_truth_stays_calibrated_when_the_well_have_no_ecg() -> None:
    truth = Truth(Signal(LEVELS), ecg_missing=0.4, informative=True)
    draw = truth.draw(12_000, np.random.default_rng(12))
    assert (~draw.has_ecg).mean() == pytest.approx(0.4, abs=0.02)
    without = ~draw.has_ecg
    assert np.allclose(draw.p_x[without], truth.p_ehr({name: v[without] for name, v in draw.u.items()}))
    assert draw.u["troponin_last"][without].mean() < 0.8 * draw.u["troponin_last"][~without].mean()
    p_ecg = truth.p_ecg(draw.e, draw.has_ecg)
    assert len(np.unique(p_ecg[without])) == 1
    for p in (draw.p_x, p_ecg):
        worst, slope = misfit(draw.y.astype(float), p)
        assert worst < 4 and slope == pytest.approx(1.0, abs=0.12)
    observed = draw.y[without].mean()
    assert p_ecg[without][0] == pytest.approx(observed, abs=4 * np.sqrt(0.25 / without.sum()))


def test_p_ecg_knows_that_those_with_an_ecg_are_a_selection() -> None:
    truth = Truth(Signal(LEVELS), ecg_missing=0.9, informative=True)
    rng = np.random.default_rng(24)
    u = draw_u(60_000, rng)
    with_ecg = rng.random(60_000) >= truth.p_missing(u)
    u = {name: values[with_ecg] for name, values in u.items()}
    e = draw_ecg(u_scores(u), draw_uniforms(with_ecg.sum(), rng))
    everyone = np.ones(with_ecg.sum(), dtype=bool)
    p_x = truth.outcome.p_x(u, e)
    assert truth.p_ecg(e, everyone).mean() == pytest.approx(p_x.mean(), abs=0.012)
    # The same without the selection is off: the sick are the ones who get an ECG.
    some = {name: values[:2000] for name, values in e.items()}
    assert all_levels().p_ecg(some, everyone[:2000]).mean() < p_x[:2000].mean() - 0.012


def test_p_ehr_is_the_mean_of_p_x_over_ecgs_drawn_for_the_same_chart() -> None:
    truth = all_levels()
    rng = np.random.default_rng(13)
    u = truth.draw(4, rng).u
    expected = truth.p_ehr(u)
    for row in range(4):
        same = {name: np.full(40_000, values[row]) for name, values in u.items()}
        p_x = truth.outcome.p_x(same, draw_ecg(u_scores(same), draw_uniforms(40_000, rng)))
        assert p_x.mean() == pytest.approx(expected[row], abs=0.01)


def test_hidden_part_is_integrated_out_of_p_x() -> None:
    truth = all_levels()
    draw = truth.draw(3, np.random.default_rng(14))
    eta = truth.outcome.eta(draw.u, draw.e)
    hidden = 0.5 * np.random.default_rng(0).standard_normal(400_000)
    assert np.allclose(draw.p_x, [expit(value + hidden).mean() for value in eta], atol=1e-3)


def test_evidence_is_the_density_of_e_given_u() -> None:
    draw = all_levels().draw(300, np.random.default_rng(15))
    z, e = u_scores(draw.u), draw.e
    pairs = evidence(e) @ evidence_weights(draw.u).T
    direct = np.empty_like(pairs)
    for j in range(300):
        zj = {name: values[j] for name, values in z.items()}
        bernoulli = {
            "af": -2.2 + 0.7 * zj["age"] + 0.35 * zj["heart_rate"] + 0.6 * zj["heart_rate_sd"],
            "pvc": -2.3 - 0.5 * zj["magnesium"],
            "lvh": -2.6 + 0.3 * zj["age"] + 0.5 * zj["map"],
            "long_qt": -2.9 - 0.5 * zj["potassium"] - 0.4 * zj["calcium"] - 0.3 * zj["magnesium"],
            "hyperk": -5.5 + 2.2 * zj["potassium"],
        }
        total = sum(stats.bernoulli.logpmf(e[name], expit(log_odds)) for name, log_odds in bernoulli.items())
        classes = {"ste_ant": -3.3 + 0.7 * zj["troponin"], "ste_inf": -3.4 + 0.7 * zj["troponin"]}
        classes["std"] = -2.7 + 0.5 * zj["troponin"]
        for odds in (classes, {"lbbb": -3.1 + 0.4 * zj["age"], "rbbb": -2.9 + 0.4 * zj["age"]}):
            logits = np.array([0.0, *odds.values()])
            log_p = logits - np.log(np.exp(logits).sum())
            total = total + log_p[np.argmax([np.full(300, 0.5), *(e[name] for name in odds)], axis=0)]
        log_rate = np.log(85) + 0.4 * np.log((86 + 14.5 * zj["heart_rate"]) / 85) + 0.12 * e["af"]
        total = total + stats.norm.logpdf(np.log(e["rate_bpm"]), log_rate, 0.16)
        total = total + stats.norm.logpdf(np.log(e["t_scale"]), 0.06 * zj["potassium"], 0.28)
        total = total + stats.norm.logpdf(e["axis_deg"], 45 - 8 * zj["age"] - 25 * e["lbbb"], 18)
        direct[:, j] = total
    # Equal up to a term of e alone.
    difference = direct - pairs
    assert np.abs(difference - difference.mean(1, keepdims=True)).max() < 1e-9


def residual_z(draw: Draw, p: np.ndarray, scores: dict[str, np.ndarray]) -> dict[str, float]:
    """How far y - p leans on a score, in standard errors."""
    centred = {name: score - score.mean() for name, score in scores.items()}
    return {name: float(((draw.y - p) * c).sum() / np.sqrt((p * (1 - p) * c**2).sum())) for name, c in centred.items()}


def test_planted_none_leaves_the_label_independent_of_the_ecg_given_the_ehr() -> None:
    truth = Truth(Signal(()))
    draw = truth.draw(40_000, np.random.default_rng(16))
    assert np.allclose(draw.p_x, truth.p_ehr(draw.u), atol=1e-6)
    every = {**draw.e, **{f"{name} score": values for name, values in ecg_scores(draw.e).items()}}
    every.pop("pr_ms")
    assert max(abs(z) for z in residual_z(draw, draw.p_x, every).values()) < 4
    with_signal = all_levels()
    other = with_signal.draw(40_000, np.random.default_rng(16))
    assert min(residual_z(other, with_signal.p_ehr(other.u), ecg_scores(other.e)).values()) > 10


@pytest.mark.parametrize("level", LEVELS)
def test_only_the_planted_level_matters(level: str) -> None:
    truth = Truth(Signal((level,)))
    draw = truth.draw(15_000, np.random.default_rng(17))
    p_ehr = truth.p_ehr(draw.u)
    both = {name: ecg_scores(draw.e)[name] * partner_scores(draw.u)[name] for name in LEVELS}
    for kind in (ecg_scores(draw.e), both):
        z = residual_z(draw, p_ehr, kind)
        assert z.pop(level) > 10
        assert max(map(abs, z.values())) < 4


def test_partners_of_the_interaction_have_nearly_no_effect_of_their_own() -> None:
    draw = all_levels().draw(40_000, np.random.default_rng(18))
    for name, score in partner_scores(draw.u).items():
        assert abs(np.corrcoef(score, draw.p_latent)[0, 1]) < 0.1, name


@pytest.mark.parametrize(("main", "cross"), [(False, True), (True, False), (False, False)])
def test_main_effects_and_interactions_can_be_left_out(main: bool, cross: bool) -> None:
    truth = Truth(Signal(LEVELS, ecg_main=main, cross_modal=cross))
    draw = truth.draw(200, np.random.default_rng(19))
    e = {name: values.copy() for name, values in draw.e.items()}
    opposite = {name: values.copy() for name, values in draw.u.items()}
    opposite |= {name: np.full(200, NEUTRAL[name]) for name in ("magnesium_mean", "potassium_mean", "troponin_last")}
    e["notch_mv"] = e["notch_mv"] * 3
    neutral = truth.outcome.eta(opposite, e) - truth.outcome.eta(opposite, draw.e)
    assert (np.abs(neutral).max() > 0.01) == main
    low, high = ({**opposite, "magnesium_mean": np.full(200, level)} for level in (1.4, 2.7))
    step = [truth.outcome.eta(u, e) - truth.outcome.eta(u, draw.e) for u in (low, high)]
    assert (np.abs(step[0] - step[1]).max() > 0.01) == cross


@pytest.mark.slow
def test_interaction_is_learnable_at_3_000_stays_and_absent_without_it() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    gain = {}
    for cross in (True, False):
        truth = Truth(Signal(LEVELS, cross_modal=cross))
        draws = [truth.draw(n, np.random.default_rng(seed)) for n, seed in ((3000, 20), (6000, 21))]

        def features(draw: Draw) -> np.ndarray:
            extra = np.column_stack([draw.u["gcs_min"], draw.u["age"], (draw.u["map_mean"] - 82) / 9])
            return np.column_stack([*u_scores(draw.u).values(), *ecg_scores(draw.e).values(), extra])

        x, x_test = (features(draw) for draw in draws)
        boosted = HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.06, max_leaf_nodes=8, l2_regularization=1.0, random_state=0
        )
        linear = LogisticRegression(max_iter=2000, C=0.1)
        auroc = [
            auroc_interval(draws[1].y, model.fit(x, draws[0].y).predict_proba(x_test)[:, 1])["auroc"]
            for model in (boosted, linear)
        ]
        gain[cross] = auroc[0] - auroc[1]
        limit = auroc_interval(draws[1].y, draws[1].p_x)["auroc"]
        assert max(auroc) < limit
        assert 0.80 < limit < 0.87 if cross else limit < 0.80
    assert gain[True] > 0.03
    assert abs(gain[False]) < 0.025


def test_nothing_is_charted_or_stored_exactly_at_t0() -> None:
    rng = np.random.default_rng(25)
    for charted in chart_patients(draw_patients(3000, rng), rng, horizon_h=48).values():
        for times in (charted.minute, charted.stored):
            # "up to t0" and "before t0" must mean the same; the minutes beside t0 are in use.
            assert not (times == 1440).any()
        assert (np.diff(charted.minute, axis=1) > 0).all() and (charted.stored > charted.minute).all()


def test_about_six_percent_die_before_72_hours_and_they_are_the_severe() -> None:
    rng = np.random.default_rng(22)
    patients = draw_patients(20_000, rng)
    u = observe(patients, chart_patients(patients, rng, horizon_h=24, panels=U_PANELS))
    y = all_levels().draw_outcome(u, rng).y
    severity = patients.latents["severity"]
    end = draw_stay_end(y, severity, rng)
    early = end.died & ~y
    assert 0.05 < early.mean() < 0.07
    assert severity[early].mean() > severity[~end.died].mean() + 0.3
    assert ((end.los_minutes > 72 * 60) == y).all() and end.los_minutes.min() > 24 * 60
    assert np.median(end.los_minutes[y]) < end.los_minutes[y].mean() < 20 * 1440


def test_fibrillation_on_the_ecg_is_coded_in_nine_of_ten() -> None:
    rng = np.random.default_rng(23)
    patients = draw_patients(4000, rng)
    u = observe(patients, chart_patients(patients, rng, horizon_h=24, panels=U_PANELS))
    e = draw_ecg(u_scores(u), draw_uniforms(4000, rng))
    coded = draw_diagnoses(patients, u, e, np.full(4000, 10), rng)
    fibrillation = np.zeros(4000, dtype=bool)
    fibrillation[coded.row[np.array(coded.icd_code) == "I4891"]] = True
    af = e["af"] > 0
    assert fibrillation[af].mean() == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / af.sum()))
    assert not fibrillation[~af].any()
    # Every patient is coded, in order, without a gap.
    assert set(coded.row) == set(range(4000))
    assert (coded.seq_num[np.flatnonzero(np.diff(coded.row, prepend=-1))] == 1).all()
