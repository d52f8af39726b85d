"""Settings written as NAME=VALUE in, a config out: every field of a run can be set on top of a preset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from lemof_core.config import RunConfig
from lemof_core.errors import ModelMistake

# What has an option of its own, or says what was set.
_ELSEWHERE = ("task", "fusion", "preset", "ecg_encoder", "ehr_encoder", "fitting", "seed", "arm", "settings")
SIZES = ("ecg_sizes", "ehr_sizes")


def known_settings(config: RunConfig) -> dict[str, Any]:
    """Return name -> value of every field that can be set, "cross.d" for field d of the part `cross`.

    >>> known_settings(RunConfig())["cross.n_heads"]
    4
    """
    found: dict[str, Any] = {}
    for name, value in config.to_json().items():
        if name in _ELSEWHERE:
            continue
        parts = value if isinstance(value, dict) and name not in SIZES else {"": value}
        found |= {f"{name}.{part}".rstrip("."): own for part, own in parts.items()}
    return found


def with_settings(config: RunConfig, texts: Sequence[str]) -> RunConfig:
    """Return the config with the settings made; a value is JSON, or else text. It remembers them in `settings`.

    The size of an encoder is set by its name: ecg_sizes.widths=[16,32,64].
    Raises ModelMistake for a name that there is not, with those there are, and for a value that it cannot have.

    >>> with_settings(RunConfig(), ["cross.d=64", "ecg_sizes.widths=[16,32,64]"]).ecg_sizes
    {'widths': (16, 32, 64)}
    """
    document, known = config.to_json(), known_settings(config)
    for text in texts:
        name, equals, value = text.partition("=")
        part, _, own = name.partition(".")
        if not equals or not ((name in known and name not in SIZES) or (part in SIZES and own)):
            raise ModelMistake(f"--set takes NAME=VALUE, however: {text!r}; names: {', '.join(known)}")
        (document[part] if own else document)[own or part] = _value(value)
        document["settings"][name] = value
    try:
        return RunConfig.from_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"])
        raise ModelMistake(f"{where or 'settings'}: {first['msg'].removeprefix('Value error, ')}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
