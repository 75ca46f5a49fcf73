"""Refuses bodies that are larger than any honest request, before they are read into memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

BODY_BYTES = 256 * 1024


class BodyLimit:
    """ASGI middleware that answers 413 to bodies above BODY_BYTES, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        body = b"" if announced.isdigit() and int(announced) > BODY_BYTES else await _read(receive)
        if body is None or (announced.isdigit() and int(announced) > BODY_BYTES):
            detail = f"The body is larger than {BODY_BYTES} bytes: send a smaller one"
            await problem(413, detail, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None as soon as it exceeds the limit."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks)  # the client went away: let the application find that out
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    first = True

    async def replayed() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
