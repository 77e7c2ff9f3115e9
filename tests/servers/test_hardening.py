"""The server under those restrictions of the systemd unit that need no systemd."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest
import socketio
from support.servers import PYTHON, Server

PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
DENY_WRITE_EXECUTE = (
    PYTHON,
    "-c",
    "import ctypes, os, sys\n"
    f"if ctypes.CDLL(None).prctl({PR_SET_MDWE}, {PR_MDWE_REFUSE_EXEC_GAIN}, 0, 0, 0):\n"
    "    sys.exit('no MDWE')\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
)
"""Runs a command that can't make memory executable, as with MemoryDenyWriteExecute."""


def can_deny_write_execute() -> bool:
    """Tell whether the kernel has PR_SET_MDWE (Linux 6.3), in a child of this process."""
    child = os.fork()
    if not child:
        os._exit(ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(
    sys.platform != "linux" or not can_deny_write_execute(), reason="the kernel has no PR_SET_MDWE"
)
@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_server_needs_no_executable_memory(tmp_path, redis_server, store):
    settings = {"STORE": redis_server.url} if store == "redis" else {}
    server = Server("command", tmp_path, settings, wrapper=DENY_WRITE_EXECUTE)
    try:
        client = socketio.SimpleClient()
        client.connect(server.url)
        assert client.call("setUsername", "Ann")["ok"]
        assert client.call("msg", {"message": "hi"})["ok"]
        client.disconnect()
        assert server.get("/", Accept_Encoding="br")[0] == 200
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()
