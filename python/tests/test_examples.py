"""The examples in Python, run as a user would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples" / "python"


def said_by(name, *arguments):
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("generate", r"Once upon a time.{80,}\n"),
        ("chat", r"> Tell me of a dog\.\n.+\n> And what did the dog do then\?\n.+\n"),
        ("embed", r"dog and dog 0\.\d+, dog and king 0\.\d+\n"),
        ("score", r"(?s)Once\t\n.* time\t-[01]\.\d+\ntogether -\d+\.\d+\n"),
    ],
)
def test_it_does_what_it_says(name, pattern):
    said = said_by(name)
    assert re.match(pattern, said), said


def test_who_gives_no_file_is_told_the_usage():
    for arguments in ([], ["a", "b", "c"]):
        done = subprocess.run(
            [sys.executable, FOLDER / "session.py", *arguments], capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 2 and done.stderr.startswith("usage: session.py FILE [MODEL]"), done.stderr


def test_the_session_is_taken_up(tmp_path):
    first, second = (said_by("session", str(tmp_path / "session")) for _ in range(2))
    assert first.startswith("0 of ")
    assert re.match(r"[1-9]\d* of \d+ tokens were there:", second)
    assert first.split(":", 1)[1] == second.split(":", 1)[1]
