"""Check the prose of documents, docstrings, comments and commit subjects (`make lint`)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDORED = "chatapp/static/vendor/"
MAX_WORDS, MAX_COLUMNS, MAX_SUMMARY, MAX_SUBJECT = 30, 100, 88, 72
SINCE = "--since=2026-11-29T14:00:00Z"
"""Commits before this have subjects of any length."""
RIDDLE = re.compile(r"(Whoever|Who)\b|(What|That)\b.*\bis\b")
"""A sentence that names its subject by a clause."""
CODE = re.compile(r"``.*?``|`[^`]*`|\]\([^)]*\)|<[^>]*>|https?://\S+")
SENTENCE = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(*]*[A-Z`])")
LIST_ITEM = re.compile(r"\s*([-*]|\d+\.)\s")
IN_PYTHON = re.compile(r"^((?:[ \t]*#[^\n]*\n)+)", re.MULTILINE)
IN_JAVASCRIPT = re.compile(r"^[ \t]*/\*(.*?)\*/|^((?:[ \t]*//[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
COMMENT = {".py": IN_PYTHON, ".js": IN_JAVASCRIPT, ".mjs": IN_JAVASCRIPT, ".md": re.compile("(?!)")}


def paragraphs(text: str, first: int, markdown: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs and list items of `text`, each with the number of its first line.

    In Markdown, code, tables and headings are left out.
    """
    start, found, fenced = first, "", False
    for number, line in enumerate([*text.split("\n"), ""], first):
        fenced ^= line.lstrip().startswith("```")
        is_code = fenced or line.startswith(("    ", "|", "#", "```")) if markdown else False
        is_code |= line.lstrip().startswith(("├", "│", "└"))
        if not line.strip() or is_code or LIST_ITEM.match(line):
            if found:
                yield start, found
            start, found = number, "" if is_code else line.strip()
        else:
            start, found = (start, f"{found} {line.strip()}") if found else (number, line.strip())


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a module, those of attributes too, with their line numbers."""
    for node in ast.walk(ast.parse(source)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield node.lineno, value.value


def faults(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that break a rule, and which."""
    text = path.read_text()
    found: list[tuple[int, str]] = []
    if path.suffix == ".md":
        found += paragraphs(text, 1, markdown=True)
        for number, line in enumerate(text.splitlines(), 1):
            if len(CODE.sub("", line)) > MAX_COLUMNS and not line.startswith(("|", "    ")):
                yield number, f"over {MAX_COLUMNS} columns"
    if path.suffix == ".py":
        for number, prose in docstrings(text):
            found += paragraphs(prose, number)
            if len(prose.split("\n")[0]) > MAX_SUMMARY:
                yield number, f"a docstring's first line is over {MAX_SUMMARY} characters"
    for match in COMMENT[path.suffix].finditer(text):
        prose = re.sub(r"^\s*(/?\*+/?|//|#) ?", "", match[0], flags=re.MULTILINE)
        found += paragraphs(prose, text[: match.start()].count("\n") + 1)
    for number, paragraph in found:
        for sentence in SENTENCE.split(CODE.sub("X", paragraph)):
            if RIDDLE.match(sentence) and not sentence.endswith("?"):
                yield number, f"begins with a clause as its subject: {sentence[:60]}"
            if len(sentence.split()) > MAX_WORDS:
                yield number, f"over {MAX_WORDS} words: {sentence[:60]}"


def git(*arguments: str) -> list[str]:
    """Return the lines that a git command prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)  # noqa: S607
    return done.stdout.decode().splitlines()


def main() -> int:
    names = git("ls-files", *sys.argv[1:])
    paths = [ROOT / name for name in names if not name.startswith(VENDORED)]
    paths = [path for path in paths if path.suffix in COMMENT]
    lines = [f"{path.relative_to(ROOT)}:{n}: {why}" for path in paths for n, why in faults(path)]
    for commit, subject in (line.split(" ", 1) for line in git("log", SINCE, "--format=%h %s")):
        if len(subject) > MAX_SUBJECT:
            lines.append(f"commit {commit}: a subject of over {MAX_SUBJECT} characters")
    print("\n".join(lines), end="\n" if lines else "")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
