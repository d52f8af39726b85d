"""Level predictions in, `selection_phi` of every sample out, in log-odds and in probability (LeMoF eq. 5)."""

from __future__ import annotations

import numpy as np

from lemof_core.fusion.lemof import LemofModel
from lemof_core.level_importance import selection_phi_logit, selection_phi_prob
from lemof_core.port_stack import PortStack


def selection_phi(model: LemofModel, ports: np.ndarray, path: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return modality -> (phi (N, 3) in log-odds, phi (N, 3) in probability) of G_m's own three inputs.

    ports, and the background: what the path's decision reads. Empty for a plain rival: it has no G_m.
    """
    decision, background = model.decisions[path], model.port_background[path]
    out: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if isinstance(decision, PortStack):
        return out
    for index, (modality, meta) in enumerate(decision.metas.items()):
        columns = slice(3 * index, 3 * index + 3)
        levels, others = ports[:, columns], background[:, columns]
        out[modality] = (selection_phi_logit(meta, levels, others), selection_phi_prob(meta, levels, others))
    return out
