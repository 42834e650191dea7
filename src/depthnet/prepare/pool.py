"""Scenes in processes of this machine: each asks for the next scene when it has done one.

A process that dies (out of memory, killed) is replaced and its scene is done once more; when that ends in the same way,
the scene is reported and the others go on. When this program itself is killed, the processes end at their next frame.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from depthnet.errors import InputError
from depthnet.prepare.scene_job import SceneJob, SceneOutcome

_log = logging.getLogger(__name__)

_READY = "ready"
# Sums of several threads depend on how many they are; one thread each also leaves every core to one scene.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_STOP_SECONDS = 5.0


class FramesDone:
    """News of a scene that is being prepared."""

    def __init__(self, scene: str, done: int, count: int | None) -> None:
        self.scene, self.done, self.count = scene, done, count


def run_local(job: SceneJob, scenes: Iterable[str], workers: int) -> Generator[FramesDone | SceneOutcome]:
    """Prepare scenes in ``workers`` processes.

    Args:
        job: what to do with a scene; it is pickled.
        scenes: names, in the order in which they are begun.
        workers: number of processes.

    Yields:
        News of the scenes as they come, and one outcome of each.

    Raises:
        InputError: if a process cannot even start.
    """
    waiting, again = deque(scenes), set[str]()
    staff = [_Worker(job) for _ in range(min(workers, len(waiting)))]
    try:
        while any(not worker.idle for worker in staff) or waiting:
            for ready in wait([worker.pipe for worker in staff]):
                place = next(i for i, worker in enumerate(staff) if worker.pipe is ready)
                worker = staff[place]
                try:
                    message = worker.receive()
                except (EOFError, OSError):
                    code, scene = worker.bury(), worker.scene
                    if not worker.ready:
                        raise InputError(_explain_start(code)) from None
                    staff[place] = _Worker(job)
                    if scene is not None and scene not in again:
                        _log.warning("scene %s: its process died (%s); once more", scene, _explain_exit(code))
                        again.add(scene)
                        waiting.appendleft(scene)
                    elif scene is not None:
                        yield SceneOutcome(
                            scene, error=f"scene {scene}: its process died twice ({_explain_exit(code)})."
                        )
                    continue
                if isinstance(message, SceneOutcome | FramesDone):
                    yield message
            for worker in staff:
                if worker.idle and worker.ready and waiting:
                    worker.begin(waiting.popleft())
    finally:
        for worker in staff:
            worker.stop()
        for worker in staff:
            worker.bury()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, job: SceneJob) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.scene: str | None = None
        self.ready = False
        self.process: SpawnProcess = context.Process(target=_work, args=(job, theirs), daemon=True)
        with _one_thread(), _interrupts_held():
            self.process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

    @property
    def idle(self) -> bool:
        """True when it has nothing to do, or has not started yet."""
        return self.scene is None

    def begin(self, scene: str) -> None:
        """Give it a scene."""
        self.scene = scene
        with suppress(OSError):  # when it has died, the next look at the pipe tells
            self.pipe.send(scene)

    def receive(self) -> object:
        """Its next message.

        Raises:
            EOFError, OSError: when it is gone.
        """
        message = self.pipe.recv()
        if isinstance(message, SceneOutcome):
            self.scene = None
        self.ready = True
        return message

    def stop(self) -> None:
        """Ask it to end; what it has begun is removed."""
        self.process.terminate()

    def bury(self) -> int | None:
        """See that it has ended; gives its exit code."""
        self.process.join(_STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
        return self.process.exitcode


def _work(job: SceneJob, pipe: Connection) -> None:
    """The process: scene after scene until it is stopped, or the program that started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)

    def tell(message: object) -> None:
        try:
            pipe.send(message)
        except OSError:
            sys.exit(1)

    try:
        tell(_READY)
        while True:
            tell(_do(job, pipe.recv(), tell))
    except (EOFError, OSError):
        sys.exit(1)


def _leave(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # one to the whole group and one from `stop`: the second finds it leaving
    sys.exit(128 + number)


def _do(job: SceneJob, scene: str, tell: Callable[[object], None]) -> SceneOutcome:
    return job.run(scene, lambda done, count: tell(FramesDone(scene, done, count)))


@contextmanager
def _one_thread() -> Iterator[None]:
    """The environment of processes that compute with one thread, where the user has not said otherwise."""
    added = {name: value for name, value in _ONE_THREAD.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start a process that a Ctrl-C in the terminal does not reach: this program stops it, in order."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the start of this process of multiprocessing's own would let Ctrl-C in again
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _explain_exit(code: int | None) -> str:
    if code is not None and code < 0:
        memory = ", as when memory runs out" if -code == getattr(signal, "SIGKILL", None) else ""
        return f"signal {-code}{memory}"
    return f"exit code {code}"


def _explain_start(code: int | None) -> str:
    return (
        f"a process for the scenes could not start ({_explain_exit(code)}); in a script, call prepare under "
        "`if __name__ == '__main__':`, with a source whose class stands in a module."
    )
