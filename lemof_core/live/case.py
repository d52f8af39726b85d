"""What the service is asked and what it answers, and how both travel: safetensors bytes with JSON beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors.numpy import load, save


@dataclass(frozen=True)
class LiveCase:
    """One patient as a bedside would hand it over. When the prediction is made is not the case's to say but the run's.

    signal_mv (sig_len, n_sig) mV with fs (Hz) and sig_name; None without an ECG.
    values: one row per charted value: variable name, seconds from ICU admission, value in the catalogue's unit, and
    seconds to when it was stored (NaN where unknown). static: name -> value in the catalogue's unit.
    What if: edits replace the last value of a variable; muted leads and silenced windows (start s, end s, lead or ""
    for all, of the ten seconds that the model reads) are at 0 mV. explain: whether attributions are wanted.
    """

    variable: tuple[str, ...] = ()
    offset_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    value: np.ndarray = field(default_factory=lambda: np.empty(0))
    stored_offset_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    static: dict[str, float] = field(default_factory=dict)
    signal_mv: np.ndarray | None = None
    fs: float = 500.0
    sig_name: tuple[str, ...] = ()
    edits: dict[str, float] = field(default_factory=dict)
    muted: tuple[str, ...] = ()
    silenced: tuple[tuple[float, float, str], ...] = ()
    explain: bool = True


@dataclass(frozen=True)
class LiveResult:
    """The answer: the stored tables' columns as lists of rows, arrays by name, and notes for the reader.

    given: what the model read of the health record: n_values, n_variables of n_series series variables, fewest (the
    least n_variables among the fit patients that the run keeps), static (name -> value).
    """

    prediction: dict[str, Any]
    branch_values: list[dict[str, Any]]
    level_scores: list[dict[str, Any]]
    input_effect: dict[str, Any] | None
    calibration: dict[str, Any]
    arrays: dict[str, np.ndarray]
    axes: dict[str, Any]
    trust: list[dict[str, Any]]
    quality: dict[str, list[str]] | None
    measurements: dict[str, float]
    given: dict[str, Any]
    notes: list[str]


def pack(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Return one message. safetensors needs at least one tensor, so an empty one always travels."""
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save({"_": np.zeros(1), **tensors}, metadata={"json": json.dumps(document)})


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the (document, arrays) that `pack` was given."""
    arrays = load(message)
    arrays.pop("_")
    length = int.from_bytes(message[:8], "little")
    header = json.loads(message[8 : 8 + length])
    return json.loads(header["__metadata__"]["json"]), arrays


@dataclass(frozen=True)
class LiveChanges:
    """The smallest change found: rows of variable, before, after, rank_distance, logit; whether it crosses."""

    changes: list[dict[str, Any]]
    crosses: bool


@dataclass(frozen=True)
class LiveBase:
    """A waterfall against another background: its base on both scales, and port, phi_logit, phi_prob a row."""

    base_logit: float
    base_p: float
    rows: list[dict[str, Any]]


def case_message(verb: str, case: LiveCase, run_folder: str, **more: Any) -> bytes:
    """Return the request for a case; `more` are plain arguments of the verb."""
    document = {
        "verb": verb,
        "more": more,
        "run_folder": run_folder,
        "variable": list(case.variable),
        "static": case.static,
        "fs": case.fs,
        "sig_name": list(case.sig_name),
        "edits": case.edits,
        "muted": list(case.muted),
        "silenced": [list(window) for window in case.silenced],
        "explain": case.explain,
    }
    arrays = {name: np.asarray(getattr(case, name), float) for name in ("offset_s", "value", "stored_offset_s")}
    if case.signal_mv is not None:
        arrays["signal_mv"] = np.asarray(case.signal_mv, dtype=np.float64)
    return pack(document, arrays)


def read_case(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> LiveCase:
    """Return the case of a request."""
    return LiveCase(
        variable=tuple(document["variable"]),
        offset_s=arrays["offset_s"],
        value=arrays["value"],
        stored_offset_s=arrays["stored_offset_s"],
        static={name: float(value) for name, value in document["static"].items()},
        signal_mv=arrays.get("signal_mv"),
        fs=float(document["fs"]),
        sig_name=tuple(document["sig_name"]),
        edits={name: float(value) for name, value in document["edits"].items()},
        muted=tuple(document["muted"]),
        silenced=tuple((float(start), float(end), str(lead)) for start, end, lead in document["silenced"]),
        explain=bool(document["explain"]),
    )


def read_result(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> LiveResult:
    """Return the result of an answer."""
    return LiveResult(arrays=arrays, **document)
