"""What the house asks of every source file; `breaches` names what one of them lacks."""

import ast
import re

LINES_MAX = 400
# Put together here, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b|#.*\b(X" + r"XX|HA" + r"CK)\b")
SILENCED = re.compile(r"#\s*(type: " + r"ignore(?!\[)|no" + r"qa(?!: [A-Z]+\d+))")
ROOM_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "core", "misc", "base"})
CLASS_NAMES = re.compile(r"(Manager|Helper|Utils?|Base|Impl)$")


def breaches(source: str, *, name: str) -> list[str]:
    """name: the file's path in the checkout."""
    tree = ast.parse(source)
    found = []
    lines = source.count("\n")
    if lines > LINES_MAX:
        found.append(f"{name} has {lines} lines; split it by what changes together (at most {LINES_MAX})")
    if tree.body and ast.get_docstring(tree) is None and not name.startswith("tests/"):
        found.append(f"{name} does not say what it is for; begin it with a docstring")
    if ROOM_NAMES & set(name.removesuffix(".py").split("/")):
        found.append(f"{name} is named after no noun; name it after what it owns")
    for number, line in enumerate(source.splitlines(), 1):
        if UNFINISHED.search(line):
            found.append(f"{name}:{number}: unfinished; finish it, or file it where work is planned")
        if SILENCED.search(line):
            found.append(f"{name}:{number}: silences a tool without a code; name the code and the reason")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and CLASS_NAMES.search(node.name) and not _named_after_a_framework(node):
            found.append(f"{name}:{node.lineno}: {node.name} says no more than its suffix; name what it holds")
    return found


def _named_after_a_framework(node: ast.ClassDef) -> bool:
    """A class that stands in for a framework's own may keep the suffix that the framework gave it."""
    bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    return any(base != "" and node.name.endswith(base) for base in bases)
