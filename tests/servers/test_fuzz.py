"""A short run of the fuzzer (`make fuzz`) with a fixed seed, under each kind of server."""

from __future__ import annotations

import pytest
from support.chaos.fuzz import SETTINGS, fuzz
from support.servers import KINDS, Server


@pytest.mark.parametrize(
    "kind",
    ["gunicorn", *(pytest.param(k, marks=pytest.mark.full) for k in KINDS if k != "gunicorn")],
)
def test_fuzzing_leaves_other_clients_unharmed(tmp_path, kind):
    server = Server(kind, tmp_path, SETTINGS, module="support.apps.watched")
    try:
        print(fuzz(server, seed=20260, seconds=3, attacks=400))
    finally:
        server.stop()
