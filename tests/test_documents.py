"""The documents: links, headings and the commands that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
CODE = re.compile(r"^```.*?^```$|^    .*?$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
MAX_RECORD_LINES = 30

EXPECTED_HEADINGS = {
    "docs/architecture.md": [
        "The path of one message",
        "Where is a message numbered",
        "Where is it encoded",
        "Where is a name claimed",
        "Where does a new event go",
        "Where does a new setting go",
        "Deviations from the protocols",
    ],
    "docs/wire.md": [
        *["Write a client in ten minutes", "Reconnect without losing anything"],
        *["Client to server", "Server to client", "Refusals", "Names", "Rooms", "Bounds", "HTTP"],
        "Older clients",
    ],
    "CONTRIBUTING.md": ["Set up", "Run one test", "Style", "How a change is accepted"],
    "SECURITY.md": ["Report a vulnerability", "Supported versions", "Scope"],
}


def headings(document: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def links(document: Path) -> list[str]:
    """Return the relative links of a document, outside code."""
    text = CODE.sub("", document.read_text())
    return [to for to in re.findall(r"\]\(([^)\s]+)\)", text) if not to.startswith("http")]


def relative(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_leads_to_a_file_and_a_heading(document):
    for link in links(document):
        path, _, fragment = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if fragment:
            assert fragment in map(anchor, headings(target)), link


@pytest.mark.parametrize("name", EXPECTED_HEADINGS)
def test_document_has_the_headings_that_others_rely_on(name):
    assert set(EXPECTED_HEADINGS[name]) <= set(headings(ROOT / name))


def test_readme_begins_with_the_two_commands():
    commands = re.findall(r"^    (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["make run", "make test"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_make_command_in_a_document_is_a_target(document):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:`|^    )make ([a-z-]+)", document.read_text(), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("target", ["test", "test-full", "check", "lint"])
def test_readme_names_the_commands_of_contributors(target):
    assert f"`make {target}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_decision_is_a_short_dated_record_that_the_index_lists(record):
    lines = record.read_text().splitlines()
    assert len(lines) <= MAX_RECORD_LINES
    assert re.fullmatch(r"# \d+\. .+", lines[0])
    assert re.match(r"\d{4}-\d\d-\d\d, commit [0-9a-f]{7}$", lines[2])
    assert headings(record)[1:] == ["Context", "Decision", "Consequences"]
    number, title = re.fullmatch(r"# (\d+)\. (.+)", lines[0]).groups()
    assert record.name.startswith(number.zfill(4))
    index = (record.parent / "README.md").read_text()
    assert f"| {number} | [{title}]({record.name}) | {lines[2][:10]} |" in index


def test_architecture_names_every_module_and_no_other():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = {Path(name).name for name in re.findall(r"`([\w/.-]+\.(?:py|lua|js))`", text)}
    package = [path for path in (ROOT / "chatapp").rglob("*.*") if "vendor" not in path.parts]
    modules = {path.name for path in package if path.suffix in (".py", ".lua", ".js")}
    folders = {"views", "words"}  # the document names these as a whole
    inside = {path.name for path in package if path.parent.name in folders}
    others = {path.name for path in [*(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py")]}
    assert modules - named - inside == set()
    assert named - modules - others == set()
