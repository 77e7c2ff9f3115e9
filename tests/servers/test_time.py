"""The clock jumps back an hour while people chat."""

from __future__ import annotations

import time

import pytest
from support.chaos.load import Client
from support.servers import KINDS, Server


@pytest.mark.parametrize("kind", KINDS)
def test_clock_set_back_stops_timestamps_but_not_rates(kind, tmp_path):
    """Times stand still until it has caught up; numbers and rates go on."""
    server = Server(kind, tmp_path, {"MESSAGE_LIMIT": "10/20"}, module="support.apps.jumping")
    try:
        ann = Client(server, "Ann")
        said = [ann.call("msg", {"message": "on time"}) for _ in range(5)]
        (tmp_path / "behind").touch()
        said += [ann.call("msg", {"message": "an hour back"}) for _ in range(5)]
        assert said[-1]["at"] == said[4]["at"]
        assert server_time(ann) == said[4]["at"]
        refused = refusal(ann)
        assert refused["code"] == "rate_limited"
        assert 0 < refused["retryAfter"] <= 2000
        time.sleep(refused["retryAfter"] / 1000)
        said.append(ann.call("msg", {"message": "as soon as the rate allows"}))
        server.stop()
        server = Server(kind, tmp_path, {}, module="support.apps.jumping")
        ann = Client(server, "Ann")
        said.append(ann.call("msg", {"message": "after a restart"}))
        (tmp_path / "behind").unlink()
        said.append(ann.call("msg", {"message": "on time again"}))
        times = [each["at"] for each in said]
        assert times == sorted(times)
        assert abs(times[-1] / 1000 - time.time()) < 10
        assert [each["id"] for each in said] == list(range(1, 14))
        assert ann.read_history(11) == [(12, "", "after a restart"), (13, "", "on time again")]
    finally:
        server.stop()


def server_time(client: Client) -> int:
    """When the newest message was said."""
    return client.call("history", {"limit": 1})["messages"][0][1]["at"]


def refusal(client: Client) -> dict:
    """The answer to one message too many."""
    return client.wait_for_answer(client.emit("msg", {"message": "too many"}))
