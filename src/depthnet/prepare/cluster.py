"""Scenes on the workers of a Dask scheduler, which gives those of a lost worker to another one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator, Iterable
from typing import Any

from depthnet.errors import InputError, MissingTierError, one_line
from depthnet.prepare.scene_job import SceneJob, SceneOutcome

_CONNECT_SECONDS = 15.0


def run_on_cluster(job: SceneJob, scenes: Iterable[str], address: str) -> Generator[SceneOutcome]:
    """Prepare scenes on a cluster.

    Args:
        job: what to do with a scene; its tree and its source must have one path on all workers, which must have
            depthnet installed.
        scenes: names.
        address: of the scheduler, ``tcp://HOST:8786`` or ``HOST:8786``.

    Yields:
        The outcome of each scene as it comes. A scene during which several workers died one after the other is reported
        as failed (Dask's setting ``distributed.scheduler.allowed-failures``).

    Raises:
        InputError: if the scheduler cannot be reached, is lost, or has no workers.
        MissingTierError: if Dask is not installed.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise MissingTierError(
            f'--cluster {address}: this needs Dask; run: pip install "depthnet[cluster]".'
        ) from error
    for name in ("distributed.client", "distributed.comm", "distributed.core"):  # their lines say it less clearly
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--cluster {address}: no Dask scheduler answers ({one_line(error, 200)}); start one with "
            "`dask scheduler` and give its address, like tcp://HOST:8786."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            raise InputError(
                f"--cluster {address}: the scheduler has no workers; start some with `dask worker {address}`."
            ) from error
        token = uuid.uuid4().hex[:12]
        futures = {client.submit(job.run, scene, key=f"prepare-{scene}-{token}", pure=False): scene for scene in scenes}
        try:
            for future in as_completed(futures, loop=client.loop):
                yield _outcome(future, futures[future], address)
        finally:
            client.cancel(list(futures))


def _outcome(future: Any, scene: str, address: str) -> SceneOutcome:
    """What a worker gave, or why it gave nothing."""
    from distributed import CancelledError

    try:
        outcome: SceneOutcome = future.result()
        return outcome
    except CancelledError as error:
        raise InputError(
            f"--cluster {address}: the scheduler is gone; start it again, then the same command goes on."
        ) from error
    except ImportError as error:
        raise InputError(
            f"--cluster {address}: its workers cannot run this ({one_line(error, 200)}); install the same depthnet "
            "there."
        ) from error
    except Exception as error:  # workers that died, results that cannot be pickled
        return SceneOutcome(scene, error=f"scene {scene}: {type(error).__name__}: {one_line(error, 200)}")
