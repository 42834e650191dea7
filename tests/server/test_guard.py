"""Nothing but the page's own addresses and files can be reached, by any spelling; the rest is refused in one line."""

from __future__ import annotations

import asyncio
import http.client
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from depthnet.server import guard
from depthnet.server.guard import FILE, MAX_BODY, UPLOAD, Guard

JOIN = "/gradio_api/queue/join"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = (tmp_path / "ours").resolve()
    (place / "ab12").mkdir(parents=True)
    (place / "ab12" / "photo.png").write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("secret")
    (place / "way_out").symlink_to(tmp_path / "secret.txt")
    return place


def ask(
    folder: Path, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """Send one request through a guard around an app that says back what it was sent; status, headers and body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": got["body"]})

    sent: list[Any] = []
    parts = [body[at : at + 50_000] for at in range(0, len(body), 50_000)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Guard(app, folder, max_upload=1000)(scope, receive, send))
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, sent[1]["body"].decode()


@pytest.mark.parametrize("path", ["/", "/config", "/assets/index.js", "/gradio_api/heartbeat/x1", "/gradio_api/info"])
def test_the_page_s_addresses_are_open(folder: Path, path: str) -> None:
    status, headers, _ = ask(folder, path)
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/docs", "/monitoring", "/gradio_api/proxy=https://a.hf.space", "/gradio_api/deep_link", "/gradio_api/runs",
        "/gradio_api/vibe-code", "/gradio_api/component_server", "/gradio_api/run/predict", "/login", "//", "/assets",
        "/gradio_api/queue/joint", "/gradio_api/file/etc/passwd", "/custom_component/1/client/x/y.js",
    ],
)  # fmt: skip
def test_other_addresses_are_not_there(folder: Path, path: str) -> None:
    assert ask(folder, path)[0] == 404


def test_a_file_of_ours_is_served(folder: Path) -> None:
    assert ask(folder, f"{FILE}{folder}/ab12/photo.png")[0] == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "/etc/passwd", "../../../etc/passwd", "{folder}/../secret.txt", "{folder}/ab12/../../secret.txt",
        "{folder}/way_out", "{folder}/ab12", "{folder}", "{folder}/absent.png", "http://example.org/x.png",
        "https://huggingface.co/x", "file:///etc/passwd", "~/.bashrc", "{folder}/ab12/photo.png\0", "pyproject.toml",
    ],
)  # fmt: skip
def test_no_other_file_is_served_nor_may_be_named(folder: Path, wanted: str) -> None:
    path = wanted.replace("{folder}", str(folder))
    assert ask(folder, f"{FILE}{path}")[0] == 403
    for data in ([{"path": path}], {"deep": [[{"x": {"path": path, "meta": {"_type": "gradio.FileData"}}}]]}):
        status, _, body = ask(folder, JOIN, "POST", json.dumps({"data": data}).encode())
        assert (status, "upload the file first" in body) == (403, True)


@pytest.mark.parametrize("path", [None, 7, ["/etc/passwd"], {"path": "/etc/passwd"}])
def test_a_path_that_is_no_text_is_refused(folder: Path, path: object) -> None:
    assert ask(folder, JOIN, "POST", json.dumps([{"path": path}]).encode())[0] == 403


def test_a_request_about_our_files_is_handed_on_unchanged(folder: Path) -> None:
    body = json.dumps(
        {"data": [{"path": f"{folder}/ab12/photo.png"}, "mobile", None], "ü": "é" * 28_000}, ensure_ascii=False
    ).encode()
    assert 50_000 < len(body) < MAX_BODY  # comes in two parts
    status, _, seen = ask(folder, JOIN, "POST", body)
    assert (status, seen.encode()) == (200, body)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x" * (MAX_BODY + 1), 413), (b"{", 400), (b"[" * 60_000, 400), (b"\xff\xfe", 400), (b"", 200)],
)
def test_a_request_is_small_json(folder: Path, body: bytes, status: int) -> None:
    assert ask(folder, JOIN, "POST", body)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Length": "900"}, 200), ({"Content-Length": "900000"}, 413), ({}, 411), ({"Content-Length": "-5"}, 411)],
)
def test_an_upload_says_its_length_first(folder: Path, headers: dict[str, str], status: int) -> None:
    assert ask(folder, UPLOAD, "POST", b"binary", headers)[0] == status


def test_a_full_disk_takes_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = guard.MIN_FREE + 500
    monkeypatch.setattr(guard.shutil, "disk_usage", lambda place: SimpleNamespace(free=free * (place == folder)))
    assert ask(folder, UPLOAD, "POST", b"", {"Content-Length": "600"})[0] == 507
    assert ask(folder, UPLOAD, "POST", b"", {"Content-Length": "400"})[0] == 200


def send(address: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """A request to a running server, its path as it stands."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    data = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, data, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


@pytest.mark.parametrize(
    "path",
    [
        f"{FILE}/etc/passwd", f"{FILE}../../../../../../etc/passwd", f"{FILE}%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        f"{FILE}{Path(__file__).resolve()}", "/static/../../../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", f"{FILE}http://127.0.0.1:1/x",
    ],
)  # fmt: skip
def test_a_running_server_serves_no_file_of_the_machine(address: str, path: str) -> None:
    status, text = send(address, path)
    assert status in (403, 404)
    assert "root:" not in text


@pytest.mark.parametrize("place", range(5))
def test_no_input_makes_the_server_read_a_file_or_an_address(address: str, place: int) -> None:
    for path in ("/etc/passwd", "https://example.org/photo.png"):
        data: list[Any] = [None, "mobile", None, None, ["png"]]
        data[place] = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for start in (JOIN, "/gradio_api/call/predict"):
            status, text = send(address, start, {"data": data, "fn_index": 0, "session_hash": "abc"})
            assert (status, "upload the file first" in text) == (403, True)


def test_a_page_under_another_name_gets_nothing(address: str) -> None:
    assert send(address, "/", headers={"Host": "evil.example"})[0] == 400
    assert send(address, "/", headers={"Host": "localhost:7860"})[0] == 200
