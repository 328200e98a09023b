"""`plm inspect` over a text (which neurons fire, the sweep) and `plm inspect --diff`."""

import json

import gguf
import numpy as np
import pytest
from gguf_files import changed

FFN, WIDTH, LAYERS, ALL = 1024, 256, 8, 7_050_496
CONTEXT = 64


@pytest.fixture(scope="module")
def text(tmp_path_factory, plm):
    path = tmp_path_factory.mktemp("text") / "story.txt"
    path.write_bytes(plm.ok("run", "-p", "Once upon a time", "-s", 1, "-n", 400, "--ignore-eos", "--context-shift"))
    return path


@pytest.fixture(scope="module")
def sweep(plm, bundled_model, text):
    """Of the bundled model: keep all, half, a tenth; thresholds of nothing and of everything."""
    arguments = ("--keep", "100,50,10", "--thresholds", "0,1e30", "-c", CONTEXT)
    return json.loads(plm.ok("inspect", bundled_model, "--text", text, "--json", *arguments))


def test_zero_rates_are_those_of_bench(plm, bundled_model, text):
    ours = json.loads(plm.ok("inspect", bundled_model, "--text", text, "-c", CONTEXT, "--chunks", 1, "--json"))
    bench = json.loads(plm.ok("bench", "-p", CONTEXT - 1, "-n", 0, "-r", 1, "-f", text, "-o", "json"))[0]
    rates = [layer["zero_rate"] for layer in ours["activations"]["layers"]]
    assert len(rates) == LAYERS and ours["activations"]["tokens"] == CONTEXT - 1
    assert np.allclose(rates, bench["zero_rate_of_layer"], atol=0.02), (rates, bench)
    for layer in ours["activations"]["layers"]:
        assert 0 <= layer["share_never_firing"] <= layer["zero_rate"] <= 1
        assert layer["share_firing_above_half"] <= 2 * (1 - layer["zero_rate"])


def test_sizes_are_those_at_the_measured_zero_rate(sweep):
    assert sweep["parameters"] == ALL
    rate = sweep["activations"]["zero_rate"]
    assert sweep["zero_share"] == rate and 0.5 < rate < 1
    down = LAYERS * FFN * WIDTH
    assert sweep["activated_parameters"] == ALL - int(rate * down)
    assert sweep["activated_parameters_with_up"] == ALL - 2 * int(rate * down)
    assert sweep["activated_bytes_per_token"] == sweep["bytes_per_token"] - int(rate * 2 * down)


def test_the_sweep_starts_at_the_perplexity_of_the_model(plm, bundled_model, text, sweep):
    alone = json.loads(plm.ok("perplexity", "-m", bundled_model, "-f", text, "-c", CONTEXT, "--json"))
    rows = sweep["activations"]["sweep"]
    assert [(row["rule"], row["value"]) for row in rows] == [
        ("threshold", 0), ("keep_percent", 100), ("keep_percent", 50), ("keep_percent", 10),
        ("threshold", 0), ("threshold", 1e30),
    ]  # fmt: skip
    start, all_kept, half, tenth, nothing_dropped, all_dropped = rows
    for key in ("perplexity", "perplexity_error"):
        assert start[key] == alone[key]
    assert sweep["activations"]["tokens_scored"] == alone["tokens_scored"]
    for same in (all_kept, nothing_dropped):
        assert same["zero_rate"] == pytest.approx(start["zero_rate"], abs=1e-3)
        assert same["ratio"] == pytest.approx(1, abs=1e-3)
    assert start["ratio"] == 1 and start["ratio_error"] == 0
    # Dropping changes what later layers see, so the shares are kept only nearly.
    assert 1 - half["zero_rate"] == pytest.approx(0.5 * (1 - start["zero_rate"]), rel=0.15)
    assert 1 - tenth["zero_rate"] == pytest.approx(0.1 * (1 - start["zero_rate"]), rel=0.5)
    assert 1 < tenth["ratio"] and half["perplexity"] < tenth["perplexity"]
    assert all_dropped["zero_rate"] == 1 and all_dropped["activated_parameters"] == ALL - LAYERS * FFN * WIDTH
    for row in rows:
        assert row["ratio"] == pytest.approx(row["perplexity"] / start["perplexity"], rel=1e-9)
    for least in sweep["activations"]["least_activated"]:
        assert least["ratio"] <= 1 + least["allowed"]


def test_the_report_for_people_and_the_plot(plm, bundled_model, text, tmp_path):
    plot = tmp_path / "plot.svg"
    arguments = ("inspect", bundled_model, "--text", text, "-c", CONTEXT, "--chunks", 1, "--keep", "50,90")
    said = plm.ok(*arguments, "--plot", plot).decode()
    for words in ("never firing", "largest 50 %", "fewest activated parameters", "as the PLM paper counts"):
        assert words in said
    assert plot.read_text().startswith("<svg") and "nan" not in plot.read_text()
    refused = plm.run(*arguments, "--plot", plot)
    assert refused.returncode == 1 and b"there already" in refused.stderr


def test_wrong_requests_are_refused(plm, bundled_model, text, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("Too short.")
    for code, arguments in [
        (2, ("--keep", "50")),
        (2, ("--plot", tmp_path / "x.svg")),
        (2, ("--text", short)),
        (2, ("--text", text, "--keep", "101")),
        (2, ("--text", text, "--keep", "50,,60")),
        (2, ("--text", text, "--thresholds", "nan")),
        (2, ("--text", text, "--thresholds", "-1")),
        (2, ("--text", text, "--thresholds", "1e39")),
        (1, ("--text", tmp_path / "none.txt")),
    ]:
        result = plm.run("inspect", bundled_model, *arguments, "-c", CONTEXT)
        assert result.returncode == code and result.stderr.count(b"\n") == 1, (arguments, result.stderr)


def test_a_model_without_a_squared_relu_has_nothing_to_count(plm, text, tmp_path):
    gated = tmp_path / "gated.gguf"
    plm.ok("synth", "--preset", "llama-tiny", "--type", "F16", gated)
    result = plm.run("inspect", gated, "--text", text, "-c", CONTEXT)
    assert result.returncode == 1 and b"no squared ReLU" in result.stderr
    assert "activated" not in plm.ok("inspect", gated).decode()


class TestDiff:
    """Exit codes as diff's: 0 equal, 1 different, 2 trouble."""

    def differ(self, plm, a, b):
        result = plm.run("inspect", "--diff", a, b, "--json")
        assert result.returncode == 1, result.stderr
        return json.loads(result.stdout)

    def test_equal_files(self, plm, bundled_model, tmp_path):
        copy = tmp_path / "copy.gguf"
        changed(bundled_model, copy, lambda name, value: value)
        for other in (bundled_model, copy):  # another order of keys, other padding
            report = json.loads(plm.ok("inspect", "--diff", bundled_model, other, "--json"))
            assert report["equal"] and report["equal_tensors"] == 2 + 9 * LAYERS
            assert report["different_keys"] == report["different_tensors"] == []
        assert plm.ok("inspect", "--diff", bundled_model, copy).endswith(b"\nequal\n")

    def test_changed_keys_and_tensors(self, plm, bundled_model, tmp_path):
        def change(name, value):
            if name == "plm.context_length":
                return value + 1
            if name == "tokenizer.ggml.tokens":
                return [*value[:-1], "changed"]
            if name == "general.name" or name == "blk.1.attn_norm.weight":
                return None
            if name == "output_norm.weight":
                value[3] += 0.5
            if name == "blk.0.ffn_norm.weight":
                return value[:-1]
            return value

        other = tmp_path / "other.gguf"
        changed(bundled_model, other, change)
        report = self.differ(plm, bundled_model, other)
        keys = {entry["key"]: entry for entry in report["different_keys"]}
        assert set(keys) == {"plm.context_length", "tokenizer.ggml.tokens", "general.name"}
        assert keys["plm.context_length"]["b"]["value"] == keys["plm.context_length"]["a"]["value"] + 1
        assert keys["tokenizer.ggml.tokens"]["from_element"] == 4095
        assert keys["general.name"]["b"] is None
        tensors = {entry["name"]: entry for entry in report["different_tensors"]}
        assert set(tensors) == {"blk.1.attn_norm.weight", "output_norm.weight", "blk.0.ffn_norm.weight"}
        assert tensors["blk.1.attn_norm.weight"]["b"] is None
        assert tensors["blk.0.ffn_norm.weight"]["b"]["shape"] == [255]
        norm = tensors["output_norm.weight"]
        assert norm["different_numbers"] == 1 and norm["largest"] == pytest.approx(0.5, rel=1e-5)
        backwards = self.differ(plm, other, bundled_model)
        assert {e["key"] for e in backwards["different_keys"] if e["a"] is None} == {"general.name"}
        said = plm.run("inspect", "--diff", bundled_model, other).stdout.decode()
        for words in ("- general.name", "! plm.context_length", "from element 4095", "- blk.1.attn_norm.weight"):
            assert words in said, said

    def test_a_quantised_file_is_as_far_as_its_numbers(self, plm, bundled_model, tmp_path):
        q8 = tmp_path / "q8.gguf"
        plm.ok("quantize", bundled_model, q8, "Q8_0")
        report = self.differ(plm, bundled_model, q8)
        name = "blk.2.ffn_down.weight"
        (found,) = [entry for entry in report["different_tensors"] if entry["name"] == name]
        a, b = (
            next(gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors if t.name == name)
            for path in (bundled_model, q8)
        )
        difference = a.astype(np.float64) - b
        assert (found["a"]["type"], found["b"]["type"]) == ("F16", "Q8_0")
        assert found["largest"] == pytest.approx(np.abs(difference).max(), rel=1e-9)
        assert found["rms"] == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-9)
        assert found["relative_rms"] == pytest.approx(np.sqrt((difference**2).sum() / (a.astype(np.float64) ** 2).sum()))
        assert found["different_numbers"] == (a != b).sum()

    def test_trouble_is_two(self, plm, bundled_model, tmp_path):
        broken = tmp_path / "broken.gguf"
        broken.write_bytes(bundled_model.read_bytes()[:1000])
        for arguments in [(bundled_model, tmp_path / "none.gguf"), (broken, bundled_model), (bundled_model,)]:
            result = plm.run("inspect", "--diff", *arguments)
            assert result.returncode == 2 and result.stderr.count(b"\n") == 1, arguments
            assert result.stdout == b""
