"""What no request gets past: a layer around the page that knows nothing of Gradio but the addresses it uses.

Gradio can fetch addresses for visitors, and trusts paths in a request in some ways of starting it. Here a request
may name files of the server's own folder only, reach the listed addresses only, and be so large only; and the page
gets a policy by which the browser itself refuses to ask any other host for anything.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

#: What the page and the clients of the API ask for; everything else is not there.
ADDRESSES = re.compile(
    r"/(|config|favicon\.ico|manifest\.json|robots\.txt|theme\.css|(assets|static)/.+"
    r"|gradio_api/(api_name|app_id|call/.+|cancel|file=.+|heartbeat/[^/]+|info|openapi\.json|queue/(data|join)|reset"
    r"|startup-events|theme\.css|upload|upload_progress))"
)
FILE = "/gradio_api/file="
UPLOAD = "/gradio_api/upload"
#: Bytes of a request without a file: names and numbers.
MAX_BODY = 64 * 1024
#: Bytes of the wrapping around an uploaded file.
_WRAPPING = 16 * 1024
#: Bytes of the disk that uploads leave free.
MIN_FREE = 512 * 1024**2

# Gradio's page builds its own scripts and styles from text, hence the two unsafe ones; no other host is in it.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class RefusalError(Exception):
    """A request that goes no further.

    Args:
        status: its HTTP status.
        reason: one line for whoever asked.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """A layer (ASGI) around the page.

    Args:
        app: the page.
        folder: the only folder whose files requests may name.
        max_upload: bytes of an uploaded file at most.
    """

    def __init__(self, app: App, folder: Path, max_upload: int) -> None:
        self.app, self.folder, self.max_upload = app, folder, max_upload

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a refused request; hand on any other."""
        if scope["type"] == "http":
            send = _with_headers(send)
            try:
                self._check_address(scope["path"])
                if scope["method"] == "POST" and scope["path"] == UPLOAD:
                    self._check_upload(scope)
                elif scope["method"] not in ("GET", "HEAD", "OPTIONS"):
                    receive = await self._checked_body(receive)
            except RefusalError as refusal:
                return await _answer(send, refusal)
        return await self.app(scope, receive, send)

    def _check_address(self, path: str) -> None:
        if not ADDRESSES.fullmatch(path):
            raise RefusalError(404, "there is nothing here.")
        if path.startswith(FILE) and not self._is_ours(path.removeprefix(FILE)):
            raise RefusalError(403, "this file is not served.")

    def _check_upload(self, scope: Message) -> None:
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            raise RefusalError(411, "an upload says its length first.")
        if int(length) > self.max_upload + _WRAPPING:
            raise RefusalError(
                413, f"the file is larger than {self.max_upload / 2**20:g} MB, the limit of this server."
            )
        if shutil.disk_usage(self.folder).free - int(length) < MIN_FREE:
            raise RefusalError(507, "the server's disk is full; try again in an hour.")

    async def _checked_body(self, receive: Receive) -> Receive:
        """Read a request's JSON, and give it back to be read again if all files that it names are ours."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                raise RefusalError(413, f"the request is longer than {MAX_BODY // 1024} kB; upload files first.")
        try:
            named = list(_paths(json.loads(body or b"null")))
        except (ValueError, RecursionError) as error:
            raise RefusalError(400, "the request is not JSON.") from error
        if not all(self._is_ours(path) for path in named):
            raise RefusalError(403, "upload the file first: a request names no other file or address.")
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        return again

    def _is_ours(self, path: object) -> bool:
        """Whether it is the path of a file in our folder."""
        try:
            place = Path(str(path)).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return False
        return place.is_file() and place.is_relative_to(self.folder)


def _paths(value: object) -> Iterator[object]:
    """All that stands under the name "path", at any depth."""
    if isinstance(value, dict):
        if "path" in value:
            yield value["path"]
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return send_with_headers


async def _answer(send: Send, refusal: RefusalError) -> None:
    body = json.dumps({"detail": str(refusal), "error": str(refusal)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
