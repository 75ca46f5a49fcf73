"""An open loop: requests leave when they are due, whether or not those before them were answered."""

import asyncio
import time
from collections.abc import Sequence

_READ_BYTES = 1 << 20
_IDLE_SECONDS = 3.0  # uvicorn closes a connection that was idle for five


def open_loop(host: str, port: int, paths: Sequence[str], *, per_second: float) -> list[float]:
    """The seconds from when each path was due to be asked for until its answer was there.

    Raises: RuntimeError where an answer isn't 200.
    """
    return asyncio.run(_loop(host, port, paths, per_second))


async def _loop(host: str, port: int, paths: Sequence[str], per_second: float) -> list[float]:
    idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
    began = time.perf_counter()

    async def ask(path: str, due: float) -> float:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while idle and time.perf_counter() - idle[0][0] > _IDLE_SECONDS:
            idle.pop(0)[2].close()
        reader, writer = idle.pop()[1:] if idle else await asyncio.open_connection(host, port, limit=_READ_BYTES)
        await _get(reader, writer, path)
        idle.append((time.perf_counter(), reader, writer))
        return time.perf_counter() - due

    asked = [ask(path, began + number / per_second) for number, path in enumerate(paths)]
    taken = await asyncio.gather(*asked)
    for _, _, writer in idle:
        writer.close()
    return list(taken)


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Asks and reads the answer; what a client library does besides would take the processor from the service."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: mmix\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{path} was answered with {head.splitlines()[0].decode()}")
    (length,) = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    await reader.readexactly(int(length))
