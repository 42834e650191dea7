"""Scenes on a real Dask scheduler with two workers, each a process of its own on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tiny_source import TinySource, begun, make_scenes

from depthnet.errors import InputError, MissingTierError
from depthnet.prepare.run import PrepareProgress, prepare

pytest.importorskip("distributed")


@dataclass
class Cluster:
    """A scheduler and its workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


def start(folder: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    """Start one process of Dask; it writes what it says to a file."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    with (folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    told = folder / "scheduler.json"
    scheduler = start(folder, "scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0",
                      "--scheduler-file", str(told))  # fmt: skip
    workers = [
        start(folder, f"worker{i}", "worker", "--scheduler-file", str(told), "--nthreads", "1", "--no-nanny",
              "--host", "127.0.0.1")
        for i in range(2)
    ]  # fmt: skip
    deadline = time.monotonic() + 120
    while not told.exists() or not told.read_text().endswith("}"):
        assert time.monotonic() < deadline, (folder / "scheduler.log").read_text()
        assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
        time.sleep(0.1)
    yield Cluster(json.loads(told.read_text())["address"], workers)
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def content(tree: Path) -> dict[str, bytes]:
    return {str(file.relative_to(tree)): file.read_bytes() for file in sorted(tree.rglob("*")) if file.is_file()}


def test_a_cluster_writes_the_bytes_of_a_local_run_even_when_a_worker_dies(cluster: Cluster, tmp_path: Path) -> None:
    source = TinySource(make_scenes(tmp_path / "download", "abcd", b={"drop": [1]}))
    prepare(source, tmp_path / "local", workers=1)
    whole = content(tmp_path / "local")
    begun(source.path)

    seen: list[tuple[int, int]] = []

    def note(now: PrepareProgress) -> None:
        seen.append((now.done, now.frames))

    result = prepare(source, tmp_path / "cluster", cluster=cluster.address, on_progress=note)
    assert (result.new, result.failed, begun(source.path)) == (list("abcd"), {}, list("abcd"))
    assert content(tmp_path / "cluster") == whole
    assert (seen[0], seen[-1]) == ((0, 0), (4, 11))

    # Scene c kills the process that does it, in its second frame, but for the first time only.
    make_scenes(source.path, "c", c={"die": 1})
    result = prepare(source, tmp_path / "cluster", cluster=cluster.address, overwrite=True)
    assert [worker.poll() for worker in cluster.workers].count(-9) == 1
    assert (result.new, result.failed) == (list("abcd"), {})
    assert begun(source.path).count("c") == 2
    assert content(tmp_path / "cluster") == whole

    # The other worker goes on; a scene that cannot be read is reported, and only what is missing is done.
    make_scenes(source.path, "ce", c={}, e={"bad": True})
    (tmp_path / "cluster" / "rgb" / "a_000.png").unlink()
    result = prepare(source, tmp_path / "cluster", cluster=cluster.address)
    assert (result.new, begun(source.path)) == (["a"], ["a", "e"])
    assert result.failed == {"e": "scene e: e.zip: cut off after 1 frame; fetch it again."}
    assert content(tmp_path / "cluster") == whole


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere://x", "127.0.0.1:port"])
def test_an_address_without_a_scheduler_is_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("depthnet.prepare.cluster._CONNECT_SECONDS", 0.5)
    source = TinySource(make_scenes(tmp_path / "download", "a"))
    with pytest.raises(InputError, match=f"--cluster {address}: no Dask scheduler answers .*start one with") as caught:
        prepare(source, tmp_path / "t", cluster=address)
    assert "\n" not in str(caught.value)


def test_dask_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    source = TinySource(make_scenes(tmp_path / "download", "a"))
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[cluster\]"'):
        prepare(source, tmp_path / "t", cluster="tcp://127.0.0.1:8786")
