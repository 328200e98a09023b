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
