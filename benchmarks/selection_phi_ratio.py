"""selection_phi in closed form and by coalitions, against shap's Exact and Kernel explainers on the same rows."""

from __future__ import annotations

import logging

import numpy as np
import shap
from scipy.special import expit
from side_by_side import ratio, report

from lemof_core.level_importance import selection_phi_logit, selection_phi_prob
from lemof_core.logistic import Logistic

N_ROWS, N_BACKGROUND = 100, 256


def main() -> None:
    """Measure and report."""
    logging.getLogger("shap").setLevel(logging.ERROR)
    rng = np.random.default_rng(0)
    g = Logistic(("1", "2", "3"), np.array([0.8, 0.3, 1.1]), -0.2, np.zeros(3), np.ones(3))
    rows, background = rng.normal(size=(N_ROWS, 3)), rng.normal(size=(N_BACKGROUND, 3))

    def probability(x: np.ndarray) -> np.ndarray:
        return expit(g.logit(x))

    exact = shap.explainers.Exact(probability, shap.maskers.Independent(background, max_samples=N_BACKGROUND))
    exact_logit = shap.explainers.Exact(g.logit, shap.maskers.Independent(background, max_samples=N_BACKGROUND))
    kernel = shap.KernelExplainer(probability, background)
    ours = selection_phi_prob(g, rows, background)
    found = {
        "rows": N_ROWS,
        "background": N_BACKGROUND,
        "largest_difference_to_exact": float(np.abs(ours - exact(rows).values).max()),
        "largest_difference_to_kernel": float(np.abs(ours - kernel.shap_values(rows, silent=True)).max()),
        "probability_vs_exact": ratio(lambda: selection_phi_prob(g, rows, background), lambda: exact(rows), repeats=5),
        "probability_vs_kernel": ratio(
            lambda: selection_phi_prob(g, rows, background), lambda: kernel.shap_values(rows, silent=True), repeats=3
        ),
        "logit_vs_exact": ratio(lambda: selection_phi_logit(g, rows, background), lambda: exact_logit(rows), repeats=5),
    }
    report("selection_phi_ratio", found)


if __name__ == "__main__":
    main()
