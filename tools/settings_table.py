"""Write the table of settings in docs/operating.md from the code (`make settings`)."""

from __future__ import annotations

import re
from pathlib import Path

from chatapp.config import SETTINGS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "operating.md"
BEGIN, END = "<!-- settings: written by `make settings` -->", "<!-- end of settings -->"
TABLE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def table() -> str:
    """Return the table, between the comments that mark its place."""
    rows = ["| `CHATAPP_…` | default | unit | meaning |", "|---|---|---|---|"]
    for name, declared in SETTINGS.items():
        default = f"`{declared.default}`" if declared.default else ""
        rows.append(f"| `{name}` | {default} | {declared.unit} | {declared.doc} |")
    return "\n".join([BEGIN, "", *rows, "", END])


def with_table(document: str) -> str:
    """Return `document` with an up-to-date table."""
    return TABLE.sub(lambda _: table(), document)


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
