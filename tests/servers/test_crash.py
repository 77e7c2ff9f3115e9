"""The server is killed, and nothing that it acknowledged is lost (docs/wire.md, Messages)."""

from __future__ import annotations

import time

import pytest
from support.chaos.load import SETTINGS, Client, Sender
from support.chaos.powercut import power_cuts
from support.chaos.torture import torture
from support.servers import Server


@pytest.mark.parametrize("kind", ["gunicorn", pytest.param("flask", marks=pytest.mark.full)])
def test_killed_under_load(tmp_path, kind):
    assert "all there" in torture(
        tmp_path, rounds=5 if kind == "gunicorn" else 2, seed=1, kind=kind
    )


def test_power_cut_under_load(tmp_path):
    assert "all there" in power_cuts(tmp_path, rounds=2, cuts=3, seed=1)


@pytest.mark.parametrize(
    "kind", ["gunicorn", pytest.param("gevent-websocket", marks=pytest.mark.full)]
)
def test_sigterm_finishes_and_acknowledges_what_was_accepted(tmp_path, kind):
    """Whatever the log has, its sender was told; and the other way round."""
    server = Server(kind, tmp_path, SETTINGS)
    senders = [Sender(server, f"Sender {n}") for n in range(8)]
    for sender in senders:
        sender.start()
    time.sleep(0.5)
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 5
    for sender in senders:
        sender.join(10)
    assert "Traceback" not in server.log.read_text()
    again = Server(kind, tmp_path, SETTINGS)
    try:
        log = {key: number for number, key, _ in Client(again).reads(0)}
    finally:
        again.stop()
    acknowledged = {key: n for sender in senders for key, n in sender.acknowledged.items()}
    assert len(acknowledged) > 100
    assert acknowledged == log
