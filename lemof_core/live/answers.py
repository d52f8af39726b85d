"""What the worker can be asked, by verb: a loaded model and a request in, (document, arrays) of the answer out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from lemof_core.decision import unions_of
from lemof_core.errors import ModelMistake
from lemof_core.explain.owen import branch_phi
from lemof_core.live.case import read_case
from lemof_core.live.predict import LiveModel, changes_of, predict_case, ranges_of

Answer = tuple[dict[str, Any], dict[str, np.ndarray]]
Request = dict[str, Any]


def _predict(live: LiveModel, request: Request, arrays: dict[str, np.ndarray]) -> Answer:
    return predict_case(live, read_case(request, arrays))


def _counterfactual(live: LiveModel, request: Request, arrays: dict[str, np.ndarray]) -> Answer:
    return changes_of(live, read_case(request, arrays), float(request["more"]["threshold"]))


def _ranges(live: LiveModel, request: Request, arrays: dict[str, np.ndarray]) -> Answer:
    return ranges_of(live)


def _rebase(live: LiveModel, request: Request, arrays: dict[str, np.ndarray]) -> Answer:
    decision = live.model.decisions.get(request["path"])
    ports, background = arrays["ports"], arrays["background"]
    if decision is None or ports.shape != (len(decision.ports),) or background.shape[1:] != ports.shape:
        raise ModelMistake(f"the run reads no {ports.shape[0]} ports on the path {request['path']!r}")
    phi, phi_p, _, _ = branch_phi(decision.logit, ports[None], background, unions_of(decision.ports))
    base = decision.logit(background)
    rows = [
        {"port": port, "phi_logit": float(logit), "phi_prob": float(prob)}
        for port, logit, prob in zip(decision.ports, phi[0], phi_p[0], strict=True)
    ]
    return {"base_logit": float(base.mean()), "base_p": float(expit(base).mean()), "rows": rows}, {}


ANSWERS: dict[str, Callable[[LiveModel, Request, dict[str, np.ndarray]], Answer]] = {
    "predict": _predict,
    "counterfactual": _counterfactual,
    "ranges": _ranges,
    "rebase": _rebase,
}
