"""The error of a command line that asks for something impossible."""

from __future__ import annotations

from depthnet.errors import ConfigError


class UsageError(ConfigError):
    """The words of the command line do not fit together; one line on stderr and exit code 2."""
