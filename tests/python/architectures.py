"""Tiny models of random weights of every architecture beside PLM, as llama.cpp's converter names things."""

import gguf
import numpy as np

VOCABULARY = 320


def _byte_tokens():
    """How byte-level BPE writes the 256 bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(0x100 + i) for i in range(len(rest))]


def _add_vocabulary(writer):
    tokens = [*_byte_tokens(), "th", "the", "in", "an"]
    tokens += [f"<|extra_{i}|>" for i in range(VOCABULARY - len(tokens))]
    types = [1 if not t.startswith("<|extra") else 3 for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["t h", "th e", "i n", "a n"])
    writer.add_bos_token_id(VOCABULARY - 1)
    writer.add_eos_token_id(VOCABULARY - 2)
    writer.add_add_bos_token(False)


class Shape:
    """Sizes of a tiny model; the defaults suit all formats whose blocks are 32 numbers."""

    def __init__(self, **changes):
        self.layers, self.width, self.ffn, self.heads, self.kv_heads = 3, 128, 192, 4, 2
        self.head_width = None  # width / heads unless said
        self.base = 10000.0
        self.tied = True
        self.factors = None  # of Llama 3's rope
        self.biases = False
        self.keys = {}  # more numbers: name -> float
        for name, value in changes.items():
            if not hasattr(self, name):
                raise ValueError(name)
            setattr(self, name, value)

    @property
    def q_width(self):
        return self.head_width or self.width // self.heads


def write_gqa(path, architecture, shape=None, tensor_type="F32", seed=1, head_norms=False):
    """A model of the family Llama, Qwen, MiniCPM."""
    s = shape or Shape()
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"tiny-{architecture}")
    writer.add_context_length(1024)
    writer.add_embedding_length(s.width)
    writer.add_block_count(s.layers)
    writer.add_feed_forward_length(s.ffn)
    writer.add_head_count(s.heads)
    writer.add_head_count_kv(s.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(s.base)
    writer.add_rope_dimension_count(s.q_width)
    if s.head_width:
        writer.add_key_length(s.q_width)
        writer.add_value_length(s.q_width)
    for key, value in s.keys.items():
        writer.add_float32(f"{architecture}.{key}", value)
    _add_vocabulary(writer)

    def matrix(name, rows, columns, gain=1.0):
        values = random.standard_normal((rows, columns)).astype(np.float32) * gain / np.sqrt(columns)
        kind = gguf.GGMLQuantizationType[tensor_type]
        if tensor_type in ("F32", "F16"):
            writer.add_tensor(name, values.astype(np.float32 if tensor_type == "F32" else np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def norm(name, n):
        writer.add_tensor(name, (1 + 0.2 * random.standard_normal(n)).astype(np.float32))

    def bias(name, n):
        writer.add_tensor(name, (0.5 * random.standard_normal(n)).astype(np.float32))

    q_rows, kv_rows = s.heads * s.q_width, s.kv_heads * s.q_width
    matrix("token_embd.weight", VOCABULARY, s.width, 4.0)
    norm("output_norm.weight", s.width)
    if not s.tied:
        matrix("output.weight", VOCABULARY, s.width, 3.0)
    if s.factors is not None:
        writer.add_tensor("rope_freqs.weight", np.asarray(s.factors, np.float32))
    for i in range(s.layers):
        at = f"blk.{i}."
        norm(at + "attn_norm.weight", s.width)
        for part, rows in (("q", q_rows), ("k", kv_rows), ("v", kv_rows)):
            matrix(f"{at}attn_{part}.weight", rows, s.width)
            if s.biases:
                bias(f"{at}attn_{part}.bias", rows)
        if head_norms:
            norm(at + "attn_q_norm.weight", s.q_width)
            norm(at + "attn_k_norm.weight", s.q_width)
        matrix(at + "attn_output.weight", s.width, q_rows)
        norm(at + "ffn_norm.weight", s.width)
        matrix(at + "ffn_gate.weight", s.ffn, s.width)
        matrix(at + "ffn_up.weight", s.ffn, s.width)
        matrix(at + "ffn_down.weight", s.width, s.ffn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _llama3_factors(width):
    return np.linspace(1.0, 8.0, width // 2)


# name -> what writes it: every way in which the architectures differ.
MODELS = {
    "llama": lambda path, **how: write_gqa(path, "llama", Shape(tied=False), **how),
    "llama-3": lambda path, **how: write_gqa(
        path, "llama", Shape(base=500000.0, factors=_llama3_factors(32)), **how
    ),
    "smollm2": lambda path, **how: write_gqa(path, "llama", Shape(kv_heads=4, base=130000.0), **how),
    "qwen2": lambda path, **how: write_gqa(
        path, "qwen2", Shape(heads=6, width=192, biases=True, base=1e6), **how
    ),
    "minicpm": lambda path, **how: write_gqa(
        path,
        "minicpm",
        Shape(kv_heads=4, keys={"embedding_scale": 1.7, "residual_scale": 0.6, "logit_scale": 2.5}),
        **how,
    ),
    # Its defaults; at this width the logits' scale is 1, which llama.cpp takes the wrong way round.
    "minicpm-without-keys": lambda path, **how: write_gqa(
        path, "minicpm", Shape(kv_heads=4, width=256), **how
    ),
    "qwen3": lambda path, **how: write_gqa(
        path, "qwen3", Shape(head_width=64, base=1e6), head_norms=True, **how
    ),
}
