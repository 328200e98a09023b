"""`plm tokenize`, `detokenize`, `inspect`, `score`, `perplexity` and `synth`."""

import json
import math
import struct

import gguf
import numpy as np
import pytest
from conftest import shared
from safetensors.numpy import load_file

TEXTS = ["Hello, world!", "  two  spaces\n\ttab", "😀 中文 é", "", "a\r\nb"]


@pytest.fixture(scope="module")
def story(tmp_path_factory, plm):
    """A text of a few hundred tokens that the bundled model knows well: its own."""
    path = tmp_path_factory.mktemp("text") / "story.txt"
    path.write_bytes(plm.ok("run", "-p", "Once upon a time", "-s", 1, "-n", 700, "--ignore-eos", "--context-shift"))
    return path


@pytest.mark.parametrize("text", TEXTS)
def test_text_to_ids_and_back(plm, text):
    ids = plm.ok("tokenize", "--text", text)
    assert plm.ok("detokenize", "--ids", ids.decode().strip()) == text.encode()
    parsed = json.loads(plm.ok("tokenize", "--text", text, "--json"))
    assert parsed["ids"] == [int(id) for id in ids.split()]
    assert json.loads(plm.ok("detokenize", "--ids", json.dumps(parsed["ids"]), "--json"))["text"] == text


def test_any_bytes_survive(plm, tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 3)
    ids = plm.ok("tokenize", "-f", path)
    assert plm.ok("detokenize", "-f", "-", input=ids) == path.read_bytes()


def test_special_tokens_are_read_unless_told_not_to(plm):
    assert len(plm.ok("tokenize", "--text", "<|im_start|>").split()) == 1
    assert len(plm.ok("tokenize", "--text", "<|im_start|>", "--no-parse-special").split()) > 1
    ids = plm.ok("tokenize", "--text", "a<|im_end|>b").decode()
    assert plm.ok("detokenize", "--ids", ids, "--skip-special") == b"ab"


def test_a_vocabulary_alone_serves(plm):
    vocabulary = shared("tokenizers/qwen2/qwen2-vocab.gguf")
    ids = plm.ok("tokenize", "-m", vocabulary, "--text", "Hello, world! 12345")
    assert ids == b"9707 11 1879 0 220 16 17 18 19 20\n"
    assert plm.ok("detokenize", "-m", vocabulary, "--ids", ids.decode()) == b"Hello, world! 12345"
    assert b"no tensors" in plm.ok("inspect", vocabulary)
    assert json.loads(plm.ok("inspect", "--json", vocabulary))["tensors"] == []
    assert plm.run("run", "-m", vocabulary, "-p", "x").returncode == 1


@pytest.mark.parametrize("ids", ["99999999", "-1", "one", "1 2 x"])
def test_wrong_ids_are_refused(plm, ids):
    for command in ("detokenize", "score"):
        result = plm.run(command, "--ids", ids)
        assert result.returncode == 2 and result.stderr.startswith(b"plm: token ids")


def test_inspect_agrees_with_the_gguf_package(plm, bundled_model):
    report = json.loads(plm.ok("inspect", "--json", bundled_model))
    reader = gguf.GGUFReader(bundled_model)
    assert {t["name"]: (t["type"], t["shape"], t["bytes"], t["offset"]) for t in report["tensors"]} == {
        t.name: (t.tensor_type.name, list(map(int, t.shape)), int(t.n_bytes), int(t.data_offset)) for t in reader.tensors
    }
    assert report["parameters"] == sum(int(t.n_elements) for t in reader.tensors)
    assert sum(part["parameters"] for part in report["by_part"].values()) == report["parameters"]
    assert report["metadata"]["plm.block_count"] == 8
    assert report["metadata"]["tokenizer.ggml.tokens"]["elements"] == 4096
    assert report["cache_bytes_per_token"] == {"latent_f16": 8 * (128 + 16) * 2, "expanded_f16": 8 * 4 * (64 + 64) * 2}
    full = json.loads(plm.ok("inspect", "--json", "--all", bundled_model))
    assert len(full["metadata"]["tokenizer.ggml.tokens"]) == 4096
    assert b"token_embd.weight" in plm.ok("inspect", bundled_model)
    assert b"token_embd.weight" not in plm.ok("inspect", "--no-tensors", bundled_model)


def test_score_gives_log_probabilities_of_the_logits_it_writes(plm, tmp_path):
    out = tmp_path / "logits.safetensors"
    line = json.loads(plm.ok("score", "--text", "Once upon a time there was a fox", "--logits-out", out))
    logits = load_file(out)["logits"].astype(np.float64)
    ids = line["ids"]
    assert logits.shape == (len(ids), 4096) and line["logprobs"][0] is None
    log_p = logits - logits.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    expected = [log_p[i, ids[i + 1]] for i in range(len(ids) - 1)]
    assert np.allclose(line["logprobs"][1:], expected, atol=1e-9)
    assert line["greedy"] == logits.argmax(axis=1).tolist()
    again = json.loads(plm.ok("score", "--ids", " ".join(map(str, ids)), "-ub", 3, "-ctk", "f32"))
    assert again["ids"] == ids and np.allclose(again["logprobs"][1:], expected, atol=0.1)


def test_score_is_refused_without_or_with_too_many_tokens(plm):
    assert plm.run("score").returncode == 2
    assert plm.run("score", "--text", "").returncode == 2
    assert plm.run("score", "--text", "x", "--ids", "1").returncode == 2
    assert plm.run("score", "--text", "word " * 300).returncode == 1


def test_perplexity_is_that_of_the_second_halves(plm, story):
    report = json.loads(plm.ok("perplexity", "-f", story, "-c", 64, "--json"))
    ids = [int(id) for id in plm.ok("tokenize", "-f", story, "--no-parse-special").split()]
    surprise = []
    for chunk in range(len(ids) // 64):
        part = ids[64 * chunk : 64 * chunk + 64]
        scores = json.loads(plm.ok("score", "--ids", " ".join(map(str, part))))["logprobs"]
        surprise += [-score for score in scores[33:]]
    assert report["tokens_scored"] == len(surprise) == 31 * report["chunks"]
    assert report["perplexity"] == pytest.approx(math.exp(np.mean(surprise)), rel=1e-3)
    error = math.exp(np.mean(surprise)) * np.std(surprise) / math.sqrt(len(surprise) - 1)
    assert report["perplexity_error"] == pytest.approx(error, rel=1e-2)
    text = plm.ok("perplexity", "-f", story, "-c", 64).decode()
    assert text.startswith("Final estimate: PPL = ") and f"{report['perplexity']:.4f}" in text


def test_kl_divergence_is_measured_against_a_base_file(plm, story, tmp_path):
    base = tmp_path / "base.kld"
    plm.ok("perplexity", "-f", story, "-c", 64, "--chunks", 3, "--kl-divergence-base", base)
    content = base.read_bytes()
    assert content[:8] == b"_logits_" and struct.unpack("<3i", content[8:20]) == (64, 4096, 3)
    same = json.loads(plm.ok("perplexity", "--kl-base", base, "--kl-divergence", "--json"))
    assert same["kl_divergence"]["same_best"] == 1 and same["kl_divergence"]["mean"] < 1e-4
    other = json.loads(plm.ok("perplexity", "--kl-base", base, "--kl-divergence", "-ctk", "q8_0", "--json"))
    assert 0 < other["kl_divergence"]["mean"] < 0.01
    assert plm.run("perplexity", "-f", story, "-c", 64, "--kl-base", base).returncode == 2, "never written over"
    base.write_bytes(content[:-1])
    assert plm.run("perplexity", "--kl-base", base, "--kl-divergence").returncode == 1


def test_perplexity_needs_a_text_of_two_chunks(plm, story, tmp_path):
    short = tmp_path / "short"
    short.write_text("too short")
    assert b"at least" in plm.run("perplexity", "-f", short, "-c", 64).stderr
    for arguments in ((), ("-f", short, "-c", 64), ("--kl-divergence",), ("-f", story, "-c", 2)):
        assert plm.run("perplexity", *arguments).returncode == 2, arguments


def test_synth_writes_a_model_that_runs_and_never_over_a_file(plm, tmp_path):
    out = tmp_path / "tiny.gguf"
    assert plm.ok("synth", "--preset", "plm-tiny", "--type", "Q8_0", "--seed", 7, out) == f"{out}\n".encode()
    content = out.read_bytes()
    assert plm.ok("run", "-m", out, "-p", "x", "-n", 5)
    refused = plm.run("synth", "--preset", "plm-tiny", out)
    assert refused.returncode == 1 and b"--force" in refused.stderr and out.read_bytes() == content
    plm.ok("synth", "--preset", "plm-tiny", "--type", "Q8_0", "--seed", 7, "--force", out)
    assert out.read_bytes() == content, "the seed decides every byte"
    for wrong in (("--preset", "plm-9t"), ("--type", "Q9_9"), ("--sparsity", 2)):
        assert plm.run("synth", *wrong, tmp_path / "other.gguf").returncode == 2
    assert plm.run("synth").returncode == 2
    assert not (tmp_path / "other.gguf").exists()


def test_bench_measures(plm):
    rows = json.loads(plm.ok("bench", "-p", 8, "-n", 4, "-r", 1, "-o", "json"))
    assert len(rows) == 2
