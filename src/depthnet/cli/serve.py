"""`depthnet serve`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from depthnet.cli.parsing import Face, JobCommand, Options
from depthnet.config import ServeConfig


@dataclass
class Serve(JobCommand):
    """A page in the browser: drop a photo, read metres, turn the point cloud, download. The same answers an API.

    depthnet serve

    depthnet serve --model runs/mine --port 8080
    """

    job: Options[ServeConfig] = field(default_factory=ServeConfig)
    face: Options[Face] = field(default_factory=Face)

    def run(self) -> int:
        """Print the page's address and serve until Ctrl-C."""
        from depthnet.server import run_server

        def on_start(address: str, reachable: bool) -> None:
            if reachable:
                line = f"--host {self.job.host}: everyone who can reach this machine can use the page; it asks nobody."
                print(f"depthnet: warning: {line}", file=sys.stderr)
            print(f"depthnet is at {address} (Ctrl-C stops it)", flush=True)

        run_server(self.job, on_start)
        return 0
