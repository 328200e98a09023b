"""docs/security.md names a test for each cause: they are there."""

import re

from conftest import ROOT


def cases_of_ctest():
    found = {}
    for path in (ROOT / "tests").glob("**/*.cpp"):
        for suite, case in re.findall(r"\bTEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text()):
            found.setdefault(suite, set()).add(case)
    return found


def test_every_test_that_the_page_names_exists():
    cases = cases_of_ctest()
    python = "".join(path.read_text() for path in (ROOT / "tests" / "python").glob("test_*.py"))
    table = (ROOT / "docs" / "security.md").read_text().split("## Limits")[0]
    n_named = 0
    for row in re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE):
        suite = ""
        for name in re.findall(r"`([^`]+)`", row):
            n_named += 1
            if name.endswith(".py"):
                assert (ROOT / "tests" / "python" / name).exists(), name
            elif name.startswith("fuzz_"):
                assert (ROOT / "tests" / "fuzz" / f"{name}.cpp").exists(), name
            elif name.startswith("test_"):
                assert f"def {name}(" in python, name
            else:  # Suite.Case, and behind it other cases of the suite; ".." and "*" stand for the rest of a name
                named_suite, case = re.fullmatch(r"(?:(\w+)\.(?!\.))?(\w*)[.*]*", name).groups()
                suite = named_suite or suite
                assert any(found.startswith(case) for found in cases.get(suite, ())), name
    assert n_named > 40
