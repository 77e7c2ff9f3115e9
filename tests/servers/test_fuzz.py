"""A short run of the fuzzer, from a fixed seed."""

from __future__ import annotations

import pytest
from support.chaos.fuzz import SETTINGS, fuzz
from support.servers import KINDS, Server


@pytest.mark.parametrize(
    "kind",
    ["gunicorn", *(pytest.param(k, marks=pytest.mark.full) for k in KINDS if k != "gunicorn")],
)
def test_attacks_harm_nobody(tmp_path, kind):
    server = Server(kind, tmp_path, SETTINGS, module="support.apps.watched")
    try:
        print(fuzz(server, seed=20260, seconds=3, attacks=400))
    finally:
        server.stop()
