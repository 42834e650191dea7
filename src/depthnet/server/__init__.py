"""``depthnet serve``: a page that turns photos into depth, and the same over an API, on this machine.

:func:`run_server` serves until it is stopped; :func:`serving` does it in a thread beside the caller. The page is
Gradio's, the work is the predictor's. ``photos`` knows nothing of the web, ``guard`` and ``folder`` nothing of Gradio.
"""

from depthnet.server.run import run_server, serving

__all__ = ["run_server", "serving"]
