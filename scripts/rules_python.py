"""
House rules for the Python side: who imports whom, names, lengths.

Each rule takes the root of a tree and gives findings, so that the tests can
run it on this checkout and on small trees with a planted fault.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tree import ROOT, Finding, relative


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


# Every module imports only from its own layer or from an earlier one. A
# package stands for all of its modules.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("exceptions", "_native"),
    (
        *("_availability", "_descriptors", "_limits", "_errors", "_shown"),
        "_whole",
    ),
    ("_missing", "_backend"),  # which one is used where _native is absent
    ("_policy",),
    (
        *("_decoding", "_secret", "_sources", "_area", "hazmat"),
        "_terminal",
        *("handover", "_passing", "_pydantic", "_systemd"),
    ),
    ("_posture", "_harden"),
    ("",),  # secretmem/__init__.py: the public names, nothing of its own
    ("crypto", "_unreadable"),
    ("_keyring", "age", "fernet", "keys"),
    ("_sealed",),
    ("sources",),
    ("audit",),
    ("redact",),
    ("contrib",),
    ("agent", "launch", "prove", "doctor", "ps", "model", "testing"),
    ("cli",),
    ("__main__",),
)

# (importer, imported): why it may go against the direction.
AGAINST = {
    ("_errors", "crypto"): "pyca's classes are looked up when a tag is wrong",
    ("_policy", "testing"): "the fake is loaded when it is chosen by name",
}

# Usable by itself on every system: imports no other part of the package.
ALONE = frozenset({"model"})

# Packages that are programs: their modules have no public names to list.
PROGRAMS = frozenset(
    {"agent", "audit", "cli", "doctor", "launch", "prove", "ps", "__main__"}
)

# The longest function, without its docstring. Median is about ten.
LONGEST_FUNCTION = 60

PACKAGE = "secretmem"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Map each dotted module name of the package to its file."""
    base = root / "src"
    found = {}
    for path in sorted((base / PACKAGE).rglob("*.py")):
        parts = list(path.relative_to(base).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def _part(module: str) -> str:
    """Name the part of the package that a module belongs to."""
    return module.partition(".")[2].partition(".")[0]


def _layer(part: str) -> int | None:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    return None


def _for_typing_only(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    return ast.unparse(node.test).endswith("TYPE_CHECKING")


def _run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if _for_typing_only(node):
            continue
        yield node
        yield from _run_time_nodes(node)


def _targets(
    node: ast.AST, package: str, known: Iterable[str]
) -> Iterator[str]:
    """Name the modules of this package that one node imports."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == PACKAGE:
                yield alias.name
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")
            above = above[: len(above) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        if base.partition(".")[0] != PACKAGE:
            return
        for alias in node.names:
            name = f"{base}.{alias.name}"
            yield name if name in known or name in _UNBUILT else base


# The compiled module has a stub and no Python source.
_UNBUILT = frozenset({f"{PACKAGE}._native"})


def imports(root: Path = ROOT) -> Iterator[tuple[str, Path, int, str]]:
    """Give (importing module, its file, line, imported module)."""
    known = modules(root)
    for module, path in known.items():
        package = module
        if path.name != "__init__.py":
            package = module.rpartition(".")[0]
        tree = ast.parse(path.read_text("utf-8"))
        for node in _run_time_nodes(tree):
            for target in _targets(node, package, known):
                yield module, path, getattr(node, "lineno", 0), target


def import_direction(root: Path = ROOT) -> list[Finding]:
    """Check that imports go from later layers to earlier ones only."""
    findings = []
    for module, path, line, target in imports(root):
        here, there = _part(module), _part(target)
        text = _wrong_way(here, there)
        if text:
            findings.append(Finding(relative(path, root), line, text))
    return findings


def _wrong_way(here: str, there: str) -> str | None:
    if here == there or (here, there) in AGAINST:
        return None
    if here in ALONE:
        return f"{here} stands alone and imports {there or PACKAGE}"
    mine, other = _layer(here), _layer(there)
    for part, number in ((here, mine), (there, other)):
        if number is None:
            return f"{part} has no layer: give it one in LAYERS"
    if mine is not None and other is not None and other > mine:
        return f"{here or PACKAGE} imports {there or PACKAGE}, a later layer"
    return None


def stale_exceptions(root: Path = ROOT) -> list[Finding]:
    """Check that each import that AGAINST allows is there."""
    used = {(_part(module), _part(to)) for module, _, _, to in imports(root)}
    return [
        Finding("scripts/rules_python.py", 1, f"AGAINST has {pair} unused")
        for pair in AGAINST
        if pair not in used
    ]


def import_cycles(root: Path = ROOT) -> list[Finding]:
    """Check that no module imports itself by way of others."""
    known = modules(root)
    graph: dict[str, set[str]] = {module: set() for module in known}
    for module, _, _, target in imports(root):
        if target != module and target in known:
            graph[module].add(target)
    findings = []
    while graph:
        leaves = [name for name, out in graph.items() if not out]
        if not leaves:
            name = min(graph)
            text = "imports go in a circle: " + ", ".join(sorted(graph))
            findings.append(Finding(relative(known[name], root), 1, text))
            break
        for leaf in leaves:
            del graph[leaf]
        for out in graph.values():
            out.difference_update(leaves)
    return findings


def is_public(module: str) -> bool:
    """
    Tell whether users import this module by its name.

    Those are the package and what lies directly in it, programs aside.
    """
    parts = module.split(".")[1:]
    if not parts:
        return True
    return len(parts) == 1 and parts[0][0] != "_" and parts[0] not in PROGRAMS


def listed_names(path: Path) -> list[str] | None:
    """Read ``__all__`` of a module without importing it."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = (
                node.targets if isinstance(node, ast.Assign) else [node.target]
            )
            names = [ast.unparse(target) for target in targets]
            if names == ["__all__"] and node.value is not None:
                return [str(name) for name in ast.literal_eval(node.value)]
    return None


def _defined(path: Path, *, passes_on: bool) -> Iterator[tuple[str, int]]:
    """
    Give the names that a module makes at its top level.

    A package passes on what it imports from its own modules; a module that
    imports from another one just uses it.
    """
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and not passes_on:
            continue
        for name in _names_of(node):
            yield name, node.lineno


def _names_of(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return [node.name]
        case ast.Assign():
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            return [name for name in names if name != "TYPE_CHECKING"]
        case ast.AnnAssign(target=ast.Name(name)):
            return [name]
        case ast.ImportFrom() if _from_package(node):
            return [alias.asname or alias.name for alias in node.names]
    return []


def _from_package(node: ast.ImportFrom) -> bool:
    return bool(node.level) or (node.module or "").split(".")[0] == PACKAGE


def public_names(root: Path = ROOT) -> list[Finding]:
    """Check that ``__all__`` of each public module is whole."""
    findings = []
    for module, path in modules(root).items():
        listed = listed_names(path)
        where = relative(path, root)
        if listed is None:
            if is_public(module):
                text = "a public module has __all__"
                findings.append(Finding(where, 1, text))
            continue
        if len(set(listed)) != len(listed):
            findings.append(Finding(where, 1, "__all__ lists a name twice"))
        passes_on = path.name == "__init__.py"
        for name, line in _defined(path, passes_on=passes_on):
            if not name.startswith("_") and name not in listed:
                text = f"{name} is public and not in __all__"
                findings.append(Finding(where, line, text))
    return findings


def long_functions(root: Path = ROOT) -> list[Finding]:
    """Check the length of each function, docstrings not counted."""
    findings = []
    for path in modules(root).values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = _code_length(node)
            if length > LONGEST_FUNCTION:
                text = f"{node.name} has {length} lines"
                where = relative(path, root)
                findings.append(Finding(where, node.lineno, text))
    return findings


def _code_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        doc = node.body[0]
        length -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
    return length
