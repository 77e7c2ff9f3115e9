"""Autobahn's cases for WebSocket servers, but those of compression, which isn't offered."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from kosoku import FailureError, run_fuzzingclient
from support.servers import KINDS, Server

COMPRESSION = ["12.*", "13.*"]


async def run_cases(server: Server) -> None:
    """One that fails raises kosoku's FailureError, which names it.

    A case has a second of time, which a machine that's busy with other tests may not have for four
    at once: those that fail are run again alone.
    """
    address = f"127.0.0.1:{server.port}"
    run = run_fuzzingclient(address, exclude_cases=COMPRESSION, concurrency=4)
    try:
        assert len(await asyncio.wait_for(run, 240)) > 300
    except FailureError as failure:
        failed = [result.case_id for result in failure.results]
        assert len(failed) < 10, failure
        await asyncio.wait_for(run_fuzzingclient(address, failed), 60)


@pytest.mark.timeout(400)  # of which the cases may take 300
@pytest.mark.parametrize(
    "kind",
    ["gunicorn", *(pytest.param(k, marks=pytest.mark.full) for k in KINDS if k != "gunicorn")],
)
def test_no_case_of_autobahns_fails(tmp_path, kind):
    server = Server(kind, tmp_path, {}, module="support.apps.echo")
    try:
        # In a thread of its own: Playwright keeps a running loop in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run_cases(server)).result()
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()
