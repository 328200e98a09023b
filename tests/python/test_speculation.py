"""Speculative decoding at the command line: the same bytes, whoever guesses. (The server: test_serve.py.)"""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

REPETITION = "The dog saw the fox. The fox ran. " * 4 + "The dog"
NGRAMS = ("--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", 2)


@pytest.fixture(scope="module")
def quantised(plm, bundled_model, tmp_path_factory):
    """The bundled model as Q4_0: of one mind with it most of the time."""
    path = tmp_path_factory.mktemp("draft") / "q4_0.gguf"
    plm.ok("quantize", bundled_model, path, "Q4_0")
    return path


def drafted(result):
    """(drafted, accepted) as stderr tells."""
    found = re.search(rb"; drafted (\d+), accepted (\d+) \((\d+) %\)", result.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@pytest.mark.parametrize("prompt", ["Once upon a time", "The king said to his men", REPETITION])
@pytest.mark.parametrize("sampling", [("--temp", 0), ("-s", 4), ("-s", 5, "--temp", 1.5, "--repeat-penalty", 1.3)])
def test_a_text_is_the_same_with_guesses(plm, bundled_model, quantised, prompt, sampling):
    flags = ("run", "-p", prompt, "-n", 80, "--ignore-eos", *sampling)
    alone = plm.ok(*flags)
    for model in (bundled_model, quantised):
        for guesses in (("-md", model), NGRAMS, ("-md", model, *NGRAMS[:1], "ngram-simple,draft-simple")):
            result = plm.run(*flags, *guesses)
            assert result.stdout == alone, guesses
            n_drafted, n_accepted = drafted(result)
            assert 0 <= n_accepted <= n_drafted


def test_guesses_come_true_where_a_text_repeats_itself(plm):
    # Long enough for one that was given up to be tried again: when they are depends on what steps cost.
    flags = ("run", "-p", REPETITION, "-n", 200, "--temp", 0, "--ignore-eos", "--regex", "( [a-z.]+)+")
    result = plm.run(*flags, *NGRAMS)
    assert drafted(result)[1] > 0, result.stderr
    assert result.stdout == plm.ok(*flags)


def test_a_full_context_and_one_that_shifts_end_alike(plm, bundled_model):
    for more in ((), ("--context-shift", "--keep", 5)):
        flags = ("run", "-p", "Once upon a time", "-n", 150, "-c", 64, "--temp", 0, "--ignore-eos", *more)
        alone = plm.ok(*flags)
        assert plm.ok(*flags, *NGRAMS) == alone
        assert plm.ok(*flags, "-md", bundled_model) == alone


def test_a_conversation_is_the_same_with_guesses(plm, bundled_model):
    said = b"Tell me of a fox.\nAnd then?\n/regen\nOnce more, please.\n"
    flags = ("chat", "-n", 24, "--temp", 0, "-c", 160, "--context-shift")
    alone = plm.ok(*flags, input=said)
    assert plm.ok(*flags, *NGRAMS, input=said) == alone
    assert plm.ok(*flags, "-md", bundled_model, "-td", 1, input=said) == alone


def test_wrong_options_say_what_is_wrong(plm, bundled_model, tmp_path):
    other = tmp_path / "other.gguf"
    plm.ok("synth", "--preset", "plm-tiny", other)

    def error(*flags, code):
        result = plm.run("run", "-p", "A", "-n", 2, *flags)
        assert result.returncode == code and (result.stdout == b"" or code == 0), result
        return result.stderr.decode()

    assert "--spec-type: found \"guess\"" in error("--spec-type", "guess", code=2)
    assert "none goes with no other" in error("--spec-type", "none,ngram-simple", code=2)
    assert "needs a model: -md" in error("--spec-type", "draft-simple", code=2)
    for flags in (("--spec-type", ""), ("-md", "")):
        assert "found nothing" in error(*flags, code=2)
    for command in ("run", "chat", "serve"):
        for flags in (("--draft-max", -3), ("--draft-p-min", "nan"), ("--draft-min", 5, "--draft-max", 2), ("--draft-min", 8)):
            result = plm.run(command, "-md", bundled_model, *flags)
            assert result.returncode == 2 and result.stderr.count(b"\n") == 1 and b"expected" in result.stderr, result
    assert error("-md", bundled_model, "--draft-max", 0, code=0).count("drafted") == 0
    assert "nowhere.gguf" in error("-md", tmp_path / "nowhere.gguf", code=1)
    text = error("-md", other, code=1)
    assert str(other) in text and "expected 4096, those of" in text and "the same vocabulary" in text
    assert "context_length: found 256, expected at least 300" in error("-md", bundled_model, "-c", 300, code=2)


def test_a_grown_model_says_what_the_small_one_says(plm, bundled_model, tmp_path):
    """tools/grow_model.py, which measurements of speculative decoding need."""
    np, gguf = pytest.importorskip("numpy"), pytest.importorskip("gguf")
    grown = tmp_path / "grown.gguf"
    shape = "10,512,2048,6,256,64,32,128"
    command = [sys.executable, ROOT / "tools" / "grow_model.py", bundled_model, grown, "--shape", shape]
    subprocess.run(list(map(str, command)), check=True)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(grown).tensors}
    assert list(tensors["blk.9.ffn_up.weight"].shape) == [512, 2048] and np.any(tensors["blk.9.ffn_up.weight"].data)
    ids = [int(line.split()[0]) for line in plm.ok("tokenize", "--text", REPETITION).decode().splitlines()]
    expected, _ = plm.logits(bundled_model, ids, tmp_path, "-ctk", "f32")
    logits, _ = plm.logits(grown, ids, tmp_path, "-ctk", "f32")
    assert np.abs(logits - expected).max() < 0.05, np.abs(logits - expected).max()
    # Its draft model is the small one.
    flags = ("run", "-m", grown, "-p", "Once upon a time", "-n", 60, "--temp", 0)
    result = plm.run(*flags, "-md", bundled_model)
    assert result.stdout == plm.ok(*flags) and drafted(result)[1] > 20, result.stderr
