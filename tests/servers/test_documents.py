"""The example clients of docs/wire.md against a server, and the table of settings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from support.chaos.torture import Torture
from support.servers import ROOT, UNLIMITED

WIRE = (ROOT / "docs" / "wire.md").read_text()


def examples(language: str) -> list[str]:
    """Return the examples in a language: the shortest client, then the one that reconnects."""
    return re.findall(rf"```{language}\n(.*?)```", WIRE, re.DOTALL)


def run(language: str, folder, *arguments: str) -> subprocess.CompletedProcess:
    if language == "js":
        # Beside the packages that npm has installed for the tests.
        command = ["node", "--input-type=module", "-", *arguments]
        where = ROOT / "tests"
    else:
        command = [sys.executable, "-", *arguments]
        where = folder
    return subprocess.run(
        command, cwd=where, input=examples(language)[0], capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("language", ["js", "python"])
def test_example_client_of_wire_document_sends_a_message(serve, tmp_path, language):
    server = serve("gunicorn", **UNLIMITED)
    assert len(examples(language)[0].strip().splitlines()) <= 15
    done = run(language, tmp_path, server.url, f"Writer {language}", "<hello>")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"\d+ Writer {language}: <hello>\n", done.stdout), done
    refused = run(language, tmp_path, server.url, "\u200b", "hello")
    assert "U+200B" in refused.stderr


def test_reconnecting_client_loses_nothing(tmp_path):
    """The server is killed twice while the client sends."""
    torture = Torture(tmp_path, seed=1)
    client = subprocess.Popen(
        ["node", "--input-type=module", "-e", examples("js")[1], "-", torture.server.url, "Writer"],
        cwd=ROOT / "tests",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    sent = [f"message {number}" for number in range(60)]
    try:
        for number, message in enumerate(sent):
            client.stdin.write(f"{message}\n")
            client.stdin.flush()
            time.sleep(0.05)
            if number in (20, 40):
                os.killpg(torture.server.process.pid, signal.SIGKILL)
                torture.start()
        shown, _ = client.communicate(timeout=60)
    finally:
        client.kill()
        torture.server.stop()
    assert client.returncode == 0
    assert shown.splitlines() == [f"{n} Writer: {text}" for n, text in enumerate(sent, 1)]


def test_table_of_settings_is_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from settings_table import DOCUMENT, table, with_table

    document = DOCUMENT.read_text()
    assert table() in document
    assert with_table(document) == document
