"""The wheel: its files, and the command that it installs into an empty environment."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile

import pytest
from support import servers
from support.servers import ROOT, Server

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]  # pip downloads every dependency


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    command = [sys.executable, "-m", "build", "-q", "--wheel", "--outdir", folder, source]
    subprocess.run(command, check=True)
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_contains_all_files_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "chatapp", "templates"], cwd=ROOT, check=True, capture_output=True
    )
    expected = [
        name.replace("templates/", "chatapp/templates/") for name in tracked.stdout.decode().split()
    ]
    assert set(expected) - names == set()
    assert not [name for name in names if name.startswith(("tests", "tools", "templates"))]


def test_installed_command_serves_the_page(wheel, tmp_path, monkeypatch):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin" / "pip", "install", "-q", wheel], check=True)
    monkeypatch.setitem(servers.COMMANDS, "command", [str(environment / "bin" / "chatapp")])
    monkeypatch.setattr(servers, "ROOT", tmp_path)
    server = Server("command", tmp_path, {})
    try:
        page = server.get("/")[2].decode()
        parts = re.findall(r'"(/static/[^"]+)"', page)
        assert len(parts) > 40
        assert {server.get(part)[0] for part in parts} == {200}
    finally:
        assert server.stop() == 0
