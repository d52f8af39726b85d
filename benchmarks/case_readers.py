"""A server's address and stays in; what its case page costs many readers at once out, over websockets without browsers.

A reader opens /case, waits, and asks for the next stay as the browser's own Forward does. Each answer is held against
the stay that was asked for.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.asyncio.client import ClientConnection, connect

STAMP = re.compile(rb'data-stay="(\d+)"')


@dataclass
class Seen:
    """What readers met: seconds and bytes of each answer, and answers with another patient's stamp on them."""

    seconds: list[float] = field(default_factory=list)
    n_bytes: list[int] = field(default_factory=list)
    wrong: int = 0


async def read_cases(
    url: str, lists: list[list[int]], query: dict[str, str], *, pause_s: float, held: Callable[[], None] | None = None
) -> Seen:
    """One reader per list goes through its stays, each with pauses of its own around `pause_s`.

    Args:
        held: called when all have read their last case and are still connected.
    """
    seen, done = Seen(), asyncio.Barrier(len(lists))

    async def read(seed: int, stays: list[int]) -> None:
        async with connected(url) as socket:
            await _read(socket, stays, query, pause_s, seen, random.Random(seed))
            if await done.wait() == 0 and held:
                held()
            await done.wait()

    await asyncio.gather(*(read(seed, stays) for seed, stays in enumerate(lists)))
    return seen


def connected(url: str) -> connect:
    """A connection to the server's websocket, as a browser opens it."""
    where = urlsplit(url)
    protocol = Subprotocol("streamlit")
    return connect(f"ws://{where.netloc}{where.path}/_stcore/stream", subprotocols=[protocol], max_size=None)


async def _read(
    socket: ClientConnection, stays: list[int], query: dict[str, str], pause_s: float, seen: Seen, rng: random.Random
) -> None:
    await asyncio.sleep(rng.uniform(0, pause_s))
    page = ""
    for number, stay in enumerate(stays):
        start = time.perf_counter()
        page, n_bytes, stamps = await _ask(socket, {"stay": str(stay), **query}, page)
        if number:  # the first answer opens the page
            seen.seconds.append(time.perf_counter() - start)
            seen.n_bytes.append(n_bytes)
        seen.wrong += stamps != {str(stay)}
        await asyncio.sleep(rng.uniform(0.5, 1.5) * pause_s)


async def _ask(socket: ClientConnection, query: dict[str, str], page: str) -> tuple[str, int, set[str]]:
    """Send the address; return the page's hash, the bytes of the answer and the stays that are stamped on it."""
    state = ClientState(query_string=urlencode(query), page_script_hash=page, page_name="" if page else "case")
    await socket.send(BackMsg(rerun_script=state).SerializeToString())
    n_bytes, stamps = 0, set()
    while True:
        raw = await socket.recv(decode=False)
        n_bytes += len(raw)
        stamps |= {found.decode() for found in STAMP.findall(raw)}
        message = ForwardMsg()
        message.ParseFromString(raw)
        kind = message.WhichOneof("type")
        if kind == "navigation":
            page = message.navigation.page_script_hash
        elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            return page, n_bytes, stamps
