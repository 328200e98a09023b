"""The same files and ids through plm and through llama.cpp."""

import json

import numpy as np
import pytest
from gguf_f32 import write_f32_copy

# ../shared/oracles/README.md: a float32 forward pass stays within 5e-5 of the exact logits, whose
# range is +-15 there; llama.cpp itself within 1e-5.
F32_LOGIT_ERROR = 5e-5

# Rows of 128: no K-quants, whose blocks hold 256 numbers.
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


def rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


@pytest.mark.parametrize("length", [1, 7, 64, 300])
def test_f32_logits_agree_with_llama_cpp(plm, llama_logits, oracles, oracle_logits, tmp_path, length):
    model = oracles / "plm-tiny-f32.gguf"
    ids = oracle_logits[f"ids_{length}"]
    ours, line = plm.logits(model, ids, tmp_path, "-ctk", "f32")
    theirs = llama_logits(model, ids)
    assert line["ids"] == ids.tolist()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= F32_LOGIT_ERROR
    assert np.abs(ours - oracle_logits[f"logits_{length}"]).max() <= F32_LOGIT_ERROR
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()


def test_the_bundled_model_agrees_with_llama_cpp(plm, llama_logits, bundled_model, tmp_path):
    ids = json_ids(plm, bundled_model, "Once upon a time there was a little girl who lived by the sea.")
    ours, _ = plm.logits(bundled_model, ids, tmp_path, "-ctk", "f32")
    # With F16 weights llama.cpp rounds the activations to F16 too: the float32 copy of the weights
    # is the honest comparison, and its own F16 error the bar.
    exact = llama_logits(write_f32_copy(bundled_model, tmp_path / "f32.gguf"), ids)
    theirs = llama_logits(bundled_model, ids)
    assert rms(ours - exact) <= 0.5 * rms(theirs - exact)


@pytest.mark.parametrize("type_name", TYPES)
def test_synthetic_models_load_in_llama_cpp_and_agree(plm, llama_logits, tmp_path, type_name):
    model = tmp_path / "synth.gguf"
    plm.ok("synth", "--preset", "plm-tiny", "--type", type_name, "--seed", "1", model)
    ids = np.random.default_rng(5).integers(0, 500, 48)
    exact = llama_logits(write_f32_copy(model, tmp_path / "f32.gguf"), ids)
    assert rms(exact - exact.mean(axis=1, keepdims=True)) > 0.01, "the random model says nothing"
    theirs = llama_logits(model, ids)
    few_at_a_time, _ = plm.logits(model, ids, tmp_path, "-ctk", "f32", "-b", "8")
    in_one_batch, _ = plm.logits(model, ids, tmp_path, "-ctk", "f32")
    if type_name == "F32":
        for ours in (few_at_a_time, in_one_batch):
            assert np.abs(ours - theirs).max() <= F32_LOGIT_ERROR
        return
    # docs/decisions/0007: activations of small steps have 16 bits, those of large ones 8 as llama.cpp's.
    assert rms(few_at_a_time - exact) <= 0.5 * rms(theirs - exact)
    assert rms(in_one_batch - exact) <= rms(theirs - exact)


def json_ids(plm, model, text):
    return json.loads(plm.ok("tokenize", "-m", model, "--text", text, "--json"))["ids"]
