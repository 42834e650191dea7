"""The `depthnet` command: finds the command's module by the first word and turns errors into exit codes.

A command is one dataclass with a ``run`` method in a module of this package and one line of :data:`COMMANDS`.
Only the module of the wanted command is imported, so `depthnet --help` answers at once.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from depthnet.cli.report import report_failure
from depthnet.cli.usage import UsageError

#: Name -> (module:class of the command, one line of help).
COMMANDS = {
    "predict": ("depthnet.cli.predict:Predict", "depth in metres for photos and videos: files, folders or globs"),
    "train": ("depthnet.cli.train:Train", "train a depth network"),
    "evaluate": ("depthnet.cli.evaluate:Evaluate", "score a model or a folder of predictions against ground truth"),
    "prepare": ("depthnet.cli.prepare:Prepare", "from a download, or from nothing, to a tree that trains"),
    "odometry": ("depthnet.cli.odometry:Odometry", "the path of the camera through an RGB-D or plain video"),
    "show": ("depthnet.cli.show:Show", "draw data, or whatever depthnet wrote, as a picture or page"),
    "check": ("depthnet.cli.check:Check", "read a data set and report what it holds and what is likely wrong with it"),
    "trajectory": ("depthnet.cli.trajectory:Trajectory", "score a camera path against the truth"),
    "export": ("depthnet.cli.export:Export", "write a trained network as one ONNX file"),
    "describe": ("depthnet.cli.describe:Describe", "a network's levels, skips and costs, as a table and a drawing"),
    "experiment": ("depthnet.cli.experiment:Experiment", "run a table of trainings and write what it proves"),
    "benchmark": ("depthnet.cli.benchmark:Benchmark", "measure speed against a rival on this machine"),
    "serve": ("depthnet.cli.serve:Serve", "a page in the browser that turns photos into depth, and an API"),
    "models": ("depthnet.cli.models:Models", "list the models, networks and configurations that are shipped"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        words: the words after `depthnet`; by default those of this process.

    Returns:
        The exit code: 0 done, 1 a user's error (one line on stderr), 2 wrong usage, 130 interrupted, 143 terminated.
    """
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    logging.basicConfig(stream=sys.stderr, format="depthnet: %(message)s")
    if debug:
        logging.getLogger("depthnet").setLevel(logging.DEBUG)
        words = [word for word in words if word != "--debug"]
        words[1:1] = ["--debug"]  # behind the command's name, wherever it stood
    try:
        with _leave_on_sigterm():
            return _dispatch(words)
    except SystemExit as stop:  # tyro has printed its help or what was wrong
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt as stop:
        print(f"depthnet: interrupted{'; ' if str(stop) else ''}{stop}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `depthnet models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            report_failure(error)
        return 2 if isinstance(error, UsageError) else 1


@contextmanager
def _leave_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an orderly exit with code 143, so that files in the making are removed as on Ctrl-C."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield  # not ours to decide: a program calls us as a library
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _dispatch(words: list[str]) -> int:
    if "--version" in words:
        from depthnet import __version__

        print(f"depthnet {__version__}")
        return 0
    if not words or words[0] == "--debug":
        print(_overview(), file=sys.stderr)
        return 2
    if words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] not in COMMANDS:
        close = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"perhaps you meant {close[0]!r}" if close else f"choose one of: {', '.join(COMMANDS)}"
        raise UsageError(f"{words[0]!r} is no command; {hint}. `depthnet --help` lists them.")
    module, cls = COMMANDS[words[0]][0].split(":")
    command = getattr(importlib.import_module(module), cls)

    from depthnet.cli.parsing import run_command

    return run_command(command, words[0], words[1:])


def _overview() -> str:
    lines = ["usage: depthnet COMMAND ...", "", "Depth in metres from a single photograph.", "", "commands:"]
    lines += [f"  {name:<11}{summary}" for name, (_, summary) in COMMANDS.items()]
    lines += [
        "",
        "`depthnet COMMAND --help` explains a command. Everywhere: --config FILE.yaml reads options from a file,",
        "--print-config prints the options that are in force, --debug shows where an error comes from, --version.",
    ]
    return "\n".join(lines)
