"""The logger that the libraries below us are given."""

from __future__ import annotations

import logging
from typing import Any


class ErrorsOnly(logging.LoggerAdapter[logging.Logger]):
    """Passes on errors and drops the rest.

    Below errors, python-engineio and python-socketio log what clients send, as it comes.
    """

    def debug(self, *arguments: Any, **options: Any) -> None:
        """Drop a record."""

    info = warning = debug
