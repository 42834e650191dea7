"""Start, address and end of the server, and what it leaves behind: nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from depthnet.cli import main
from depthnet.config import ServeConfig
from depthnet.errors import InputError, MissingTierError
from depthnet.server import folder, photos, serving


def test_old_files_go_and_so_do_empty_folders(tmp_path: Path) -> None:
    for name, age_s in (("old/a.png", 500), ("mixed/old.png", 500), ("mixed/new.png", 5), ("fresh/b.png", 5)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        then = time.time() - age_s
        os.utime(path, (then, then))
    (tmp_path / "empty").mkdir()
    for name in ("old", "empty", "mixed"):
        os.utime(tmp_path / name, (0, 0))
    folder.remove_old(tmp_path, 100.0)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["fresh", "fresh/b.png", "mixed", "mixed/new.png", "old"]  # old/ has only now become empty
    os.utime(tmp_path / "old", (0, 0))
    folder.remove_old(tmp_path, 100.0)
    assert not (tmp_path / "old").exists()


def test_the_folder_is_private_cleaned_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "EVERY_S", 0.02)
    with folder.temporary_folder() as place:
        assert place.stat().st_mode & 0o077 == 0
        (old := place / "old.png").write_bytes(b"x")
        os.utime(old, (0, 0))
        (place / "new.png").write_bytes(b"x")
        until = time.monotonic() + 300
        while old.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert [path.name for path in place.iterdir()] == ["new.png"]
        assert folder.new_place(place) != folder.new_place(place)
    assert not place.exists()


def test_results_lie_in_the_folder_and_go_with_the_server(
    make_photo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("gradio_client")
    (system := tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(system))
    before = {name: os.environ.get(name) for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")}
    with serving(ServeConfig(port=0, threads=1)) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        place = Path(os.environ["GRADIO_TEMP_DIR"])
        photo = client.handle_file(make_photo(tmp_path / "photo.png"))
        client.Client(address, verbose=False, download_files=tmp_path).predict(
            photo=photo, save=["npy"], api_name="/predict"
        )
        assert {"photo.png", "photo_depth.npy"} <= {path.name for path in place.rglob("*")}
        assert [path for path in system.iterdir() if path.name.startswith("depthnet")] == [place]
    assert not list(system.glob("depthnet*"))
    assert {name: os.environ.get(name) for name in before} == before


def test_a_full_queue_turns_away(make_photo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("gradio_client")
    free, started = threading.Event(), threading.Semaphore(0)

    def wait(*words: Any, **options: Any) -> Any:
        started.release()
        assert free.wait(120)
        return write(*words, **options)

    write = photos.Photos.write
    monkeypatch.setattr(photos.Photos, "write", wait)
    photo = client.handle_file(make_photo(tmp_path / "photo.png"))
    with serving(ServeConfig(port=0, threads=1, waiting=1)) as address:
        users = [client.Client(address, verbose=False, download_files=tmp_path) for _ in range(4)]
        ask = {"photo": photo, "save": ["npy"], "api_name": "/predict"}
        busy = [user.submit(**ask) for user in users[:2]]  # two are worked on
        assert started.acquire(timeout=120)
        assert started.acquire(timeout=120)
        waiting = users[2].submit(**ask)  # and one may wait
        until = time.monotonic() + 120
        while waiting.status().code is not client.utils.Status.IN_QUEUE:
            assert time.monotonic() < until
            time.sleep(0.02)
        with pytest.raises(Exception, match="Queue is full"):
            users[3].predict(**ask)
        free.set()
        assert all(job.result(timeout=120)[0]["width"] == 64 for job in (*busy, waiting))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": 70000}, r"--port 70000: a port is a number from 0 .* to 65535"),
        ({"host": "no.such.host.invalid"}, r"--host no\.such\.host\.invalid: no address of this machine"),
        ({"host": "192.0.2.1"}, r"--host 192\.0\.2\.1 --port 0: cannot be used"),
        ({"model": "absent.onnx"}, r"absent\.onnx: no such model"),
        ({"max_megapixels": 0.0}, "--max-megapixels 0: give a positive number"),
        ({"waiting": 0}, "give positive numbers"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said), serving(ServeConfig(**{"port": 0, **options})):
        pass


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    line = capsys.readouterr().err
    assert re.fullmatch(
        rf"depthnet: error: --host 127\.0\.0\.1 --port {port}: cannot be used \(.+\); choose another port, .+\n", line
    )


def test_without_gradio_the_tier_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[serve\]"'), serving(ServeConfig(port=0)):
        pass


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGINT, 0), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_the_command_prints_its_address_and_stops_when_told(stop: signal.Signals, code: int, tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    words = [sys.executable, "-m", "depthnet", "serve", "--port", "0", "--host", "0.0.0.0", "--threads", "1"]
    server = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert server.stdout is not None
    first = server.stdout.readline()
    assert re.fullmatch(r"depthnet is at http://0\.0\.0\.0:\d+ \(Ctrl-C stops it\)\n", first)
    assert list(tmp_path.glob("depthnet-serve-*"))
    time.sleep(0.5)
    server.send_signal(stop)
    rest, errors = server.communicate(timeout=120)
    assert (server.returncode, rest) == (code, "")
    assert re.fullmatch(r"depthnet: warning: --host 0\.0\.0\.0: everyone who can reach this machine .+\n", errors)
    assert list(tmp_path.iterdir()) == []
