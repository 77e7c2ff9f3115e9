"""How often damage in a store is logged."""

from __future__ import annotations

import pytest
from support.log_contract import Clock

from chatapp.store.damage import DamageLog


@pytest.fixture
def clock():
    return Clock(0.0)


@pytest.fixture
def damage(clock):
    return DamageLog(interval=60, max_reports=3, clock=clock)


def test_each_subject_is_logged_once_in_an_interval(damage, clock, caplog):
    for clock.now in range(121):
        for subject in ("tea", "cake"):
            damage.report(subject, f"{subject} is damaged")
    assert caplog.messages == ["tea is damaged", "cake is damaged"] * 3


def test_number_of_remembered_and_logged_subjects_is_bounded(damage, clock, caplog):
    for n in range(1000):
        damage.report(f"room {n}", f"room {n} is damaged")
    assert caplog.messages[:3] == [f"room {n} is damaged" for n in range(3)]
    assert caplog.messages[3:] == [
        "more data is damaged than is logged here; look at the store as a whole"
    ]
    assert len(damage._logged) == 4
    clock.now = 60
    damage.report("room 999", "room 999 is damaged")
    assert caplog.messages[4:] == ["room 999 is damaged"]
