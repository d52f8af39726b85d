"""What a user of the store can get wrong, as one exception with one sentence."""

from __future__ import annotations


class InputMistake(ValueError):
    """A folder, file, value or setting given by the user cannot be used; the message says why and what to do."""


class StoreVersionMismatch(InputMistake):
    """The store was written under another schema version than this program knows."""
