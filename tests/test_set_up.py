"""The set-up of programs and packages by `make`, with stubs in place of apt, sudo and npm."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEED = ROOT / "tests" / "need.sh"
FAILING_APT = 'echo "E: Unable to locate package" >&2; exit 100'


class Machine:
    """A search path that holds stubs, which write their command lines into a file, and nothing
    else of the machine but a few standard tools."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        self._path = folder / "bin"
        self._path.mkdir()
        self.add("id", "echo 1000")
        for tool in ("tail", "touch", "make", "sh"):
            (self._path / tool).symlink_to(shutil.which(tool))

    def add(self, program: str, script: str = "") -> None:
        stub = self._path / program
        stub.write_text(f'#!/bin/sh\necho "{program} $*" >> {self._calls}\n{script}\n')
        stub.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [line for line in lines if not line.startswith("id ")]

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess:
        found = {"PATH": str(self._path), "HOME": os.environ["HOME"], **environment}
        return subprocess.run(command, env=found, capture_output=True, text=True, timeout=20)


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_installed_if_no_program_is_missing(machine):
    machine.add("nginx")
    machine.add("apt-get")
    done = machine.run(NEED, "nginx")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls == []


def test_packages_are_named_before_they_are_installed(machine):
    machine.add("sudo")
    machine.add("apt-get")
    done = machine.run(NEED, "nginx", "node")
    assert done.returncode == 0
    assert done.stderr == (
        "Installing with sudo -n apt-get (INSTALL=0 prevents this): nginx nodejs\n"
    )
    assert machine.calls == [
        "sudo -n apt-get update -qq",
        "sudo -n apt-get install -qq -y --no-install-recommends nginx nodejs",
    ]


def test_root_installs_packages_without_sudo(machine):
    machine.add("id", "echo 0")
    machine.add("apt-get")
    assert machine.run(NEED, "nginx").returncode == 0
    assert machine.calls[0] == "apt-get update -qq"


def test_install_0_names_the_packages_and_installs_nothing(machine):
    machine.add("sudo")
    machine.add("apt-get")
    done = machine.run(NEED, "nginx", "strace", INSTALL="0")
    assert done.returncode == 1
    assert done.stderr == (
        "Programs are missing. Install these packages, then run make again: nginx strace\n"
    )
    assert machine.calls == []


def test_machine_without_apt_names_the_packages(machine):
    done = machine.run(NEED, "nginx")
    assert done.returncode == 1
    assert done.stderr.endswith("then run make again: nginx\n")


def test_error_of_apt_is_shown(machine):
    machine.add("id", "echo 0")
    machine.add("apt-get", FAILING_APT)
    done = machine.run(NEED, "nginx")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "E: Unable to locate package",
        "Programs are missing. Install these packages, then run make again: nginx",
    ]


def test_error_of_npm_is_shown_with_what_to_do(machine, tmp_path):
    machine.add("node")
    machine.add("npm", 'echo "npm error code E404" >&2; exit 1')
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(NEED, tmp_path / "tests")
    (tmp_path / "tests" / "package.json").write_text("{}")
    target = "tests/node_modules/.package-lock.json"
    done = machine.run("make", "-C", tmp_path, target)
    assert done.returncode != 0
    assert "npm error code E404" in done.stderr
    assert "Check the network and 'npm config get registry'" in done.stderr
    assert not (tmp_path / target).exists()
