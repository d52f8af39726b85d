"""How messages cross between the service and its worker: eight bytes of length, then the bytes."""

from __future__ import annotations

from typing import IO


def read_message(stream: IO[bytes]) -> bytes | None:
    """Return the next message; None when the other side closed."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    return stream.read(int.from_bytes(head, "big"))


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Send a message."""
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()
