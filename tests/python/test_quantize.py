"""`plm quantize` and `plm imatrix` beside llama.cpp: types of whole files, files read both ways, bad input."""

import ctypes
import json
import resource
import signal
import subprocess
import time

import gguf
import numpy as np
import pytest
from conftest import ROOT, shared
from gguf_files import changed

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


def small_disk():
    """In the child: no file may grow beyond 100 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


class TestTrouble:
    """What goes wrong leaves one line, and what was there before."""

    def fails(self, plm, out, *arguments, words, code=1, **options):
        out.write_bytes(b"precious")
        result = plm.run(*arguments, "--force", **options)
        lines = [line for line in result.stderr.decode().splitlines() if line.startswith("plm: ")]
        message = lines[-1]
        assert result.returncode == code, result.stderr
        for word in words:
            assert word in message, message
        assert out.read_bytes() == b"precious"
        assert not list(out.parent.glob("*.part"))

    @pytest.mark.parametrize("name", ["blk.1.ffn_up.weight", "blk.1.attn_norm.weight"])
    def test_weights_that_are_not_finite(self, plm, bundled_model, tmp_path, name):
        def change(tensor, value):
            if tensor == name:
                value.flat[[3, 5]] = np.nan
                value.flat[-1] = -np.inf
            return value

        changed(bundled_model, tmp_path / "in.gguf", change)
        out = tmp_path / "out.gguf"
        # F16 leaves both as they are: the one a matrix, the other a norm.
        for kind in ("Q4_0", "Q4_K_M", "F16"):
            words = [f"tensor {name}", "found 3 weights that are not finite"]
            self.fails(plm, out, "quantize", tmp_path / "in.gguf", out, kind, words=words)

    def test_weights_too_large_for_f16(self, plm, bundled_model, tmp_path):
        def change(tensor, value):
            if tensor == "blk.0.ffn_up.weight":
                value = value.astype(np.float32)
                value.flat[:3] = [65519, -65520, 1e9]  # the first rounds to 65504
            return value

        changed(bundled_model, tmp_path / "in.gguf", change)
        out = tmp_path / "out.gguf"
        words = ["blk.0.ffn_up.weight", "found 2 weights that are too large for F16"]
        self.fails(plm, out, "quantize", tmp_path / "in.gguf", out, "F16", words=words)
        plm.ok("quantize", tmp_path / "in.gguf", tmp_path / "bf16.gguf", "BF16")

    def test_files_that_are_cut_or_lack_what_they_name(self, plm, bundled_model, tmp_path):
        out, cut = tmp_path / "out.gguf", tmp_path / "cut.gguf"
        content = bundled_model.read_bytes()
        for size in (0, 3, 20, 5000, len(content) // 2, len(content) - 100):
            cut.write_bytes(content[:size])
            self.fails(plm, out, "quantize", cut, out, "Q4_0", words=[str(cut)])
            self.fails(plm, out, "imatrix", "--in-file", cut, "-o", out, words=[str(cut)])

    def test_a_disk_that_fills_up(self, plm, bundled_model, imatrix, tmp_path):
        out = tmp_path / "out.gguf"
        words = ["out.gguf", "cannot write"]
        self.fails(plm, out, "quantize", bundled_model, out, "Q4_0", words=words, preexec_fn=small_disk)
        self.fails(plm, out, "imatrix", "--in-file", imatrix, "-o", out, words=words, preexec_fn=small_disk)

    def test_interrupted(self, plm, tmp_path):
        out = tmp_path / "out.gguf"
        writer = gguf.GGUFWriter(tmp_path / "large.gguf", "plm")
        writer.add_tensor("blk.0.ffn_up.weight", np.zeros((1 << 16, 1 << 10), np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        out.write_bytes(b"precious")
        process = subprocess.Popen(
            [plm.path, "quantize", tmp_path / "large.gguf", out, "Q4_K_M", "--force", "-t", "1"],
            stderr=subprocess.PIPE,
        )
        deadline = time.time() + 60
        while not list(tmp_path.glob("*.part")) and process.poll() is None and time.time() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        if process.returncode == 0:
            pytest.skip("it was done before it was interrupted")
        assert process.returncode == 130, message
        assert out.read_bytes() == b"precious"
        assert not list(tmp_path.glob("*.part"))

    def test_an_interrupted_imatrix_leaves_nothing(self, plm, tmp_path):
        text, out = tmp_path / "text.txt", tmp_path / "imatrix.gguf"
        text.write_text("Once upon a time there was a fox. " * 20_000)
        process = subprocess.Popen([plm.path, "imatrix", "-f", text, "-o", out], stderr=subprocess.PIPE)
        for line in process.stderr:
            if line.startswith(b"[1/"):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert not list(tmp_path.glob("imatrix*"))
