"""Runs ``depthnet`` in a process that ends when the one that started it ends, however that happens.

``python -m depthnet.experiment.child train ...`` is ``python -m depthnet train ...``, but its stdin is a pipe whose
other end the parent holds: when the parent is killed, the pipe closes, and no training goes on unseen beside the next
one.
"""

from __future__ import annotations

import os
import runpy
import threading


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    runpy.run_module("depthnet", run_name="__main__", alter_sys=True)
