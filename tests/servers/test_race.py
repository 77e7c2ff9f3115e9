"""A race of 50 python-socketio clients for one name, in many rounds."""

from __future__ import annotations

import threading

from support.clients import SocketIOClient
from support.servers import UNLIMITED

ROUNDS, CLIENTS = 20, 50


def test_one_of_50_concurrent_claims_of_a_name_succeeds(serve):
    server = serve("gunicorn", **UNLIMITED)
    clients = [SocketIOClient(server.url, "websocket") for _ in range(CLIENTS)]
    barrier = threading.Barrier(CLIENTS, timeout=30)
    winners: list[list[int]] = [[] for _ in range(ROUNDS)]

    def claim(index: int) -> None:
        for round_ in range(ROUNDS):
            barrier.wait()
            if clients[index].set_name("Prize")["ok"]:
                winners[round_].append(index)
            barrier.wait()
            if index in winners[round_]:
                clients[index].set_name(f"Winner {round_}")

    threads = [threading.Thread(target=claim, args=(index,)) for index in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(won) for won in winners] == [1] * ROUNDS
    for client in clients:
        client.disconnect()
