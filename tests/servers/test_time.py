"""The system clock is set back an hour while clients send messages.

support.apps.jumping sets the clock back under each kind of server.
"""

from __future__ import annotations

import time

import pytest
from support.chaos.load import Client
from support.servers import KINDS, Server


@pytest.mark.parametrize("kind", KINDS)
def test_clock_set_back_stops_timestamps_but_not_rates(kind, tmp_path):
    """Timestamps stay until the clock has caught up; numbers and rates go on."""
    server = Server(kind, tmp_path, {"MESSAGE_LIMIT": "10/20"}, module="support.apps.jumping")
    try:
        ann = Client(server, "Ann")
        answers = [ann.call("msg", {"message": "on time"}) for _ in range(5)]
        (tmp_path / "behind").touch()
        answers += [ann.call("msg", {"message": "an hour back"}) for _ in range(5)]
        assert answers[-1]["at"] == answers[4]["at"]
        assert newest_timestamp(ann) == answers[4]["at"]
        refused = refusal(ann)
        assert refused["code"] == "rate_limited"
        assert 0 < refused["retryAfter"] <= 2000
        time.sleep(refused["retryAfter"] / 1000)
        answers.append(ann.call("msg", {"message": "as soon as the rate allows"}))
        server.stop()
        server = Server(kind, tmp_path, {}, module="support.apps.jumping")
        ann = Client(server, "Ann")
        answers.append(ann.call("msg", {"message": "after a restart"}))
        (tmp_path / "behind").unlink()
        answers.append(ann.call("msg", {"message": "on time again"}))
        times = [each["at"] for each in answers]
        assert times == sorted(times)
        assert abs(times[-1] / 1000 - time.time()) < 10
        assert [each["id"] for each in answers] == list(range(1, 14))
        assert ann.read_history(11) == [(12, "", "after a restart"), (13, "", "on time again")]
    finally:
        server.stop()


def newest_timestamp(client: Client) -> int:
    """Return the timestamp of the newest message."""
    return client.call("history", {"limit": 1})["messages"][0][1]["at"]


def refusal(client: Client) -> dict:
    """Return the answer to a message over the rate."""
    return client.wait_for_answer(client.emit("msg", {"message": "too many"}))
