"""LoRA adapters: at run time and merged, beside the same model merged by plain arithmetic and beside llama.cpp."""

import json

import convert_folders as folders
import gguf
import numpy as np
import pytest
from adapters import (
    change,
    changes_of,
    embedding_change,
    matrices_of,
    random_pair,
    random_pairs,
    write_gguf_adapter,
    write_peft,
)
from architectures import MODELS
from gguf_f32 import write_f32_copy
from plm_server import Server

LAYER_PARTS = ["attn_", "ffn_"]
# llama.cpp's graph of plm takes adapters of these alone; the others it loads and leaves out.
LLAMA_CPP_PARTS = {"plm": ["attn_output", "ffn_up", "ffn_down"]}
IDS = np.random.default_rng(11).integers(0, 256, 90)
BATCHES = ("1", "7", "40", "512")  # token by token, in splits of both forms of attention, at once


def write_model(plm, folder, name, tensor_type="F32"):
    path = folder / f"{name}-{tensor_type}.gguf"
    if name == "plm":
        plm.ok("synth", "--preset", "plm-tiny", "--type", tensor_type, "--seed", 5, path)
    else:
        MODELS[name](path, tensor_type=tensor_type)
    return path


def architecture_of(model):
    return gguf.GGUFReader(model).get_field("general.architecture").contents()


def has_output(model):
    return any(t.name == "output.weight" for t in gguf.GGUFReader(model).tensors)


def write_two_adapters(folder, model, parts, dtype=np.float16):
    """A float32 one and one of `dtype`, and what both add to each matrix."""
    architecture = architecture_of(model)
    first, second = (random_pairs(model, parts, rank, rank) for rank in (3, 20))
    if has_output(model):
        rows, columns = matrices_of(model, ["token_embd"])["token_embd.weight"]
        for seed, (pairs, rank) in enumerate([(first, 3), (second, 20)]):
            a, b = random_pair((columns, rows), rank, np.random.default_rng(seed), 3.0)
            pairs["token_embd.weight"] = a, b
        second.update(random_pairs(model, ["output.weight"], 20, 9, 1.0))
    paths = [
        write_gguf_adapter(folder / "first.gguf", architecture, first, alpha=6.0),
        write_gguf_adapter(folder / "second.gguf", architecture, second, alpha=16.0, dtype=dtype),
    ]
    changes = {}
    for part in (changes_of(first, 6.0), changes_of(second, 16.0, -0.5, dtype)):
        for name, delta in part.items():
            changes.setdefault(name, []).append(delta)
    return paths, changes


def flags_of(paths):
    return ["--lora", paths[0], "--lora-scaled", paths[1], "-0.5"]


def rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def agree(ours, theirs):
    """Twice what test_architectures.py allows for float32 in another order: here one side has rounded its weights
    to float32 when an adapter was added to them, or its low-rank products to float32 between the two."""
    bound = 2 * 5e-5 / 15 * np.abs(theirs).max()
    assert np.abs(ours - theirs).max() <= bound, (np.abs(ours - theirs).max(), bound)


@pytest.mark.parametrize("name", ["plm", "llama", "llama-3", "qwen2", "qwen3", "minicpm"])
def test_adapters_do_what_merging_by_plain_arithmetic_does(plm, tmp_path, name):
    model = write_model(plm, tmp_path, name)
    paths, changes = write_two_adapters(tmp_path, model, LAYER_PARTS)
    merged_model = write_f32_copy(model, tmp_path / "merged.gguf", changes)
    merged, _ = plm.logits(merged_model, IDS, tmp_path, "-ctk", "f32")
    unchanged, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32")
    assert rms(merged - unchanged) > 0.1 * rms(merged), "the adapters change nothing to speak of"
    for batch in BATCHES:
        ours, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", batch, *flags_of(paths))
        agree(ours, merged)


@pytest.mark.parametrize("name", ["plm", "llama", "qwen2", "qwen3", "minicpm"])
def test_adapters_do_what_they_do_in_llama_cpp(plm, llama_logits, tmp_path, name):
    model = write_model(plm, tmp_path, name)
    # Of an adapter in half precision llama.cpp rounds the inputs too.
    parts = LLAMA_CPP_PARTS.get(name, LAYER_PARTS)
    paths, _ = write_two_adapters(tmp_path, model, parts, np.float32)
    theirs = llama_logits(model, IDS, adapters=[(paths[0], 1.0), (paths[1], -0.5)])
    for batch in BATCHES:
        ours, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", batch, *flags_of(paths))
        agree(ours, theirs)
    # All matrices, also those that llama.cpp's graph leaves out: merged.
    paths, changes = write_two_adapters(tmp_path, model, LAYER_PARTS)
    ours, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", *flags_of(paths))
    agree(ours, llama_logits(write_f32_copy(model, tmp_path / "merged.gguf", changes), IDS))


@pytest.mark.parametrize("name", ["plm", "qwen2"])
@pytest.mark.parametrize("tensor_type", ["F16", "Q8_0", "Q4_0"])
def test_quantised_weights_stay_and_are_no_less_exact_than_llama_cpps(plm, llama_logits, tmp_path, name, tensor_type):
    model = write_model(plm, tmp_path, name, tensor_type)
    paths, changes = write_two_adapters(tmp_path, model, LLAMA_CPP_PARTS.get(name, LAYER_PARTS))
    exact = llama_logits(write_f32_copy(model, tmp_path / "merged.gguf", changes), IDS)
    theirs = llama_logits(model, IDS, adapters=[(paths[0], 1.0), (paths[1], -0.5)])
    few_at_a_time, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", "8", *flags_of(paths))
    in_one_batch, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", *flags_of(paths))
    # docs/decisions/0007, and the adapter's own products round nothing.
    assert rms(few_at_a_time - exact) <= 0.5 * rms(theirs - exact)
    assert rms(in_one_batch - exact) <= 1.1 * rms(theirs - exact)


@pytest.mark.parametrize("name", ["plm", "llama"])
def test_threads_strength_and_no_adapter_at_all(plm, tmp_path, name):
    model = write_model(plm, tmp_path, name, "Q4_0")
    paths, _ = write_two_adapters(tmp_path, model, LAYER_PARTS)
    for batch in ("1", "512"):
        how = ("-b", batch)
        one, _ = plm.logits(model, IDS, tmp_path, *how, "-t", 1, *flags_of(paths))
        two, _ = plm.logits(model, IDS, tmp_path, *how, "-t", 2, *flags_of(paths))
        assert (one == two).all(), "the bits depend on the number of threads"
    # Without the rounding of hidden numbers on the way, which an adapter of ffn_down does not allow.
    plain, _ = plm.logits(model, IDS, tmp_path, "-b", "1")
    nothing, _ = plm.logits(model, IDS, tmp_path, "-b", "1", "--lora-scaled", paths[0], "0")
    assert (plain == nothing).all()


# Hugging Face names of what adapters change.
MODULES = {
    "plm": ["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "up_proj", "down_proj"],
    "others": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def hf_pairs(weights, kind, rank, seed):
    random = np.random.default_rng(seed)
    modules = MODULES.get(kind, MODULES["others"])
    return {
        name.removesuffix(".weight"): random_pair(w.shape, rank, random)
        for name, w in weights.items()
        if any(name.endswith(f".{module}.weight") for module in modules)
    }


@pytest.mark.parametrize(
    ("kind", "rank_stabilised"),
    [("plm", False), ("plm", True), ("llama", False), ("llama-tied-rope3", True), ("qwen2", False), ("qwen3", True),
     ("minicpm", False)],
)  # fmt: skip
def test_peft_adapters_do_what_they_do_in_transformers(plm, tmp_path, kind, rank_stabilised):
    """Beside a float64 forward pass over Hugging Face's own weights and row order."""
    weights = folders.make_weights(kind)
    folders.write_folder(tmp_path / "base", kind, weights)
    plm.ok("convert", tmp_path / "base", tmp_path / "base.gguf", "--outtype", "f32")
    rank, alpha = 5, 8
    pairs = hf_pairs(weights, kind, rank, 3)
    is_tied = "lm_head.weight" not in weights
    if not is_tied:
        pairs["lm_head"] = random_pair(weights["lm_head.weight"].shape, rank, np.random.default_rng(4))
        rows, columns = weights["model.embed_tokens.weight"].shape
        pairs["model.embed_tokens"] = random_pair((columns, rows), rank, np.random.default_rng(5))
    adapter = write_peft(tmp_path / "adapter", pairs, rank, alpha, use_rslora=rank_stabilised)
    scale = alpha / (np.sqrt(rank) if rank_stabilised else rank)
    changed = {name: w.astype(np.float64) for name, w in weights.items()}
    for module, pair in pairs.items():
        delta = embedding_change(pair, scale) if module.endswith("embed_tokens") else change(pair, scale)
        changed[module + ".weight"] = changed[module + ".weight"] + delta
    exact = folders.logits(kind, changed, IDS)
    assert rms(exact - folders.logits(kind, weights, IDS)) > 0.1 * rms(exact)
    for path in (adapter, adapter / "adapter_model.safetensors"):
        for batch in ("1", "512"):
            ours, _ = plm.logits(tmp_path / "base.gguf", IDS, tmp_path, "-ctk", "f32", "-b", batch, "--lora", path)
            assert np.abs(ours - exact).max() <= 1e-5 * np.abs(exact).max()


def tensors_of(path):
    return {t.name: t for t in gguf.GGUFReader(path).tensors}


def floats_of(tensor):
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return values.reshape(tensor.shape[::-1]).astype(np.float64)


@pytest.mark.parametrize("name", ["plm", "llama"])
@pytest.mark.parametrize("tensor_type", ["F32", "F16", "Q8_0", "Q4_0"])
def test_merging_keeps_types_and_all_that_is_not_changed(plm, tmp_path, name, tensor_type):
    model = write_model(plm, tmp_path, name, tensor_type)
    paths, changes = write_two_adapters(tmp_path, model, ["attn_output", "ffn_down"])
    merged = tmp_path / "merged.gguf"
    assert plm.ok("export-lora", "-m", model, *flags_of(paths), "-o", merged).decode().strip() == str(merged)
    before, after = tensors_of(model), tensors_of(merged)
    assert list(before) == list(after)
    n_changed = 0
    for tensor_name, tensor in before.items():
        assert after[tensor_name].tensor_type == tensor.tensor_type
        if tensor_name not in changes:
            assert (after[tensor_name].data == tensor.data).all()
            continue
        n_changed += 1
        wanted = (floats_of(tensor) + sum(changes[tensor_name])).astype(np.float32)
        rounded = gguf.quants.dequantize(gguf.quants.quantize(wanted, tensor.tensor_type), tensor.tensor_type)
        # The last bit of a sum may decide how a number is rounded, but for a few only.
        found = floats_of(after[tensor_name])
        if tensor_type == "F32":
            assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()
        else:
            assert rms(found - wanted) <= 1.001 * rms(rounded.reshape(wanted.shape) - wanted)
    assert n_changed == len(changes) > 0
    keys = [f for f in gguf.GGUFReader(model).fields if not f.startswith("GGUF.")]
    for key in keys:
        old, new = (gguf.GGUFReader(path).get_field(key).contents() for path in (model, merged))
        assert old == new, key


@pytest.mark.parametrize("out_type", ["f32", "f16", "bf16", "q8_0", "q4_k_m"])
def test_a_merged_file_of_any_type_says_what_the_adapter_said(plm, llama_logits, tmp_path, out_type):
    model = write_model(plm, tmp_path, "plm")
    paths, _ = write_two_adapters(tmp_path, model, LAYER_PARTS)
    merged = tmp_path / "merged.gguf"
    plm.ok("export-lora", "-m", model, *flags_of(paths), "-o", merged, "--outtype", out_type, "-t", 2)
    at_run_time, _ = plm.logits(model, IDS, tmp_path, "-ctk", "f32", "-b", "1", *flags_of(paths))
    ours, _ = plm.logits(merged, IDS, tmp_path, "-ctk", "f32", "-b", "1")
    # Against the same numbers rounded by the reference quantiser of the gguf package or plm quantize.
    if out_type == "f32":
        agree(ours, at_run_time)
    else:
        exact_file, rounded_file = tmp_path / "exact.gguf", tmp_path / "rounded.gguf"
        plm.ok("export-lora", "-m", model, *flags_of(paths), "-o", exact_file)
        plm.ok("quantize", exact_file, rounded_file, out_type)
        rounded, _ = plm.logits(rounded_file, IDS, tmp_path, "-ctk", "f32", "-b", "1")
        assert rms(ours - at_run_time) <= 1.05 * rms(rounded - at_run_time) + 1e-4 * rms(at_run_time)
    assert rms(llama_logits(merged, IDS) - ours) <= 0.1 * rms(ours)


def test_every_command_that_runs_a_model_takes_adapters(plm, bundled_model, tmp_path):
    pairs = random_pairs(bundled_model, LAYER_PARTS, 4, 1, 1.0)
    adapter = write_gguf_adapter(tmp_path / "adapter.gguf", "plm", pairs)
    how = ("-m", bundled_model, "--lora", adapter)
    plain = ("-m", bundled_model)
    written = ("-p", "Once upon a time", "-n", 16, "--temp", 0)
    assert plm.ok("run", *how, *written) != plm.ok("run", *plain, *written)
    assert plm.ok("chat", *how, "-n", 5, input=b"hello\n")
    scored = [json.loads(plm.ok("score", *x, "--text", "Once upon a time"))["logprobs"] for x in (how, plain)]
    assert scored[0] != scored[1]
    text = tmp_path / "text"
    text.write_text("Once upon a time there was a fox who lived in a wood. " * 30)
    assert plm.ok("perplexity", *how, "-f", text, "-c", 64) != plm.ok("perplexity", *plain, "-f", text, "-c", 64)
    rows = json.loads(plm.ok("bench", *how, "-p", 8, "-n", 4, "-r", 1, "-o", "json"))
    assert len(rows) == 2
    plm.ok("imatrix", *how, "-f", text, "-o", tmp_path / "imatrix.gguf", "-c", 64)


def refusal(plm, *arguments, code=1):
    result = plm.run(*arguments)
    assert result.returncode == code, result
    assert result.stderr.count(b"\n") == 1, result.stderr
    return result.stderr.decode()


def test_bad_adapters_are_refused_in_one_line(plm, tmp_path):
    model = write_model(plm, tmp_path, "plm")
    pairs = random_pairs(model, ["blk.0.attn_output"], 4, 1)
    (name,) = pairs
    a, b = pairs[name]
    path = tmp_path / "bad.gguf"

    def refused(architecture="plm", changed=None, **how):
        write_gguf_adapter(path, architecture, pairs if changed is None else changed, **how)
        lines = {
            refusal(plm, "run", "-m", model, "-p", "a", "-n", 1, "--lora", path),
            refusal(plm, "export-lora", "-m", model, "--lora", path, "-o", tmp_path / "out.gguf"),
        }
        assert len(lines) == 1, lines  # the same words, running and merging
        return lines.pop()

    assert 'general.architecture: found "llama", expected "plm"' in refused("llama")
    assert 'general.type: found "model", expected "adapter"' in refused(keys={"general.type": "model"})
    assert 'adapter.type: found "control", expected "lora"' in refused(keys={"adapter.type": "control"})
    assert "key adapter.type" in refused(keys={"adapter.type": None})
    assert f"tensor {name}.lora_a: found without its other half" in refused(changed={name: (a, None)})
    assert f"tensor {name}.lora_b: found without its other half" in refused(changed={name: (None, b)})
    assert "shape: found a change of [" in refused(changed={name: (a[:, :-32], b)})
    assert "shape: found a change of [" in refused(changed={name: (a, b[:-1])})
    assert "rank: found 4 in A and 3 in B" in refused(changed={name: (a, b[:, :3])})
    assert "no matrix of that name" in refused(changed={"blk.9.attn_output.weight": (a, b)})
    assert "no matrix of that name" in refused(changed={"blk.0.attn_norm.weight": (a, b)})
    assert "no matrix of that name" in refused(changed={"output.weight": (a, b)})
    assert "output matrix too" in refused(changed={"token_embd.weight": (a, b)})
    assert "found no tensors" in refused(changed={})
    with_nan = a.copy()
    with_nan[1, 2] = np.nan
    assert "found 1 numbers that are not finite" in refused(changed={name: (with_nan, b)})

    write_gguf_adapter(path, "plm", pairs)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 100])
    assert str(path) in refusal(plm, "run", "-m", model, "-p", "a", "--lora", path)
    path.write_bytes(b"neither")
    assert "expected an adapter" in refusal(plm, "run", "-m", model, "-p", "a", "--lora", path)
    assert "No such file" in refusal(plm, "run", "-m", model, "-p", "a", "--lora", tmp_path / "none")
    assert "no adapter" in refusal(plm, "export-lora", "-m", model, "-o", tmp_path / "out.gguf", code=2)
    assert not (tmp_path / "out.gguf").exists()


def test_peft_adapters_that_do_more_are_refused_by_what_they_do(plm, tmp_path):
    weights = folders.make_weights("llama")
    folders.write_folder(tmp_path / "base", "llama", weights)
    model = tmp_path / "base.gguf"
    plm.ok("convert", tmp_path / "base", model, "--outtype", "f32")
    module = "model.layers.0.self_attn.q_proj"
    a, b = random_pair(weights[module + ".weight"].shape, 4, np.random.default_rng(1))
    folder = tmp_path / "adapter"

    def refused(pairs=None, rank=4, **fields):
        write_peft(folder, {module: (a, b)} if pairs is None else pairs, rank, **fields)
        return refusal(plm, "run", "-m", model, "-p", "a", "-n", 1, "--lora", folder)

    for field, value in [
        ("bias", "all"),
        ("use_dora", True),
        ("fan_in_fan_out", True),
        ("lora_bias", True),
        ("modules_to_save", ["lm_head"]),
        ("rank_pattern", {"q_proj": 2}),
        ("alpha_pattern", {"q_proj": 2}),
        ("layer_replication", [[0, 2]]),
        ("init_lora_weights", "pissa"),
        ("peft_type", "LOHA"),
        ("lora_alpha", "much"),
    ]:
        assert f"adapter_config.json: field {field}: found" in refused(**{field: value})
    assert "field r: found 0" in refused(rank=0)
    assert "shape: found [4, 64], expected [3, 64]" in refused(rank=3)
    assert "shape: found" in refused({module: (a, b[:-1])})
    assert "without its other half" in refused({module: (a, None)})
    assert "has no such matrix" in refused({"model.layers.2.self_attn.q_proj": (a, b)})
    assert "has no such matrix" in refused({"model.layers.0.input_layernorm": (a, b)})
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"pickle")
    assert "a pickle" in refusal(plm, "run", "-m", model, "-p", "a", "-n", 1, "--lora", folder)
    (folder / "adapter_config.json").unlink()
    assert "adapter_config.json" in refusal(plm, "run", "-m", model, "-p", "a", "-n", 1, "--lora", folder)


def test_the_server_tells_of_its_adapters_and_changes_none(plm, bundled_model, tmp_path):
    pairs = random_pairs(bundled_model, ["ffn_up"], 2, 1)
    adapter = write_gguf_adapter(tmp_path / "a.gguf", architecture_of(bundled_model), pairs, alpha=4.0)
    with Server(plm, "--lora", adapter, "--lora-scaled", adapter, "0.5") as server:
        scales = [(one["id"], one["path"], one["scale"]) for one in server.ok("/lora-adapters")]
        assert scales == [(0, str(adapter), 1.0), (1, str(adapter), 0.5)]
        for path, body in (("/lora-adapters", [{"id": 0, "scale": 0.0}]), ("/props", {"chat_template": "x"})):
            status, reply, _ = server.ask(path, body)
            assert status == 405 and "while the server runs" in reply["error"]["message"]
        ask = {"prompt": "a", "n_predict": 1}
        status, reply, _ = server.ask("/completion", ask | {"lora": [{"id": 0, "scale": 2}]})
        assert status == 400 and reply["error"]["message"].startswith("field lora:")
        server.ok("/completion", ask | {"lora": []})
    with Server(plm) as plain:
        assert plain.ok("/lora-adapters") == []
