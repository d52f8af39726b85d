"""Settings written as NAME=VALUE in, a config out: every field that a run reads can be set on top of its preset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lemof_core.config import RunConfig
from lemof_core.encoders import default_sizes
from lemof_core.errors import ModelMistake
from lemof_core.fitting.fit import BETWEEN_STAGES
from lemof_core.fusion import NETS
from lemof_core.port_stack import FITTED, STACK_PORTS

# What has an option of its own, or says what was set.
_ELSEWHERE = ("task", "fusion", "preset", "ecg_encoder", "ehr_encoder", "fitting", "seed", "arm", "settings")
# What a TrainingConfig has for signals alone: nothing is measured from a record, and it is not moved in time.
_ECG_ALONE = ("ehr_training.pretrain_epochs", "ehr_training.aux_weight", "ehr_training.max_shift_s")


def known_settings(config: RunConfig) -> dict[str, Any]:
    """Return name -> value (as JSON has it) of every field that such a run reads: "cross.d" is d of the part `cross`.

    >>> known_settings(RunConfig())["cross.n_heads"]
    4
    """
    unread = dict(_unread(config))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in _fields(config).items()
        if not any(name.startswith(start) for start in unread) and name not in _ECG_ALONE
    }


def with_settings(config: RunConfig, texts: Sequence[str]) -> RunConfig:
    """Return the config with the settings made; a value is JSON, or else text. `settings` holds what they changed.

    Raises ModelMistake for a name that there is not, with those there are, for a value that it cannot have, and for a
    field that such a run does not read.

    >>> with_settings(RunConfig(), ["cross.d=64", "ecg_sizes.widths=[16,32,64]"]).ecg_sizes
    {'widths': (16, 32, 64)}
    """
    document, before, written = config.to_json(), _fields(config), {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in before or name in _ECG_ALONE:
            raise ModelMistake(f"--set takes NAME=VALUE, however: {text!r}; names: {', '.join(known_settings(config))}")
        part, _, own = name.partition(".")
        (document[part] if own else document)[own or part] = _value(value)
        written[name] = value
    found = RunConfig.from_json(document)
    for name in written:
        for start, because in _unread(found):
            if name.startswith(start):
                raise ModelMistake(f"{name} would change nothing: {because}")
    after = _fields(found)
    document["settings"] = {name: text for name, text in written.items() if after[name] != before[name]}
    return RunConfig.from_json(document)


def _fields(config: RunConfig) -> dict[str, Any]:
    """Return name -> value of every field without an option of its own; sizes are those that encoders will have."""
    document = config.to_json()
    document["ecg_sizes"] = default_sizes("ecg", config.ecg_encoder) | document["ecg_sizes"]
    document["ehr_sizes"] = default_sizes("ehr", config.ehr_encoder) | document["ehr_sizes"]
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name not in _ELSEWHERE:
            parts = value if isinstance(value, dict) else {"": value}
            found |= {f"{name}.{part}".rstrip("."): own for part, own in parts.items()}
    return found


def _unread(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Yield (what names start with, why such a run reads none of them)."""
    crosses, net = config.fusion in ("lemof", "lemof_m2"), config.fusion in NETS
    if not crosses:
        yield from ((start, f"fusion {config.fusion} has no Module 2") for start in ("cross.", "level_choice"))
    if not net:
        yield "net.", f"fusion {config.fusion} is no network of a rival"
    if config.fusion in BETWEEN_STAGES:
        yield "net.multi_level", f"{config.fusion} works on all levels as it is"
    if not (crosses or net):
        yield from ((start, f"fusion {config.fusion} has no teacher") for start in ("teacher", "exchange"))
    elif config.teacher == "none":
        yield "exchange", "there is no teacher to ask"
    if config.arm == "finetuned":
        searched = crosses and config.level_choice == "cv_gain"  # pairs are compared with frozen encoders
        for start in (*(() if searched else ("cross.max_epochs", "cross.patience")), "net.max_epochs", "net.patience"):
            yield start, "in arm finetuned tuning.max_epochs and tuning.patience hold"
    else:
        yield "tuning.", "in arm frozen no encoder learns on"
    if config.fitting != "oof5":
        yield "n_folds", f"fitting {config.fitting} has no folds"
    if config.level_choice != "cv_gain":
        yield "cross.own_ehr_tokens", "only a search over pairs (level_choice=cv_gain) tries them"
    if config.cross.vectors:
        yield "cross.n_heads", "between vectors there is nothing to weigh"
    if config.fusion != "lemof":
        yield "decision.towards_cross", f"fusion {config.fusion} joins no Module 1 with Module 2"
    if config.fusion in STACK_PORTS and config.fusion not in FITTED:
        for field in ("link", "nonnegative", "penalties", "for_mean"):
            yield f"decision.{field}", f"fusion {config.fusion} is a plain mean"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
