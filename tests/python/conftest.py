"""What the Python tests share: the programs under test, the oracle files, llama.cpp.

PLM_BUILD_DIR names the build folder (default build-test). Files of ../shared are read in place and
never copied; a test that needs one skips where it is absent.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("PLM_BUILD_DIR", ROOT / "build-test"))


class Plm:
    """The program `plm`, run as a user would."""

    def __init__(self, path):
        self.path = path

    def run(self, *arguments, timeout=300, **options):
        command = [str(self.path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=timeout, check=False, **options)

    def ok(self, *arguments, **options):
        """Standard output of a run that must succeed, as bytes."""
        result = self.run(*arguments, **options)
        assert result.returncode == 0, (arguments, result.returncode, result.stderr.decode(errors="replace"))
        return result.stdout

    def logits(self, model, ids, folder, *flags):
        """The logits [T, vocabulary] of `plm score` for a sequence of ids, and its JSON line."""
        from safetensors.numpy import load_file

        out = Path(folder) / "logits.safetensors"
        out.unlink(missing_ok=True)
        line = self.ok("score", "-m", model, "--ids", " ".join(map(str, ids)), "--logits-out", out, *flags)
        return load_file(out)["logits"], json.loads(line)


@pytest.fixture(scope="session")
def plm():
    program = BUILD / "bin" / "plm"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    return Plm(program)


def shared(name):
    path = ROOT.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"no {name} in ../shared")
    return path


@pytest.fixture(scope="session")
def oracles():
    return shared("oracles")


@pytest.fixture(scope="session")
def bundled_model():
    return ROOT / "models" / "story-7m-f16.gguf"


@pytest.fixture(scope="session")
def oracle_logits(oracles):
    return np.load(oracles / "logits.npz")


@pytest.fixture(scope="session")
def llama_logits():
    """logits(model, ids) by llama.cpp: float32 cache, no flash attention (its arch plm aborts with it)."""
    reason = ROOT / ".venv" / "llama-cpp-python.missing"
    if reason.exists():
        pytest.skip(reason.read_text().strip())
    return pytest.importorskip("llama_cpp_logits", reason="llama-cpp-python is not installed").logits
