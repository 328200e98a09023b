"""The package's types: what a checker finds in it, what it tells its users, and whether stub and module agree."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from plm import _plm

pytest.importorskip("mypy")


def run(*arguments, folder):
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_the_package_is_strictly_typed(tmp_path):
    code, said = run("mypy", "--strict", "-p", "plm", folder=tmp_path)
    assert code == 0, said


def members(cls):
    return {name for name in vars(cls) if not name.startswith("_")}


def test_the_stub_names_what_the_module_has():
    """mypy.stubtest cannot be asked: it takes the functions and types of nanobind for something else."""
    stub = ast.parse(Path(_plm.__file__).with_name("_plm.pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    assert classes.keys() | functions == members(_plm)
    for name, node in classes.items():
        if name == "Pooling":
            said = {target.id for entry in node.body if isinstance(entry, ast.Assign) for target in entry.targets}
        else:
            said = {entry.name for entry in node.body if isinstance(entry, ast.FunctionDef)}
        assert {entry for entry in said if not entry.startswith("_")} == members(getattr(_plm, name)), name


def test_a_checker_sees_right_and_wrong_uses(tmp_path):
    (tmp_path / "uses.py").write_text(
        textwrap.dedent("""
        import plm
        model = plm.Model("m.gguf", n_ctx=512)
        answer: plm.Answer = model.generate("a", max_tokens=5)
        stream: plm.Stream = model.generate("a", stream=True, seed=1)
        texts: list[str] = [piece.text for piece in model.chat([{"role": "user", "content": "a"}], stream=True)]
        one: list[float] = model.embed("a")
        many: list[list[float]] = model.embed(["a", "b"])
        scores: list[float | None] = model.score([1, 2]).logprobs
        nothing: plm.Answer = model.generate("a", stop=None, logit_bias=None, grammar=None, regex=None, json_schema=None)
        either: plm.Answer | plm.Stream = model.generate("a", stream=bool(texts))
        told: plm.Answer | plm.Stream = model.chat([{"role": "user", "content": "a"}], stream=bool(texts))
        """)
    )
    code, said = run("mypy", "--strict", "uses.py", folder=tmp_path)
    assert code == 0, said
    (tmp_path / "wrong.py").write_text('import plm\nplm.Model().generate("a", temprature=1.0)\n')
    code, said = run("mypy", "--strict", "wrong.py", folder=tmp_path)
    assert code == 1 and "temprature" in said, said
