"""`plm convert` beside transformers' definitions, llama.cpp, and the packages gguf, safetensors and tokenizers."""

import json
import resource
import signal
import subprocess
import time

import convert_folders as folders
import gguf
import numpy as np
import pytest
from conftest import shared
from safetensors.numpy import load_file, save_file

KINDS = list(folders.CONFIGS)
IDS = np.random.default_rng(3).integers(0, 250, 40).tolist()


def read_gguf(path):
    reader = gguf.GGUFReader(path)
    keys = {k: f.contents() for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    return keys, reader.tensors


def numbers(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tensor.shape[::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_folder(plm, llama_logits, tmp_path, kind):
    weights = folders.make_weights(kind)
    folder = folders.write_folder(tmp_path / "hf", kind, weights)
    plm.ok("convert", folder, tmp_path / "f32.gguf")
    exact = folders.logits(kind, weights, IDS)
    # float32 sums of some hundred terms, twice: docs/numerics.md; the logits span about +-10.
    bound = 5e-5 * max(1, np.abs(exact).max())
    ours, _ = plm.logits(tmp_path / "f32.gguf", IDS, tmp_path, "-ctk", "f32")
    assert np.abs(ours - exact).max() <= bound
    theirs = llama_logits(tmp_path / "f32.gguf", IDS)
    assert np.abs(theirs - exact).max() <= bound


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_there_and_back_loses_nothing(plm, tmp_path, kind, dtype):
    weights = {k: v.astype(dtype) for k, v in folders.make_weights(kind).items()}
    folder = folders.write_folder(tmp_path / "hf", kind, weights)
    plm.ok("convert", folder, tmp_path / "model.gguf")
    plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back")
    assert (tmp_path / "back/model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    before, after = (json.loads((f / "config.json").read_text()) for f in (folder, tmp_path / "back"))
    for field, value in before.items():
        assert after.get(field) == value or field in ("torch_dtype", "bos_token_id"), field
    assert after["torch_dtype"] == dtype
    plm.ok("convert", tmp_path / "back", tmp_path / "again.gguf", "--model-name", "hf")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "model.gguf").read_bytes()


@pytest.mark.parametrize("name", ["f32", "f16", "bf16", "q8_0"])
def test_types_are_rounded_as_the_gguf_package_rounds(plm, tmp_path, name):
    weights = folders.make_weights("plm")
    folder = folders.write_folder(tmp_path / "hf", "plm", weights)
    plm.ok("convert", folder, tmp_path / "out.gguf", "--outtype", name)
    keys, tensors = read_gguf(tmp_path / "out.gguf")
    wanted = gguf.GGMLQuantizationType[name.upper()]
    assert keys["general.file_type"] == {"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}[name]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.PLM, folders.LAYERS)
    placed = {names.get_name(k, try_suffixes=(".weight",)): v for k, v in weights.items()}
    assert {t.name for t in tensors} == set(placed)
    for tensor in tensors:
        values = placed[tensor.name]
        type_ = wanted if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        assert tensor.tensor_type == type_, tensor.name
        assert (tensor.data.tobytes()) == gguf.quants.quantize(values, type_).tobytes(), tensor.name


def test_keys_and_order_are_those_of_the_checked_pair(plm, tmp_path):
    for folder, file, type_ in (
        (shared("models/story-7m"), shared("models/story-7m/story-7m-f16.gguf"), "f16"),
        (shared("oracles"), shared("oracles/plm-tiny-f32.gguf"), "f32"),
    ):
        plm.ok("convert", folder, tmp_path / "ours.gguf", "--outtype", type_, "--force")
        ours, our_tensors = read_gguf(tmp_path / "ours.gguf")
        theirs, their_tensors = read_gguf(file)
        assert set(ours) - set(theirs) <= {"general.size_label", "plm.tokenizer.normalizer"}
        different = {k for k in theirs if ours.get(k) != theirs[k]}
        # The pair's tiny model was given an eos by hand that its tokenizer_config.json does not state.
        assert different <= {"general.name", "tokenizer.ggml.eos_token_id"}
        mine = {t.name: (t.tensor_type, tuple(t.shape)) for t in our_tensors}
        assert mine == {t.name: (t.tensor_type, tuple(t.shape)) for t in their_tensors}
        if type_ == "f32":
            values = {t.name: t.data.tobytes() for t in their_tensors}
            assert {t.name: t.data.tobytes() for t in our_tensors} == values
            assert ours["plm.tokenizer.normalizer"] == "NFC"


def test_a_folder_in_shards(plm, tmp_path):
    folder = folders.write_folder(tmp_path / "hf", "llama")
    plm.ok("convert", folder, tmp_path / "model.gguf")
    weights = load_file(folder / "model.safetensors")
    sharded = folders.write_folder(tmp_path / "sharded", "llama")
    (sharded / "model.safetensors").unlink()
    names = sorted(weights)
    index = {}
    for shard in range(3):
        file = f"model-{shard + 1:05}-of-00003.safetensors"
        save_file({n: weights[n] for n in names[shard::3]}, sharded / file)
        index.update({n: file for n in names[shard::3]})
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    plm.ok("convert", sharded, tmp_path / "sharded.gguf")
    plain = {t.name: t.data.tobytes() for t in read_gguf(tmp_path / "model.gguf")[1]}
    assert {t.name: t.data.tobytes() for t in read_gguf(tmp_path / "sharded.gguf")[1]} == plain

    def fails(*words):
        result = plm.run("convert", sharded, tmp_path / "never.gguf")
        message = result.stderr.decode()
        assert result.returncode == 1 and message.count("\n") == 1, message
        assert all(word in message for word in words), message
        assert not (tmp_path / "never.gguf").exists()

    second = sharded / "model-00002-of-00003.safetensors"
    whole = second.read_bytes()
    second.write_bytes(whole[:-100])
    fails("00002", "truncated")
    second.unlink()
    fails("00002", "cannot open")
    second.write_bytes(whole)
    index["model.norm.weight"] = "model-00001-of-00003.safetensors"
    index["model.norm.bias"] = "../../etc/passwd"
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    fails("model.norm.bias", "expected a file of this folder")


def test_a_large_folder_is_written_in_shards(plm, tmp_path):
    rows = 1 << 14
    weights = folders.make_weights("plm")
    weights["model.embed_tokens.weight"] = np.ones((rows, folders.WIDTH), np.float32)
    folder = folders.write_folder(tmp_path / "hf", "plm", weights, {"vocab_size": rows})
    plm.ok("convert", folder, tmp_path / "model.gguf")
    plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back", "--split-max-size", "1M")
    # The embedding has 4 MB and stands alone.
    files = sorted(f.name for f in (tmp_path / "back").glob("model*"))
    assert files == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    index = json.loads((tmp_path / "back/model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(weights)
    assert index["metadata"]["total_size"] == sum(w.nbytes for w in weights.values())
    for name, file in index["weight_map"].items():
        assert np.array_equal(load_file(tmp_path / "back" / file)[name], weights[name])
    # A smaller model over it leaves no shard of the larger one.
    plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back", "--force")
    assert [f.name for f in (tmp_path / "back").glob("model*")] == ["model.safetensors"]


@pytest.mark.parametrize("special_first", [True, False])
def test_tokenizers_reads_what_is_written(plm, tmp_path, special_first):
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = folders.tokenizer_json(normalizer={"type": "NFC"}, special_first=special_first)
    folder = folders.write_folder(tmp_path / "hf", "plm", tokenizer=vocabulary)
    plm.ok("convert", folder, tmp_path / "model.gguf")
    plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back")
    first = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    second = tokenizers.Tokenizer.from_file(str(tmp_path / "back/tokenizer.json"))
    for text in ["the other <tool> theme\n", "e\u0301t\u00e9 12 <|im_end|>", "  a\tb", "我想 🚀"]:
        ids = first.encode(text).ids
        assert second.encode(text).ids == ids
        ours = plm.ok("tokenize", "-m", tmp_path / "model.gguf", "--text", text).split()
        assert [int(i) for i in ours] == ids, text


def test_vocab_json_with_merges_txt_serves(plm, tmp_path):
    vocabulary = folders.tokenizer_json(normalizer={"type": "NFC"})
    plain = folders.write_folder(tmp_path / "hf", "plm", tokenizer=vocabulary)
    slow = folders.write_folder(tmp_path / "slow", "plm")
    (slow / "tokenizer.json").unlink()
    (slow / "vocab.json").write_text(json.dumps(vocabulary["model"]["vocab"]))
    (slow / "merges.txt").write_text("#version: 0.2\n" + "\n".join(vocabulary["model"]["merges"]) + "\n")
    settings = json.loads((slow / "tokenizer_config.json").read_text())
    settings["added_tokens_decoder"] = {str(t["id"]): t for t in vocabulary["added_tokens"]}
    (slow / "tokenizer_config.json").write_text(json.dumps(settings))
    for folder in (plain, slow):
        plm.ok("convert", folder, folder.with_suffix(".gguf"), "--model-name", "x")
    assert plain.with_suffix(".gguf").read_bytes() == slow.with_suffix(".gguf").read_bytes()


def test_chat_template_and_generation_config(plm, tmp_path):
    folder = folders.write_folder(tmp_path / "hf", "plm")
    (folder / "chat_template.jinja").write_text("from the file")
    (folder / "generation_config.json").write_text(
        json.dumps({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "repetition_penalty": 1.05, "eos_token_id": [257]})
    )
    plm.ok("convert", folder, tmp_path / "model.gguf")
    keys, _ = read_gguf(tmp_path / "model.gguf")
    assert keys["tokenizer.chat_template"] == "from the file"
    assert keys["general.sampling.top_k"] == 20
    assert keys["general.sampling.temp"] == pytest.approx(0.6)
    plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back")
    back = json.loads((tmp_path / "back/generation_config.json").read_text())
    assert (back["temperature"], back["top_k"], back["top_p"], back["repetition_penalty"]) == (0.6, 20, 0.95, 1.05)
    assert back["eos_token_id"] == 257


def test_a_quantised_file_becomes_a_folder(plm, tmp_path):
    folder = folders.write_folder(tmp_path / "hf", "llama")
    plm.ok("convert", folder, tmp_path / "q8.gguf", "--outtype", "q8_0")
    plm.ok("convert", tmp_path / "q8.gguf", tmp_path / "back", "--outtype", "f32")
    plm.ok("convert", tmp_path / "back", tmp_path / "again.gguf")
    again = {t.name: t for t in read_gguf(tmp_path / "again.gguf")[1]}
    for tensor in read_gguf(tmp_path / "q8.gguf")[1]:
        assert np.array_equal(numbers(tensor), numbers(again[tensor.name])), tensor.name


def test_peak_memory_is_below_one_and_a_half_of_the_largest_tensor(plm, tmp_path):
    rows = 1 << 19
    weights = folders.make_weights("plm")
    weights["model.embed_tokens.weight"] = np.zeros((rows, folders.WIDTH), np.float32)
    folder = folders.write_folder(tmp_path / "hf", "plm", weights, {"vocab_size": rows})
    largest = weights["model.embed_tokens.weight"].nbytes
    report = json.loads(plm.ok("convert", folder, tmp_path / "model.gguf", "--json"))
    assert report["peak_memory_bytes"] < 1.5 * largest
    report = json.loads(plm.ok("convert", tmp_path / "model.gguf", tmp_path / "back", "--json"))
    assert report["peak_memory_bytes"] < 1.5 * largest


def test_peak_memory_is_not_that_of_who_started_the_program(plm, tmp_path):
    folder = folders.write_folder(tmp_path / "hf", "plm", folders.make_weights("plm"))
    ballast = np.ones(1 << 26, np.float32)
    report = json.loads(plm.ok("convert", folder, tmp_path / "model.gguf", "--json"))
    assert report["peak_memory_bytes"] < ballast.nbytes / 2


class TestTrouble:
    """What goes wrong leaves one line, and what was there before."""

    def fails(self, plm, tmp_path, folder, *words, flags=(), code=1, **options):
        out = tmp_path / "out.gguf"
        out.write_bytes(b"precious")
        result = plm.run("convert", folder, out, "--force", *flags, **options)
        message = result.stderr.decode()
        assert result.returncode == code, message
        assert sum(not line.startswith("plm: note") for line in message.splitlines()) == 1, message
        for word in words:
            assert word in message, message
        assert out.read_bytes() == b"precious"
        assert sorted(f.name for f in tmp_path.glob("*part*")) == []

    @pytest.mark.parametrize(
        "change, words",
        [
            (lambda w: w.pop("model.layers.1.mlp.up_proj.weight"), ["model.layers.1.mlp.up_proj.weight", "not found"]),
            (lambda w: w.update({"model.extra": np.zeros(3, np.float32)}), ["model.extra", "no such tensor"]),
            (
                lambda w: w.update({"model.norm.weight": np.zeros(3, np.float32)}),
                ["model.norm.weight", "found [3]", "[64]"],
            ),
            (
                lambda w: w.update({"model.layers.7.input_layernorm.weight": np.zeros(64, np.float32)}),
                ["layer 7", "num_hidden_layers of 2"],
            ),
            (lambda w: w.update({"model.norm.weight": np.zeros(64, np.int32)}), ["dtype", "I32", "BF16"]),
            (
                lambda w: w.update({"lm_head.weight": np.ones((320, 64), np.float32)}),
                ["lm_head.weight", "another matrix than the embedding"],
            ),
        ],
    )
    def test_tensors_that_do_not_fit(self, plm, tmp_path, change, words):
        weights = folders.make_weights("plm")
        change(weights)
        self.fails(plm, tmp_path, folders.write_folder(tmp_path / "hf", "plm", weights), *words)

    @pytest.mark.parametrize(
        "config, words",
        [
            ({"hidden_act": "gelu"}, ["hidden_act", "relu2"]),
            ({"q_lora_rank": 96}, ["q_lora_rank", "null"]),
            ({"rope_interleave": False}, ["rope_interleave", "true"]),
            ({"num_hidden_layers": 10**9}, ["num_hidden_layers"]),
            ({"num_hidden_layers": 16000000}, ["model.layers.2.", "not found"]),
            ({"hidden_size": -1}, ["hidden_size", "-1"]),
            ({"rms_norm_eps": "small"}, ["rms_norm_eps", "small"]),
            ({"architectures": ["MambaForCausalLM"]}, ["MambaForCausalLM", "plm, llama"]),
            ({"quantization_config": {"quant_method": "gptq"}}, ["quantization_config"]),
            ({"bos_token_id": 99999}, ["bos_token_id", "99999"]),
        ],
    )
    def test_configurations_that_cannot_be_converted(self, plm, tmp_path, config, words):
        self.fails(plm, tmp_path, folders.write_folder(tmp_path / "hf", "plm", config=config), *words)

    def test_the_spelling_of_the_pull_request(self, plm, tmp_path):
        plain = folders.make_weights("plm")
        renamed = {k.replace("up_proj", "fc1").replace("down_proj", "fc2"): v for k, v in plain.items()}
        for i in range(folders.LAYERS):
            renamed[f"model.layers.{i}.mlp.fc1.bias"] = np.zeros(folders.FFN, np.float32)
            renamed[f"model.layers.{i}.mlp.fc2.bias"] = np.zeros(folders.WIDTH, np.float32)
        a = folders.write_folder(tmp_path / "plain", "plm", plain)
        b = folders.write_folder(tmp_path / "renamed", "plm", renamed)
        for folder in (a, b):
            plm.ok("convert", folder, folder.with_suffix(".gguf"), "--model-name", "x")
        values = {t.name: t.data.tobytes() for t in read_gguf(a.with_suffix(".gguf"))[1]}
        assert {t.name: t.data.tobytes() for t in read_gguf(b.with_suffix(".gguf"))[1]} == values
        renamed["model.layers.1.mlp.fc2.bias"][5] = 0.25
        folder = folders.write_folder(tmp_path / "biased", "plm", renamed)
        self.fails(plm, tmp_path, folder, "model.layers.1.mlp.fc2.bias", "not zero", "no such bias")

    def test_nan_and_infinity_are_counted_and_named(self, plm, tmp_path):
        weights = folders.make_weights("plm")
        weights["model.layers.0.mlp.up_proj.weight"][3, 4:7] = np.nan
        weights["model.norm.weight"][0] = -np.inf
        folder = folders.write_folder(tmp_path / "hf", "plm", weights)
        words = ["model.layers.0.mlp.up_proj.weight: 3 numbers", "model.norm.weight: 1 numbers"]
        self.fails(plm, tmp_path, folder, *words)
        self.fails(plm, tmp_path, folder, *words, flags=["--outtype", "q8_0"])
        result = plm.run("convert", folder, tmp_path / "allowed.gguf", "--allow-nonfinite")
        assert result.returncode == 0 and b"3 numbers" in result.stderr
        values = {t.name: t.data for t in read_gguf(tmp_path / "allowed.gguf")[1]}
        assert np.isnan(values["blk.0.ffn_up.weight"]).sum() == 3

    def test_numbers_too_large_for_f16(self, plm, tmp_path):
        weights = folders.make_weights("plm")
        weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 70000
        weights["model.layers.0.mlp.up_proj.weight"][0, 1] = 65519  # rounds to 65504
        folder = folders.write_folder(tmp_path / "hf", "plm", weights)
        words = ["1 numbers (up to 7e+04) are too large for F16"]
        self.fails(plm, tmp_path, folder, *words, flags=["--outtype", "f16"])
        plm.ok("convert", folder, tmp_path / "bf16.gguf", "--outtype", "bf16")

    def test_shards_that_are_cut(self, plm, tmp_path):
        folder = folders.write_folder(tmp_path / "hf", "plm")
        weights = folder / "model.safetensors"
        content = weights.read_bytes()
        for size in (0, 5, 100, len(content) // 2, len(content) - 1):
            weights.write_bytes(content[:size])
            self.fails(plm, tmp_path, folder, "model.safetensors")
        for size in (0, 5, 100, 5000):
            (tmp_path / "cut.gguf").write_bytes(content[:size])
            result = plm.run("convert", tmp_path / "cut.gguf", tmp_path / "back")
            assert result.returncode == 1 and result.stderr.count(b"\n") == 1
            assert not list(tmp_path.glob("back*"))

    def test_a_disk_that_fills_up(self, plm, tmp_path):
        folder = folders.write_folder(tmp_path / "hf", "plm")

        def small_disk():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        self.fails(plm, tmp_path, folder, "cannot write", preexec_fn=small_disk)
        plm.ok("convert", folder, tmp_path / "model.gguf")
        result = plm.run("convert", tmp_path / "model.gguf", tmp_path / "back", preexec_fn=small_disk)
        assert result.returncode == 1 and b"cannot write" in result.stderr
        assert not list(tmp_path.glob("back*"))

    def test_input_and_output_must_differ(self, plm, tmp_path):
        folder = folders.write_folder(tmp_path / "hf", "plm")
        result = plm.run("convert", folder, folder, "--force")
        assert result.returncode == 2 and b"the same" in result.stderr
        plm.ok("convert", folder, tmp_path / "model.gguf")
        result = plm.run("convert", tmp_path / "model.gguf", tmp_path / "model.gguf", "--force")
        assert result.returncode == 2 and b"the same" in result.stderr
        result = plm.run("convert", folder, tmp_path / "model.gguf")
        assert result.returncode == 1 and b"--force" in result.stderr
        result = plm.run("convert", tmp_path / "model.gguf", folder)
        assert result.returncode == 1 and b"--force" in result.stderr

    def test_interrupted(self, plm, tmp_path):
        rows = 1 << 19
        weights = folders.make_weights("plm")
        weights["model.embed_tokens.weight"] = np.zeros((rows, folders.WIDTH), np.float32)
        folder = folders.write_folder(tmp_path / "hf", "plm", weights, {"vocab_size": rows})
        out = tmp_path / "out.gguf"
        out.write_bytes(b"precious")
        process = subprocess.Popen(
            [plm.path, "convert", folder, out, "--force", "--outtype", "q8_0", "-t", "1"], stderr=subprocess.PIPE
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

    @pytest.mark.parametrize(
        "arguments", [["only-one"], ["a", "b", "--outtype", "q9"], ["a", "b", "--split-max-size", "many"], []]
    )
    def test_wrong_command_lines(self, plm, arguments):
        result = plm.run("convert", *arguments)
        assert result.returncode == 2 and result.stderr.startswith(b"plm: ")

    def test_inputs_that_are_not_there(self, plm, tmp_path):
        for path in (tmp_path / "no.gguf", tmp_path):
            result = plm.run("convert", path, tmp_path / "x.gguf")
            assert result.returncode == 1 and result.stderr.count(b"\n") == 1
