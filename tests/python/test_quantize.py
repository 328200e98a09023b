"""`plm quantize` and `plm imatrix` beside llama.cpp: types of whole files, files read both ways, bad input."""

import ctypes
import json

import gguf
import numpy as np
import pytest
from conftest import ROOT, shared

FILE_TYPES = {"Q4_K_M": 15, "Q2_K": 10, "Q5_K_S": 16}


def types_of(path):
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


@pytest.fixture(scope="module")
def imatrix(plm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imatrix")
    text = folder / "text.txt"
    text.write_bytes((ROOT / "ARCHITECTURE.md").read_bytes())
    out = folder / "imatrix.gguf"
    plm.ok("imatrix", "-f", text, "-c", 128, "--chunks", 4, "--correlations", "-o", out)
    return out


@pytest.fixture(scope="module")
def llama():
    if (ROOT / ".venv" / "llama-cpp-python.missing").exists():
        pytest.skip("llama-cpp-python could not be built")
    return pytest.importorskip("llama_cpp").llama_cpp


@pytest.mark.parametrize("kind", FILE_TYPES)
def test_tensors_have_the_types_llama_cpp_gives_them(plm, llama, bundled_model, tmp_path, kind):
    theirs, ours = tmp_path / "theirs.gguf", tmp_path / "ours.gguf"
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = FILE_TYPES[kind]
    assert llama.llama_model_quantize(str(bundled_model).encode(), str(theirs).encode(), ctypes.byref(parameters)) == 0
    plm.ok("quantize", bundled_model, ours, kind)
    assert types_of(ours) == types_of(theirs)


def test_dry_run_tells_the_size_and_writes_nothing(plm, bundled_model, tmp_path):
    said = json.loads(plm.ok("quantize", "--dry-run", "--json", bundled_model, "Q4_0"))
    out = tmp_path / "out.gguf"
    done = json.loads(plm.ok("quantize", "--json", bundled_model, out, "Q4_0"))
    assert said["bytes_after"] == done["bytes_after"] == sum(t["bytes"] for t in said["tensors"])
    assert 0 <= out.stat().st_size - said["bytes_after"] < 400_000  # metadata and padding


def test_importance_is_the_mean_square_of_inputs(imatrix):
    tensors = {t.name: t.data for t in gguf.GGUFReader(imatrix).tensors}
    down = tensors["blk.3.ffn_down.weight.in_sum2"]
    assert down.size == 1024
    assert (down >= 0).all()
    assert tensors["blk.3.ffn_down.weight.counts"].item() == 4 * 128
    correlation = tensors["blk.3.attn_q.weight.in_corr"].astype(np.float32).reshape(256, 256)
    np.testing.assert_array_equal(correlation, correlation.T)
    np.testing.assert_array_equal(np.diag(correlation), 1)


def test_importance_and_correlations_bring_a_file_nearer_its_source(plm, bundled_model, tmp_path):
    # Second moments of 256 inputs need some thousands of tokens, and a text of the kind that is judged.
    book, imatrix, base = shared("data/text/wikitext2/valid.txt"), tmp_path / "imatrix.gguf", tmp_path / "base.kld"
    plm.ok("imatrix", "-m", bundled_model, "-f", book, "-c", 256, "--chunks", 24, "--correlations", "-o", imatrix)
    test = shared("data/text/wikitext2/test.txt")
    plm.ok("perplexity", "-m", bundled_model, "-f", test, "-c", 256, "--chunks", 4, "--kl-base", base)

    def divergence(*flags):
        out = tmp_path / "out.gguf"
        plm.ok("quantize", bundled_model, out, "Q3_K_M", "--force", *flags)
        result = plm.ok("perplexity", "-m", out, "--kl-base", base, "--kl-divergence", "--json")
        return json.loads(result)["kl_divergence"]["mean"]

    assert divergence("--imatrix", imatrix) < 0.8 * divergence()


def test_ordered_neurons_are_the_same_model(plm, imatrix, bundled_model, tmp_path):
    out = tmp_path / "ordered.gguf"
    plm.ok("quantize", bundled_model, out, "F16", "--imatrix", imatrix, "--order-neurons")
    before = {t.name: t.data for t in gguf.GGUFReader(bundled_model).tensors}
    after = {t.name: t.data for t in gguf.GGUFReader(out).tensors}
    up = "blk.2.ffn_up.weight"
    assert not np.array_equal(before[up], after[up])
    assert sorted(map(bytes, before[up])) == sorted(map(bytes, after[up]))
    ids = list(range(100, 130))
    a, _ = plm.logits(bundled_model, ids, tmp_path, "-ctk", "f32")
    b, _ = plm.logits(out, ids, tmp_path, "-ctk", "f32")
    np.testing.assert_allclose(a, b, atol=0.02)


def test_the_older_format_is_read_as_well(plm, imatrix, bundled_model, tmp_path):
    older = tmp_path / "imatrix.dat"
    plm.ok("imatrix", "--in-file", imatrix, "--output-format", "dat", "-o", older)
    result = plm.run("quantize", bundled_model, tmp_path / "out.gguf", "Q4_0", "--imatrix", older)
    assert result.returncode == 0
    assert b"importance was known for 48 tensors" in result.stderr


def test_bad_input_is_one_line_and_leaves_nothing(plm, bundled_model, tmp_path):
    out = tmp_path / "out.gguf"
    for code, arguments in [
        (2, (bundled_model, out, "Q9_X")),
        (2, (bundled_model, "Q4_0")),
        (2, (bundled_model, bundled_model, "Q4_0", "--force")),
        (2, (bundled_model, out, "Q4_0", "--tensor-type", "ffn")),
        (1, (tmp_path / "none.gguf", out, "Q4_0")),
        (1, (bundled_model, out, "Q4_0", "--imatrix", bundled_model)),
        (1, (bundled_model, tmp_path / "no" / "folder.gguf", "Q4_0")),
    ]:
        result = plm.run("quantize", *arguments)
        assert result.returncode == code, (arguments, result.stderr)
        assert not out.exists()
    out.write_bytes(b"mine")
    assert plm.run("quantize", bundled_model, out, "Q4_0").returncode == 1
    assert out.read_bytes() == b"mine"
