"""`chatapp`: the installed command. It serves the chat as `make run` does."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version


def main() -> None:
    """Serve the chat until it is told to stop; settings are CHATAPP_… in the environment."""
    parser = argparse.ArgumentParser(
        prog="chatapp",
        description="Serve the chat. Settings are environment variables CHATAPP_…; "
        "CHATAPP_BIND=127.0.0.1:3000 is the address.",
    )
    parser.add_argument("--version", action="version", version=f"chatapp {version('chatapp')}")
    parser.parse_args()
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:chatapp.serve"]
    os.execv(sys.executable, [*gunicorn, "chatapp:create_app()"])
