"""One 640x480 photo through the server, from upload to downloaded files, against ``predict`` of the same photo here.

Both decode a JPEG, run the network on all cores, resize, and write the 16-bit PNG and the colour picture. The server is
a process of its own; the client speaks plain HTTP over one kept connection, as the page does. A ratio of 0.77 means
that the server's latency is 1.3 times that of ``predict``.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from depthnet.benchmark.timing import measure, result
from depthnet.errors import InputError, MissingTierError
from depthnet.predictor import load_model

PHOTO = (480, 640)
REPEATS = 15
SAVE = ("png", "colour")


def run() -> dict[str, dict[str, Any]]:
    """Seconds per photo.

    Raises:
        MissingTierError: if Gradio is not installed.
    """
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    model = load_model()
    with tempfile.TemporaryDirectory() as folder, server_process() as (address, _):
        photo = Path(folder) / "photo.jpg"
        Image.fromarray(coarse).resize(PHOTO[::-1], Image.Resampling.BICUBIC).save(photo, quality=92)
        with http_client(address) as ask:
            functions: dict[str, Callable[[], object]] = {
                "server": lambda: ask(photo, SAVE),
                "predict": lambda: model.predict(photo).save(folder, SAVE, overwrite=True),
            }
            seconds = measure(functions, REPEATS, warmup=3)
    unit = "s per photo, JPEG to 16-bit PNG and colour picture"
    return {"serve": result(seconds["server"], seconds["predict"], "predict in this process", unit)}


@contextmanager
def server_process(*options: str) -> Iterator[tuple[str, int]]:
    """Run ``depthnet serve`` on a free loopback port.

    Args:
        options: further options of the command.

    Yields:
        Its address and its process number.

    Raises:
        InputError: if it does not start; what it said stands on stderr.
    """
    words = [sys.executable, "-m", "depthnet", "serve", "--port", "0", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if "at" not in line:
                raise InputError("`depthnet serve` does not start here; run it by itself to see why.")
            yield line[line.index("at") + 1], process.pid
        finally:
            process.terminate()


@contextmanager
def http_client(address: str) -> Iterator[Callable[[Path, Sequence[str]], list[bytes]]]:
    """A client of the API over one connection, which stays open.

    Args:
        address: the server's.

    Yields:
        A function of a photo and the formats to save, which gives the files.

    Raises:
        MissingTierError: if httpx, which comes with Gradio, is not installed.
    """
    try:
        import httpx
    except ImportError as error:
        raise MissingTierError('the server needs gradio: pip install "depthnet[serve]"') from error
    api, session = f"{address}/gradio_api", secrets.token_hex(8)
    with httpx.Client(timeout=120.0) as client:

        def send(address: str, **content: Any) -> Any:
            answer = client.post(address, **content)
            answer.raise_for_status()
            return answer.json()

        def ask(photo: Path, save: Sequence[str]) -> list[bytes]:
            (path,) = send(f"{api}/upload", files={"files": (photo.name, photo.read_bytes())})
            data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "mobile", None, None, list(save)]
            event = send(f"{api}/call/predict", json={"data": data, "session_hash": session})["event_id"]
            kind, _, rest = client.get(f"{api}/call/predict/{event}").text.partition("\n")
            if kind != "event: complete":
                raise InputError(f"{photo}: the server answers {rest.strip()}")
            _, files = json.loads(rest.removeprefix("data: "))
            return [client.get(f"{api}/file={file['path']}").content for file in files]

        yield ask
