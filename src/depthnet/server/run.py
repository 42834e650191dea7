"""Runs the page: its address, its folder, and an orderly end."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthnet.config import ServeConfig
from depthnet.errors import InputError
from depthnet.server.folder import temporary_folder
from depthnet.server.guard import Guard
from depthnet.server.page import build_page, import_gradio, page_settings
from depthnet.server.photos import Photos

if TYPE_CHECKING:
    import uvicorn

#: Seconds that requests in the making get when the server stops.
_LAST_SECONDS = 2


def run_server(config: ServeConfig, on_start: Callable[[str, bool], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        config: options.
        on_start: called once with the page's address and whether other machines can reach it.

    Raises:
        InputError: if the address cannot be used, the model cannot, or a limit makes no sense.
        MissingTierError: without Gradio.
    """
    with _prepared(config) as (server, listener, address):
        on_start(address, not _is_loopback(listener))
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


@contextmanager
def serving(config: ServeConfig) -> Iterator[str]:
    """Serve in a thread, for programs and tests; one at a time in a process.

    Args:
        config: options; port 0 takes a free one.

    Yields:
        The page's address, once it answers.

    Raises:
        InputError: as :func:`run_server`.
        MissingTierError: without Gradio.
    """
    with _prepared(config) as (server, listener, address):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="depthnet-serve")
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _prepared(config: ServeConfig) -> Iterator[tuple[uvicorn.Server, socket.socket, str]]:
    """A server that need only be run, the socket it listens to and its address; afterwards nothing is left of it."""
    if config.max_upload_mb <= 0 or config.waiting <= 0:
        raise InputError("--max-upload-mb and --waiting: give positive numbers.")
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(config.host, config.port))
        photos = Photos(config)
        folder = stack.enter_context(temporary_folder())
        stack.enter_context(_environment(folder))
        server = _build_server(config, photos, folder, _is_loopback(listener))
        host, port = listener.getsockname()[:2]
        yield server, listener, f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    """A socket at that address; taken before anything slow, so that a wrong one is said at once."""
    if not 0 <= port <= 65535:
        raise InputError(f"--port {port}: a port is a number from 0 (any that is free) to 65535.")
    try:
        # With its protocol stated, asyncio sends each answer at once instead of 40 ms later (TCP_NODELAY).
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        with ExitStack() as undo:
            undo.callback(listener.close)
            if os.name == "posix":  # elsewhere it would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
            undo.pop_all()
        return listener
    except socket.gaierror as error:
        raise InputError(f"--host {host}: no address of this machine; try 127.0.0.1.") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(
            f"--host {host} --port {port}: cannot be used ({reason}); choose another port, or 0 for any that is free."
        ) from error


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """What Gradio reads from the environment: files in our folder, nothing sent anywhere, no statistics kept."""
    values = {
        "GRADIO_TEMP_DIR": str(folder),
        "GRADIO_EXAMPLES_CACHE": str(folder / "examples"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "True",
        "GRADIO_ANALYTICS_MAX_EVENTS": "1",
        "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
        "GRADIO_MCP_SERVER": "False",
        "GRADIO_VIBE_MODE": "",
        "GRADIO_WATCH_DIRS": "",
        "GRADIO_ROOT_PATH": "",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _build_server(config: ServeConfig, photos: Photos, folder: Path, loopback: bool) -> uvicorn.Server:
    gr = import_gradio()
    import uvicorn
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    gr.routes.DEFAULT_TEMP_DIR = str(folder)  # Gradio remembers that of the first server of this process
    max_upload = config.max_upload_mb * 2**20
    page = build_page(photos, folder, config.waiting)
    app: Any = gr.mount_gradio_app(
        FastAPI(openapi_url=None), page, path="/", max_file_size=max_upload, show_error=False, ssr_mode=False,
        mcp_server=False, enable_monitoring=False, pwa=False, **page_settings(gr),
    )  # fmt: skip
    mounted = app.routes[-1].app
    page.has_launched = True  # from here on Gradio, too, checks the paths that requests name
    app = Guard(app, folder, max_upload)
    if loopback:  # a foreign page whose name somebody has pointed to this machine gets no answer
        app = TrustedHostMiddleware(app, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            mounted.stop_event.set()  # ends the connections that open pages keep
            await super().shutdown(sockets)

    return Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_LAST_SECONDS, ws="none")
    )
