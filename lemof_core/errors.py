"""What a user of the models can get wrong, as one exception with one sentence."""

from __future__ import annotations


class ModelMistake(ValueError):
    """A signal, table, setting or checkpoint cannot be used; the message says why and what to do."""
