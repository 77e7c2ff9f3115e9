"""The WebSocket protocol under each kind of server, with Autobahn's cases run by kosoku.

Compression cases are excluded, because the server offers no compression.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from kosoku import FailureError, run_fuzzingclient
from support.servers import KINDS, Server

COMPRESSION = ["12.*", "13.*"]


async def run_cases(server: Server) -> None:
    """Run all cases; a failure raises kosoku's FailureError, which names the case.

    Each case has a time limit of a second, which four concurrent cases may miss on a busy machine.
    So failed cases run again one at a time.
    """
    address = f"127.0.0.1:{server.port}"
    run = run_fuzzingclient(address, exclude_cases=COMPRESSION, concurrency=4)
    try:
        assert len(await asyncio.wait_for(run, 240)) > 300
    except FailureError as failure:
        # `failure.results` has the passed cases, too.
        failed = re.findall(r"^ +([\d.]+): behavior=", str(failure), re.MULTILINE)
        assert 0 < len(failed) < 10, failure
        await asyncio.wait_for(run_fuzzingclient(address, failed), 60)


@pytest.mark.timeout(400)  # of which the cases may take 300
@pytest.mark.parametrize(
    "kind",
    ["gunicorn", *(pytest.param(k, marks=pytest.mark.full) for k in KINDS if k != "gunicorn")],
)
def test_server_passes_autobahn_suite(tmp_path, kind):
    server = Server(kind, tmp_path, {}, module="support.apps.echo")
    try:
        # Playwright keeps an event loop running in the main thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run_cases(server)).result()
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()
