"""Faults of a cluster of real processes: Redis, nodes, and connections between them."""

from __future__ import annotations

import pytest
from support.chaos import faults

LEASE, HOLD = 2.0, 2.0  # seconds


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.__name__)
def test_acknowledged_messages_survive_a_fault(tmp_path, fault):
    with faults.cluster(tmp_path, lease=LEASE) as cluster:
        print(faults.check_recovery(cluster, fault, pause=1.5 * LEASE))


def test_killed_node(tmp_path):
    with faults.cluster(tmp_path, lease=LEASE, hold=HOLD) as cluster:
        print(faults.check_killed_node(cluster, LEASE, HOLD))


def test_suspended_node(tmp_path):
    with faults.cluster(tmp_path, lease=LEASE, hold=HOLD) as cluster:
        print(faults.check_paused_node(cluster, LEASE))


def test_one_of_two_hundred_claims_succeeds(tmp_path):
    with faults.cluster(tmp_path) as cluster:
        print(faults.check_name_race(cluster, rounds=100))
