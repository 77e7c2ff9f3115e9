"""The layers of the package: which module may import which, and how large each may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import chatapp

ROOT = Path(chatapp.__file__).parent
MAX_FILES, MAX_MODULE_LINES, MAX_FUNCTION_LINES = 14, 250, 40

LAYERS = {
    "chatapp.web": ["chatapp.chat", "chatapp.transport", "chatapp.config", "chatapp.errors"],
    "chatapp.store": ["chatapp.chat", "chatapp.config", "chatapp.errors"],
    "chatapp.chat": ["chatapp.errors", "chatapp.limits"],
    "chatapp.transport": [],
    "chatapp.config": ["chatapp.errors", "chatapp.limits", "chatapp.setting_types"],
    "chatapp.setting_types": ["chatapp.errors", "chatapp.limits"],
    "chatapp.errors": [],
    "chatapp.limits": ["chatapp.errors"],
}
"""What each part may import besides itself. The other modules at the root may import all."""
TRANSPORT_LAYERS = ["sio", "eio", "websocket", "http", "loop"]
"""From the top down. The modules at the transport's root are below all of these."""


def modules() -> dict[str, Path]:
    """Return the path of each module by its full name; a package has its own name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def imports(name: str) -> set[str]:
    """Return the package's modules that a module imports anywhere, in functions as well."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            of = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {full if full in MODULES else node.module for full in of}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module in MODULES} - {name}


IMPORTS = {name: imports(name) for name in MODULES}
ARROWS = [(name, target) for name in sorted(IMPORTS) for target in sorted(IMPORTS[name])]


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer_of(module: str) -> str | None:
    """Return the part of the package that a module is in; None for one that may import all."""
    return next((layer for layer in LAYERS if is_in(module, layer)), None)


def transport_rank(module: str) -> int:
    """Return how far down in the transport a module is."""
    layer = module.split(".")[2] if module.count(".") >= 2 else ""
    return TRANSPORT_LAYERS.index(layer) if layer in TRANSPORT_LAYERS else len(TRANSPORT_LAYERS)


def test_imports_between_layers_point_down():
    wrong = []
    for name, target in ARROWS:
        layer = layer_of(name)
        if layer and not any(is_in(target, allowed) for allowed in [layer, *LAYERS[layer]]):
            wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_imports_within_the_transport_point_down():
    wrong = [
        f"{name} imports {target}"
        for name, target in ARROWS
        if is_in(name, "chatapp.transport")
        and is_in(target, "chatapp.transport")
        and transport_rank(target) < transport_rank(name)
    ]
    assert wrong == []


def test_no_module_imports_itself_through_others():
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, " imports ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(IMPORTS[name]):
                visit(target, [*path, name])
            done.add(name)

    for name in sorted(MODULES):
        visit(name, [])


def sizes() -> Iterator[tuple[str, int, int]]:
    """Yield the packages, modules and functions, each with its size and the bound on that."""
    for name, path in MODULES.items():
        if path.name == "__init__.py":
            yield f"{name}/", len(list(path.parent.glob("*.py"))), MAX_FILES
        yield name, len(path.read_text().splitlines()), MAX_MODULE_LINES
        for node in ast.walk(TREES[name]):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                yield f"{name}:{node.name}", lines, MAX_FUNCTION_LINES


def test_modules_functions_and_packages_are_small():
    assert [name for name, size, bound in sizes() if size > bound] == []
