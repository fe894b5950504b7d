"""What a pure module must not import or call, read from its source. `breaches` of a source is empty, or names line and remedy.

Imports are a list of what is allowed, since whatever is new must be looked at; calls are a list of what is forbidden.
"""

import ast
from collections.abc import Iterator

PURE_IMPORTS = frozenset(
    {
        "collections.abc", "contracts", "dataclasses", "decimal", "enum", "functools", "hashlib", "heapq", "itertools", "json",
        "math", "msgspec", "operator", "re", "streams", "typing", "datetime",
    }
)  # fmt: skip
DATA_IMPORTS = frozenset({"pydantic", "zoneinfo", "difflib", "fnmatch", "functools", "pathlib"})

# Modules that may import more, each with its reason.
ALLOWED: dict[str, tuple[frozenset[str], str]] = {
    "contracts/policy.py": (DATA_IMPORTS, "reads the policy file, once, when its `load` is called"),
    "contracts/policy_values.py": (frozenset({"pydantic"}), "the typed vocabulary of policy files"),
    "contracts/policy_text.py": (frozenset({"yaml"}), "reads a policy's text, which is handed in"),
    "contracts/policy_errors.py": (
        frozenset({"pydantic", "pydantic_core", "difflib", "types"}),
        "turns what the types find wrong into sentences",
    ),
    "contracts/policy_sections.py": (frozenset({"pydantic"}), "the typed vocabulary of policy files"),
    "contracts/conditions.py": (frozenset({"pydantic"}), "the typed vocabulary of policy files"),
    "contracts/staffed_hours.py": (frozenset({"pydantic", "zoneinfo"}), "the typed vocabulary of policy files"),
    "contracts/schema.py": (frozenset({"pathlib", "sys"}), "writes the published schemas when run as a program"),
}
MAY_TOUCH_FILES = frozenset({"contracts/policy.py", "contracts/schema.py"})

FORBIDDEN_NAMES = {
    "open": "take bytes or text as an argument",
    "print": "return what is to be said",
    "input": "take it as an argument",
    "eval": "write it out",
    "exec": "write it out",
    "__import__": "import at the top",
    "hash": "use hashlib: `hash` differs between processes",
    "id": "use a name of the value's own: `id` differs between processes",
    "breakpoint": "leave it out",
}
FORBIDDEN_ATTRIBUTES = {
    "now": "take the instant from the signal",
    "utcnow": "take the instant from the signal",
    "today": "take the instant from the signal",
    "time": "take the instant from the signal",
    "time_ns": "take the instant from the signal",
    "monotonic": "take the instant from the signal",
    "perf_counter": "take the instant from the signal",
    "sleep": "return when you want to be woken",
    "uuid1": "derive the id from the content",
    "uuid4": "derive the id from the content",
    "random": "derive the choice from a hash of the content",
    "urandom": "derive the choice from a hash of the content",
    "getenv": "take it as an argument",
    "environ": "take it as an argument",
}
FILE_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "open"})


def breaches(source: str, *, place: str) -> list[str]:
    """Each as `place:line: what; remedy`."""
    tree = ast.parse(source)
    allowed = PURE_IMPORTS | ALLOWED.get(place, (frozenset(), ""))[0]
    found = [
        (line, f"imports {name}; the thinking is told all it knows")
        for line, name in _imports(tree)
        if name not in allowed and name.partition(".")[0] not in allowed
    ]
    found += [*_calls(tree, place)]
    return [f"{place}:{line}: {what}" for line, what in sorted(found)]


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "."


def _calls(tree: ast.AST, place: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_NAMES:
            if place not in MAY_TOUCH_FILES or node.func.id not in ("open", "print"):
                yield node.lineno, f"calls {node.func.id}(); {FORBIDDEN_NAMES[node.func.id]}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if method in FILE_METHODS and place not in MAY_TOUCH_FILES:
                yield node.lineno, f"calls .{method}(); take the content as an argument"
            if method == "fromtimestamp" and len(node.args) + len(node.keywords) < 2:
                yield node.lineno, "calls .fromtimestamp() without a zone; name one, the machine's own is not ours"
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_ATTRIBUTES:
            yield node.lineno, f"uses .{node.attr}; {FORBIDDEN_ATTRIBUTES[node.attr]}"
