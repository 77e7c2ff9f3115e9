"""Autobahn's cases for WebSocket servers, but those of compression, which isn't offered."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from kosoku import run_fuzzingclient
from serving import KINDS, Server

if TYPE_CHECKING:
    from kosoku._kosoku import CaseResult

COMPRESSION = ["12.*", "13.*"]


async def cases(server: Server) -> list[CaseResult]:
    """Run them. One that fails raises kosoku's FailureError, which names it."""
    address = f"127.0.0.1:{server.port}"
    run = run_fuzzingclient(address, exclude_cases=COMPRESSION, concurrency=4)
    return await asyncio.wait_for(run, 240)


@pytest.mark.parametrize("kind", KINDS)
def test_no_case_of_autobahns_fails(tmp_path, kind):
    server = Server(kind, tmp_path, {}, module="echo")
    try:
        # In a thread of its own: Playwright keeps a running loop in this one.
        with ThreadPoolExecutor(1) as thread:
            results = thread.submit(asyncio.run, cases(server)).result()
    finally:
        server.stop()
    assert len(results) > 300
    assert "Traceback" not in server.log.read_text()
