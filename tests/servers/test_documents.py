"""The examples, links and tables of the documents."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.servers import ROOT, UNLIMITED

WIRE = (ROOT / "docs" / "wire.md").read_text()


def example(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", WIRE, re.DOTALL)[1]


def run(language: str, folder, *arguments: str) -> subprocess.CompletedProcess:
    if language == "js":
        # Beside the packages that npm has installed for the tests.
        command = ["node", "--input-type=module", "-", *arguments]
        where = ROOT / "tests"
    else:
        command = [sys.executable, "-", *arguments]
        where = folder
    return subprocess.run(
        command, cwd=where, input=example(language), capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("language", ["js", "python"])
def test_example_client_of_wire_document_sends_a_message(serve, tmp_path, language):
    server = serve("gunicorn", **UNLIMITED)
    assert len(example(language).strip().splitlines()) <= 15
    done = run(language, tmp_path, server.url, f"Writer {language}", "<hello>")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"\d+ Writer {language}: <hello>\n", done.stdout), done
    refused = run(language, tmp_path, server.url, "\u200b", "hello")
    assert "U+200B" in refused.stderr


def test_table_of_settings_is_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from settings_table import DOCUMENT, table, with_table

    document = DOCUMENT.read_text()
    assert table() in document
    assert with_table(document) == document


def test_relative_links_of_documents_exist():
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), (document.name, target)


def test_readme_begins_with_make_run_and_make_test():
    commands = re.findall(r"^    (.+)$", (ROOT / "README.md").read_text(), re.M)
    assert commands[:2] == ["make run", "make test"]
