"""The architectures beside PLM: the same tiny random model in plm and in llama.cpp."""

import json
import struct

import numpy as np
import pytest
from architectures import MODELS, VOCABULARY, Shape, write_gqa
from gguf_f32 import write_f32_copy

IDS = np.random.default_rng(11).integers(0, VOCABULARY - 60, 90)


def rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def agree(ours, theirs):
    """Float32 in another order: a few units of the last place of the largest logit, for each of some
    hundred roundings on the way (docs/numerics.md: 5e-5 at a range of 15)."""
    bound = 5e-5 / 15 * np.abs(theirs).max()
    assert np.abs(ours - theirs).max() <= bound, (np.abs(ours - theirs).max(), bound)
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()


@pytest.mark.parametrize("name", MODELS)
def test_float32_logits_agree_with_llama_cpp(plm, llama_logits, tmp_path, name):
    model = MODELS[name](tmp_path / "model.gguf")
    theirs = llama_logits(model, IDS)
    assert rms(theirs - theirs.mean(axis=1, keepdims=True)) > 0.1, "the random model says nothing"
    for batch in ("1", "7", "40", "512"):  # token by token, in splits of both forms of attention, at once
        ours, line = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", batch)
        assert line["ids"] == IDS.tolist()
        agree(ours, theirs)


@pytest.mark.parametrize("tensor_type", ["F16", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("name", MODELS)
def test_quantised_logits_are_no_worse_than_llama_cpps(plm, llama_logits, tmp_path, name, tensor_type):
    model = MODELS[name](tmp_path / "model.gguf", tensor_type=tensor_type)
    exact = llama_logits(write_f32_copy(model, tmp_path / "f32.gguf"), IDS)
    theirs = llama_logits(model, IDS)
    few_at_a_time, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", "8")
    in_one_batch, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32")
    # docs/decisions/0007: activations of small steps have 16 bits, those of large ones 8 as llama.cpp's.
    assert rms(few_at_a_time - exact) <= 0.5 * rms(theirs - exact)
    assert rms(in_one_batch - exact) <= 1.1 * rms(theirs - exact)


@pytest.mark.parametrize("name", ["llama-3", "qwen2", "qwen3", "minicpm"])
def test_greedy_text_is_llama_cpps(plm, llama_logits, tmp_path, name):
    model = MODELS[name](tmp_path / "model.gguf")
    ids = json.loads(plm.ok("tokenize", "-m", model, "--text", "the thing and", "--json"))["ids"]
    n_prompt = len(ids)
    for _ in range(12):
        ids.append(int(llama_logits(model, ids)[-1].argmax()))
    how = ("-n", 12, "--temp", 0, "--ignore-eos", "-ctk", "f32")
    text = plm.ok("run", "-m", model, "-p", "the thing and", *how)
    theirs = plm.ok("detokenize", "-m", model, "--ids", " ".join(map(str, ids[n_prompt:])), "--skip-special")
    assert text.rstrip(b"\n") == theirs.rstrip(b"\n")


@pytest.mark.parametrize("preset", ["qwen2-tiny", "llama-tiny"])
@pytest.mark.parametrize("cache_type", ["f16", "bf16", "q8_0"])
def test_every_command_serves_a_synthetic_model(plm, tmp_path, preset, cache_type):
    model = tmp_path / "model.gguf"
    plm.ok("synth", "--preset", preset, "--type", "Q8_0", model)
    how = ("-m", model, "-ctk", cache_type)
    written = plm.ok("run", *how, "-p", "the people", "-n", 90, "-c", 48, "--context-shift", "--ignore-eos")
    assert len(written) > 90  # well beyond the context
    answers = plm.ok("chat", *how, "-n", 5, input=b"hello\nonce more\n")
    assert answers
    scored = json.loads(plm.ok("score", *how, "--text", "the people of the time"))
    assert all(x < 0 for x in scored["logprobs"][1:])
    text = tmp_path / "text"
    text.write_text("the people of the time that was " * 30)
    assert b"PPL" in plm.ok("perplexity", *how, "-f", text, "-c", 64)
    rows = json.loads(plm.ok("bench", *how, "-p", 8, "-n", 4, "-d", "0,40", "-r", 1, "-o", "json"))
    assert len(rows) == 4
    # 3 layers of key-value heads, 64 + 64 numbers of 2 bytes; nothing is skipped.
    report = json.loads(plm.ok("inspect", "--json", model))
    n_heads = {"qwen2-tiny": 2, "llama-tiny": 4}[preset]
    assert report["cache_bytes_per_token"] == {"expanded_f16": 3 * n_heads * 128 * 2}
    assert report["activated_parameters"] == report["parameters"]
    assert b"squared-ReLU" not in plm.ok("inspect", model)


def refusal(plm, model):
    result = plm.run("run", "-m", model, "-p", "a", "-n", 1)
    assert result.returncode == 1, result
    assert result.stderr.count(b"\n") == 1, result.stderr
    return result.stderr.decode()


def add_key(path, key, value_type, encoded):
    """Writes another key in front of those of a GGUF file."""
    data = bytearray(path.read_bytes())
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    entry = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", value_type) + encoded
    padding = (-len(entry)) % 32  # data stay aligned: filled up by a string of spaces
    filler = b""
    if padding:
        name = b"x.filler"
        size = padding - (8 + len(name) + 4 + 8)
        size += -(-max(0, -size) // 32) * 32
        filler = struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, size) + b" " * size
        keys += 1
    struct.pack_into("<QQ", data, 8, tensors, keys + 1)
    path.write_bytes(bytes(data[:24]) + entry + filler + bytes(data[24:]))


def test_models_that_differ_are_refused_by_what_differs(plm, tmp_path):
    model = tmp_path / "model.gguf"

    write_gqa(model, "llama", Shape(heads=4, kv_heads=3, head_width=32))
    assert "attention.head_count_kv: found 3, expected a divisor of 4" in refusal(plm, model)

    write_gqa(model, "llama", Shape(factors=np.r_[np.ones(15), 0.0]))
    assert "rope_freqs.weight: found 0, expected positive numbers" in refusal(plm, model)

    write_gqa(model, "qwen2", Shape(), head_norms=True)
    assert "tensor blk.0.attn_q_norm.weight" in refusal(plm, model)

    write_gqa(model, "qwen3", Shape())
    assert "tensor blk.0.attn_q_norm.weight: not found" in refusal(plm, model)

    write_gqa(model, "minicpm", Shape(keys={"logit_scale": 0.0}))
    assert "minicpm.logit_scale: found 0, expected a positive number" in refusal(plm, model)

    for key, value_type, encoded, expected in [
        ("llama.expert_count", 4, struct.pack("<I", 8), "mixtures of experts"),
        ("llama.rope.scaling.type", 8, struct.pack("<Q", 4) + b"yarn", 'found "yarn", expected none'),
        ("llama.attention.value_length", 4, struct.pack("<I", 1 << 30), "found 1073741824, expected 1 to"),
        ("llama.attention.key_length", 4, struct.pack("<I", 48), "attn_q.weight: shape"),
    ]:
        write_gqa(model, "llama", Shape())
        add_key(model, key, value_type, encoded)
        assert expected in refusal(plm, model)


def test_a_linearly_stretched_context_agrees_with_llama_cpp(plm, llama_logits, tmp_path):
    model = write_gqa(tmp_path / "model.gguf", "llama", Shape(keys={"rope.scaling.factor": 4.0}))
    add_key(model, "llama.rope.scaling.type", 8, struct.pack("<Q", 6) + b"linear")
    ours, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32")
    agree(ours, llama_logits(model, IDS))
