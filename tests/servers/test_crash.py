"""The server is killed, and nothing that it acknowledged is lost (docs/wire.md, Messages)."""

from __future__ import annotations

import pytest
from torture import torture


@pytest.mark.parametrize("kind", ["gunicorn", "flask"])
def test_killed_under_load(tmp_path, kind):
    assert "all there" in torture(
        tmp_path, rounds=5 if kind == "gunicorn" else 2, seed=1, kind=kind
    )
