"""A cluster of real processes, while its parts fail."""

from __future__ import annotations

import pytest
from support.chaos import faults

LEASE, HOLD = 2.0, 2.0  # seconds


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_acknowledged_is_lost_and_all_goes_on(tmp_path, fault):
    with faults.cluster(tmp_path, lease=LEASE) as cluster:
        print(faults.check_recovery(cluster, fault, pause=1.5 * LEASE))


def test_a_node_is_killed(tmp_path):
    with faults.cluster(tmp_path, lease=LEASE, hold=HOLD) as cluster:
        print(faults.check_killed_node(cluster, LEASE, HOLD))


def test_a_node_stands_still(tmp_path):
    with faults.cluster(tmp_path, lease=LEASE, hold=HOLD) as cluster:
        print(faults.check_paused_node(cluster, LEASE))


def test_two_hundred_want_a_name(tmp_path):
    with faults.cluster(tmp_path) as cluster:
        print(faults.check_name_race(cluster, rounds=100))
