"""Small Hugging Face folders of random weights, and what transformers computes of them, in numpy.

The forward pass is written from the definition of each model class in transformers (rotate_half and all), so that a
wrong order of rows after conversion shows in the logits.
"""

import json

import numpy as np
from safetensors.numpy import save_file

WIDTH, HEADS, KV_HEADS, HEAD, FFN, LAYERS, VOCABULARY = 64, 4, 2, 16, 128, 2, 320
LATENT, NOPE, ROPE, VALUE = 32, 16, 8, 16

COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": FFN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "torch_dtype": "float32",
}
LLAMA3_ROPE = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}
CONFIGS = {
    "plm": {
        "architectures": ["PLMForCausalLM"],
        "model_type": "plm",
        "num_key_value_heads": HEADS,
        "kv_lora_rank": LATENT,
        "q_lora_rank": None,
        "qk_nope_head_dim": NOPE,
        "qk_rope_head_dim": ROPE,
        "v_head_dim": VALUE,
        "hidden_act": "relu2",
        "rope_interleave": True,
        "tie_word_embeddings": True,
    },
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu"},
    "llama-tied-rope3": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": True,
        "rope_scaling": LLAMA3_ROPE,
        "rope_theta": 500000.0,
    },
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu"},
    "qwen3": {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_act": "silu",
        "head_dim": 24,
        "tie_word_embeddings": True,
    },
    "minicpm": {
        "architectures": ["MiniCPMForCausalLM"],
        "model_type": "minicpm",
        "hidden_act": "silu",
        "scale_emb": 12,
        "scale_depth": 1.4,
        "dim_model_base": 32,
    },
}


def byte_alphabet():
    """GPT-2's: byte -> visible character."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in plain}
    for n, b in enumerate(b for b in range(256) if b not in table):
        table[b] = chr(256 + n)
    return table


QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer_json(merges=("Ġ t", "h e", "Ġt he"), normalizer=None, special_first=True):
    """Special tokens before the merged ones and in the vocabulary, as SmolLM's; or apart and last, as Qwen's."""
    vocab = {character: byte for byte, character in byte_alphabet().items()}
    names = ["<|endoftext|>", "<|im_end|>", "<tool>"]
    if special_first:
        vocab.update({name: len(vocab) + i for i, name in enumerate(names)})
    for merge in merges:
        vocab[merge.replace(" ", "")] = len(vocab)
    added = [
        {"id": vocab.get(name, len(vocab) + i), "content": name, "special": name != "<tool>", "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
        for i, name in enumerate(names)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                  "merges": list(merges)},
    }  # fmt: skip


def full_config(kind):
    return {**COMMON, **CONFIGS[kind]}


def make_weights(kind, seed=1):
    c = full_config(kind)
    rng = np.random.default_rng(seed)

    def matrix(rows, cols):
        return (rng.standard_normal((rows, cols)) * 1.5 / np.sqrt(cols)).astype(np.float32)

    def norm(n):
        return (1 + 0.1 * rng.standard_normal(n)).astype(np.float32)

    def bias(n):
        return (0.3 * rng.standard_normal(n)).astype(np.float32)

    head = c.get("head_dim", HEAD)
    weights = {"model.embed_tokens.weight": matrix(VOCABULARY, WIDTH), "model.norm.weight": norm(WIDTH)}
    if not c.get("tie_word_embeddings", kind == "minicpm"):
        weights["lm_head.weight"] = matrix(VOCABULARY, WIDTH)
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        weights[p + "input_layernorm.weight"] = norm(WIDTH)
        weights[p + "post_attention_layernorm.weight"] = norm(WIDTH)
        weights[p + "mlp.up_proj.weight"] = matrix(FFN, WIDTH)
        weights[p + "mlp.down_proj.weight"] = matrix(WIDTH, FFN)
        if kind == "plm":
            weights[p + "self_attn.q_proj.weight"] = matrix(HEADS * (NOPE + ROPE), WIDTH)
            weights[p + "self_attn.kv_a_proj_with_mqa.weight"] = matrix(LATENT + ROPE, WIDTH)
            weights[p + "self_attn.kv_a_layernorm.weight"] = norm(LATENT)
            weights[p + "self_attn.kv_b_proj.weight"] = matrix(HEADS * (NOPE + VALUE), LATENT)
            weights[p + "self_attn.o_proj.weight"] = matrix(WIDTH, HEADS * VALUE)
            continue
        weights[p + "mlp.gate_proj.weight"] = matrix(FFN, WIDTH)
        for name, n_heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            weights[p + f"self_attn.{name}_proj.weight"] = matrix(n_heads * head, WIDTH)
            if kind == "qwen2" or c.get("attention_bias"):
                weights[p + f"self_attn.{name}_proj.bias"] = bias(n_heads * head)
        weights[p + "self_attn.o_proj.weight"] = matrix(WIDTH, HEADS * head)
        if c.get("attention_bias"):
            weights[p + "self_attn.o_proj.bias"] = bias(WIDTH)
        if kind == "qwen3":
            weights[p + "self_attn.q_norm.weight"] = norm(head)
            weights[p + "self_attn.k_norm.weight"] = norm(head)
    return weights


def write_folder(folder, kind, weights=None, config=None, tokenizer=None):
    folder.mkdir(parents=True, exist_ok=True)
    weights = make_weights(kind) if weights is None else weights
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**full_config(kind), **(config or {})}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer or tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "chat_template": "{{ 1 }}"})
    )
    return folder


def frequencies(c, width):
    f = 1.0 / c["rope_theta"] ** (np.arange(0, width, 2) / width)
    s = c.get("rope_scaling")
    if not s:
        return f
    wavelength = 2 * np.pi / f
    old = s["original_max_position_embeddings"]
    low, high = s["low_freq_factor"], s["high_freq_factor"]
    smooth = (old / wavelength - low) / (high - low)
    out = np.where(wavelength > old / low, f / s["factor"], f)
    middle = (wavelength <= old / low) & (wavelength >= old / high)
    return np.where(middle, (1 - smooth) * f / s["factor"] + smooth * f, out)


def rotate_half(x, f):
    """transformers: x [T, heads, width]; number i turns with number i + width / 2."""
    angle = np.arange(x.shape[0])[:, None] * f
    cos, sin = (np.concatenate([g(angle)] * 2, axis=-1)[:, None, :] for g in (np.cos, np.sin))
    half = x.shape[-1] // 2
    return x * cos + np.concatenate([-x[..., half:], x[..., :half]], axis=-1) * sin


def rotate_pairs(x, f):
    """rope_interleave: number 2i turns with number 2i + 1. transformers sorts both halves out first."""
    return rotate_half(np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1), f)


def rms_norm(x, w, eps=1e-6):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * w


def attend(q, k, v):
    """[T, H, *] each; causal."""
    T, H, width = q.shape
    k, v = (np.repeat(x, H // x.shape[1], axis=1) for x in (k, v))
    scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(width)
    scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return np.einsum("hts,shv->thv", p, v).reshape(T, -1)


def attention(kind, c, w, x):
    T = x.shape[0]

    def project(name):
        out = x @ w(f"self_attn.{name}_proj.weight").T
        return out + w(f"self_attn.{name}_proj.bias") if w(f"self_attn.{name}_proj.bias") is not None else out

    if kind == "plm":
        f = frequencies(c, ROPE)
        q = project("q").reshape(T, HEADS, NOPE + ROPE)
        kv = x @ w("self_attn.kv_a_proj_with_mqa.weight").T
        latent = rms_norm(kv[:, :LATENT], w("self_attn.kv_a_layernorm.weight"))
        expanded = (latent @ w("self_attn.kv_b_proj.weight").T).reshape(T, HEADS, NOPE + VALUE)
        k_rope = np.repeat(rotate_pairs(kv[:, None, LATENT:], f), HEADS, axis=1)
        q = np.concatenate([q[..., :NOPE], rotate_pairs(q[..., NOPE:], f)], axis=-1)
        k = np.concatenate([expanded[..., :NOPE], k_rope], axis=-1)
        o = attend(q, k, expanded[..., NOPE:])
    else:
        head = c.get("head_dim", HEAD)
        f = frequencies(c, head)
        q, k, v = (project(n).reshape(T, -1, head) for n in "qkv")
        if kind == "qwen3":
            q, k = rms_norm(q, w("self_attn.q_norm.weight")), rms_norm(k, w("self_attn.k_norm.weight"))
        o = attend(rotate_half(q, f), rotate_half(k, f), v)
    out = o @ w("self_attn.o_proj.weight").T
    return out + w("self_attn.o_proj.bias") if w("self_attn.o_proj.bias") is not None else out


def logits(kind, weights, ids):
    """float64 [T, vocabulary]."""
    c = full_config(kind)
    weights = {k: v.astype(np.float64) for k, v in weights.items()}
    h = weights["model.embed_tokens.weight"][np.asarray(ids)] * c.get("scale_emb", 1)
    residual = c["scale_depth"] / np.sqrt(LAYERS) if kind == "minicpm" else 1
    for i in range(LAYERS):

        def w(name, prefix=f"model.layers.{i}."):
            return weights.get(prefix + name)

        h = h + residual * attention(kind, c, w, rms_norm(h, w("input_layernorm.weight")))
        x = rms_norm(h, w("post_attention_layernorm.weight"))
        up = x @ w("mlp.up_proj.weight").T
        if kind == "plm":
            a = np.maximum(up, 0) ** 2
        else:
            gate = x @ w("mlp.gate_proj.weight").T
            a = gate / (1 + np.exp(-gate)) * up
        h = h + residual * (a @ w("mlp.down_proj.weight").T)
    h = rms_norm(h, weights["model.norm.weight"])
    if kind == "minicpm":
        h = h / (WIDTH / c["dim_model_base"])
    return h @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T
