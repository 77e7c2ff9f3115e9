"""No acknowledged message is lost when a server is killed (docs/wire.md, Messages).

The tests use short runs of `make torture`.
"""

from __future__ import annotations

import time

import pytest
from support.chaos.load import SETTINGS, Client, Sender
from support.chaos.powercut import power_cuts
from support.chaos.torture import torture
from support.servers import Server


@pytest.mark.parametrize("kind", ["gunicorn", pytest.param("flask", marks=pytest.mark.full)])
def test_kill_under_load_loses_no_acknowledged_message(tmp_path, kind):
    assert "each in the log once" in torture(
        tmp_path, rounds=5 if kind == "gunicorn" else 2, seed=1, kind=kind
    )


def test_power_cut_under_load_loses_no_acknowledged_message(tmp_path):
    assert "each in the log once" in power_cuts(tmp_path, rounds=2, cuts=3, seed=1)


@pytest.mark.parametrize(
    "kind", ["gunicorn", pytest.param("gevent-websocket", marks=pytest.mark.full)]
)
def test_sigterm_acknowledges_each_stored_message(tmp_path, kind):
    """The log has exactly the acknowledged messages."""
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
        log = {key: number for number, key, _ in Client(again).read_history(0)}
    finally:
        again.stop()
    acknowledged = {key: n for sender in senders for key, n in sender.acknowledged.items()}
    assert len(acknowledged) > 100
    assert acknowledged == log
