"""A docstring says what its own class is: it was not copied from something else in the module."""

import ast
from collections.abc import Iterator

import pytest

from tests.shipped import ROOT

MODULES = sorted(p for folder in ("ghostrouter", "deployments") for p in (ROOT / folder).rglob("*.py"))


def _copied(source: str) -> Iterator[str]:
    nodes = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    told = [(n, ast.get_docstring(n)) for n in nodes]
    for node, docstring in told:
        if isinstance(node, ast.ClassDef) and docstring:
            yield from (f"{node.name} and {n.name}" for n, other in told if n is not node and other == docstring)


def test_no_class_has_the_docstring_of_something_else() -> None:
    assert {str(p.relative_to(ROOT)): found for p in MODULES if (found := [*_copied(p.read_text())])} == {}


@pytest.mark.parametrize(("other", "found"), [("class B", ["A and B", "B and A"]), ("def b()", ["A and b"])])
def test_a_copy_is_found(other: str, found: list[str]) -> None:
    assert [*_copied(f'class A:\n    """What A is."""\n\n{other}:\n    """What A is."""\n')] == found
