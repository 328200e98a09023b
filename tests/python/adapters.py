"""LoRA adapters of random numbers in the forms the world has, and models with them merged by plain arithmetic."""

import json

import gguf
import numpy as np
from safetensors.numpy import save_file


def random_pair(shape, rank, random, strength=0.15):
    """A [rank, columns] and B [rows, rank] whose product is about `strength` times a random matrix."""
    rows, columns = shape
    a = random.standard_normal((rank, columns)) / np.sqrt(columns)
    b = strength * random.standard_normal((rows, rank)) / np.sqrt(rank)
    return a.astype(np.float32), b.astype(np.float32)


def matrices_of(model, parts):
    """name -> (rows, columns) of the matrices of a GGUF file whose names hold one of `parts`."""
    return {
        t.name: (int(t.shape[1]), int(t.shape[0]))
        for t in gguf.GGUFReader(model).tensors
        if len(t.shape) == 2 and any(part in t.name for part in parts)
    }


def random_pairs(model, parts, rank, seed, strength=0.15):
    random = np.random.default_rng(seed)
    return {
        name: random_pair(shape, rank, random, strength) for name, shape in matrices_of(model, parts).items()
    }


def write_gguf_adapter(path, architecture, pairs, alpha=16.0, dtype=np.float32, keys=None):
    """As llama.cpp's convert_lora_to_gguf.py writes it: of an embedding A is transposed."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in {"general.type": "adapter", "adapter.type": "lora", **(keys or {})}.items():
        if value is not None:
            writer.add_string(key, value)
    if alpha is not None:
        writer.add_float32("adapter.lora.alpha", alpha)
    for name, (a, b) in pairs.items():
        if a is not None:
            a = a.T if name == "token_embd.weight" else a
            writer.add_tensor(name + ".lora_a", np.ascontiguousarray(a.astype(dtype)))
        if b is not None:
            writer.add_tensor(name + ".lora_b", np.ascontiguousarray(b.astype(dtype)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def change(pair, scale, dtype=np.float32):
    """scale B A of one pair, in float64."""
    a, b = (x.astype(dtype).astype(np.float64) for x in pair)
    return scale * b @ a


def embedding_change(pair, scale, dtype=np.float32):
    """The same of an embedding's pair (A [rank, tokens], B [width, rank]): a row for each token."""
    a, b = (x.astype(dtype).astype(np.float64) for x in pair)
    return scale * a.T @ b.T


def changes_of(pairs, alpha=16.0, strength=1.0, dtype=np.float32):
    """name -> what an adapter of write_gguf_adapter adds when applied `strength` times."""
    return {
        name: (embedding_change if name == "token_embd.weight" else change)(
            pair, strength * alpha / pair[1].shape[1], dtype
        )
        for name, pair in pairs.items()
    }


def write_peft(folder, pairs, rank, alpha=16, dtype=np.float32, **fields):
    """What peft's save_pretrained writes; pairs by module name in the Hugging Face model."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for module, (a, b) in pairs.items():
        at = f"base_model.model.{module}."
        is_embedding = module.endswith("embed_tokens")
        names = ("lora_embedding_A", "lora_embedding_B") if is_embedding else ("lora_A.weight", "lora_B.weight")
        for name, x in zip(names, (a, b), strict=True):
            if x is not None:
                tensors[at + name] = np.ascontiguousarray(x.astype(dtype))
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "some/base",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.05,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "target_modules": sorted({module.rsplit(".", 1)[-1] for module in pairs}),
        "use_dora": False,
        "use_rslora": False,
        "inference_mode": True,
        **fields,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
