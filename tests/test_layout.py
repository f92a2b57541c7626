"""The tests mirror the source: `daemon/wire/imap/framing.py` is covered by `tests/wire/imap/test_framing.py`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 400  # a longer module has a second room inside it (docs/architecture.md)


def modules() -> list[Path]:
    """Modules that do something: neither package markers nor migrations, which the store's tests run as a whole."""
    found = [*(ROOT / "daemon").rglob("*.py"), *(ROOT / "api").rglob("*.py")]
    return sorted(
        path.relative_to(ROOT)
        for path in found
        if path.name not in ("__init__.py", "__main__.py") and "migrations" not in path.parts
    )


def test_of(module: Path) -> Path:
    """Where the test of a module is: below `tests/`, without `daemon/`; the API keeps its name."""
    parts = module.parts if module.parts[0] == "api" else module.parts[1:]
    return Path("tests", *parts[:-1], f"test_{parts[-1]}")


test_of.__test__ = False


def does_something(module: Path) -> bool:
    """Whether there is code to test, and not only declarations: values without methods, protocols, constants."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    return any(
        not isinstance(statement, ast.Expr)  # a docstring, or the `...` of a protocol
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
    )


@pytest.mark.parametrize("module", [one for one in modules() if does_something(one)], ids=str)
def test_each_module_has_its_test_file(module):
    assert (ROOT / test_of(module)).is_file(), f"{module} needs {test_of(module)}"


@pytest.mark.parametrize("module", modules(), ids=str)
def test_no_module_is_too_long(module):
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_nothing_is_named_for_what_it_is_not():
    vague = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
    assert not [module for module in modules() if vague & {part.removesuffix(".py") for part in module.parts}]


def test_every_module_says_what_it_is():
    silent = [
        module
        for module in modules()
        if not (ROOT / module).read_text(encoding="utf-8").startswith(('"""', 'r"""'))
    ]
    assert not silent
