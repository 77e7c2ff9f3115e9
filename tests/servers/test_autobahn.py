"""Autobahn's cases for WebSocket servers, but those of compression, which isn't offered."""

from __future__ import annotations

import asyncio

import pytest
from kosoku import run_fuzzingclient
from serving import KINDS, Server

COMPRESSION = ["12.*", "13.*"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_case_of_autobahns_fails(tmp_path, kind):
    server = Server(kind, tmp_path, {}, module="echo")
    try:
        run = run_fuzzingclient(
            f"127.0.0.1:{server.port}", exclude_cases=COMPRESSION, concurrency=4
        )
        results = asyncio.run(asyncio.wait_for(run, 240))
    finally:
        server.stop()
    assert len(results) > 300
    assert "Traceback" not in server.log.read_text()
