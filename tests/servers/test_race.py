"""Fifty real connections ask for one name at once."""

from __future__ import annotations

import threading

from support.clients import SocketIOClient
from support.servers import UNLIMITED

ROUNDS, CLIENTS = 20, 50


def test_one_of_50_concurrent_claims_of_a_name_succeeds(serve):
    server = serve("gunicorn", **UNLIMITED)
    people = [SocketIOClient(server.url, "websocket") for _ in range(CLIENTS)]
    barrier = threading.Barrier(CLIENTS)
    winners: list[list[int]] = [[] for _ in range(ROUNDS)]

    def ask(index: int) -> None:
        for turn in range(ROUNDS):
            barrier.wait()
            if people[index].set_name("Prize")["ok"]:
                winners[turn].append(index)
            barrier.wait()
            if index in winners[turn]:
                people[index].set_name(f"Winner {turn}")

    asking = [threading.Thread(target=ask, args=(index,)) for index in range(CLIENTS)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(60)
    assert [len(won) for won in winners] == [1] * ROUNDS
    for person in people:
        person.disconnect()
