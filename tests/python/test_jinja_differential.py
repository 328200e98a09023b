"""Our interpreter of templates beside Python's jinja2: the same text, or an error where jinja2 has one."""

import copy
import json
import subprocess

import pytest
from conftest import BUILD
from hf_jinja import environment
from jinja_expressions import VARIABLES, expressions
from jinja_statements import STATEMENTS

NOW = 1_700_000_000
# Where we refuse and jinja2 does not, by intent (docs/formats/chat-template.md).
UNSUPPORTED = (
    "f(**d)", "recursive", "big|int", "missing is callable", "joiner", "s.upper }}", "d.get }}", "s|attr('upper')", "1e400",
)  # fmt: skip
# What jinja2 writes holds an address in memory, or a range or function as text.
UNTOLD = ("<generator", "<built-in", "<bound method", "<function", "<Macro", "object at 0x", "range(")


def render_all(templates):
    program = BUILD / "bin" / "render_lines"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    jobs = "\n".join(json.dumps({"template": text, "variables": VARIABLES, "now": NOW}) for text in templates)
    result = subprocess.run([program], input=jobs.encode(), capture_output=True, timeout=120, check=True)
    answers = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert len(answers) == len(templates)
    return answers


def by_jinja2(text):
    try:
        # A copy: jinja2's indent changes a list.
        return environment(NOW).from_string(text).render(**copy.deepcopy(VARIABLES))
    except Exception as error:  # noqa: BLE001 - whatever Python makes of a bad template
        return error


def differences(templates):
    for text, ours in zip(templates, render_all(templates), strict=True):
        theirs = by_jinja2(text)
        if isinstance(theirs, str) and any(mark in theirs for mark in UNTOLD):
            continue
        if isinstance(theirs, Exception):
            if "error" not in ours:
                yield text, f"{type(theirs).__name__}: {theirs}", ours
        elif ours.get("text") != theirs and not any(part in text for part in UNSUPPORTED):
            yield text, theirs, ours


def test_expressions_give_what_jinja2_gives():
    templates = ["{{ " + text + " }}" for text in expressions()]
    assert len(templates) > 5000
    wrong = list(differences(templates))
    assert not wrong, (len(wrong), wrong[:20])


def test_statements_give_what_jinja2_gives():
    wrong = list(differences(STATEMENTS))
    assert not wrong, (len(wrong), wrong[:20])


def test_errors_name_the_template_and_the_line():
    for text in ("a\n{% if t %}\n{{ 1 + 'a' }}\n{% endif %}", "a\n\n{{ 1 + }}", "\n\n{{ missing.x }}"):
        [answer] = render_all([text])
        assert "t: line 3: " in answer["error"], answer


def test_an_exception_of_the_template_is_told_from_a_defect():
    refusal, defect = render_all(["{{ raise_exception('no') }}", "{{ 1 + 'a' }}"])
    assert "no" in refusal["error"]
    assert refusal["kind"] != defect["kind"]
