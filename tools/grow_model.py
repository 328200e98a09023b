#!/usr/bin/env python3
"""Writes a PLM that costs what a large one costs and says what a small one says.

    python3 tools/grow_model.py models/story-7m-f16.gguf grown.gguf        # the shape of PLM-1.8B, F16

The small model's weights lie in the corners of larger matrices; all else adds zero to the residual stream, but is
there to be read and multiplied: filled neurons fire as often as `--live` says. For measurements of speculative decoding, where a
model of random weights agrees with nobody: the small model, quantised or not, is a draft model of the grown one.
"""

import argparse
import sys

import gguf
import numpy as np


def numbers(tensor):
    """[rows][columns] as float32."""
    return tensor.data.astype(np.float32)


class Shape:
    """The sizes of a PLM; letters as in docs/dimensions.md."""

    def __init__(self, layers, width, ffn, heads, latent, nope, rope, value):
        self.L, self.D, self.F, self.H, self.C, self.N, self.R, self.V = (
            layers, width, ffn, heads, latent, nope, rope, value)  # fmt: skip
        self.Q = nope + rope

    @classmethod
    def of(cls, fields):
        rope = fields["rope.dimension_count"]
        return cls(fields["block_count"], fields["embedding_length"], fields["feed_forward_length"],
                   fields["attention.head_count"], fields["attention.kv_lora_rank"],
                   fields["attention.key_length"] - rope, rope, fields["attention.value_length"])  # fmt: skip


class Growing:
    def __init__(self, tensors, small, big, live, seed):
        self.tensors, self.s, self.b, self.live = tensors, small, big, live
        self.random = np.random.default_rng(seed)
        s, b = small, big
        # A pair of rotated numbers keeps its frequency: theta^(-2i/R) is that of pair i times R'/R.
        step = b.R // s.R
        rope = np.array([2 * step * (i // 2) + i % 2 for i in range(s.R)])
        self.query = np.concatenate([h * b.Q + np.concatenate([np.arange(s.N), b.N + rope]) for h in range(s.H)])
        self.latent = np.concatenate([np.arange(s.C), b.C + rope])
        self.key_value = np.concatenate(
            [h * (b.N + b.V) + np.concatenate([np.arange(s.N), b.N + np.arange(s.V)]) for h in range(s.H)]
        )
        self.value = np.concatenate([h * b.V + np.arange(s.V) for h in range(s.H)])

    def filling(self, rows, columns, share=1.0):
        """Random rows, of which this share is not zero."""
        made = self.random.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(columns))
        made[self.random.random(rows) >= share] = 0
        return made

    def norm(self, values, size):
        # The mean is now over more numbers, most of them zero.
        grown = np.ones(size, dtype=np.float32)
        grown[: values.size] = values * np.sqrt(values.size / size)
        return grown

    def layer(self, i):
        """(name, numbers) of a layer's tensors."""
        s, b = self.s, self.b
        name = f"blk.{i}."
        up = self.filling(b.F, b.D, 2 * self.live)
        # What the small model does not fill: queries and latents that are computed and come to nothing.
        q, kv_a = self.filling(b.H * b.Q, b.D), self.filling(b.C + b.R, b.D)
        kv_b = self.filling(b.H * (b.N + b.V), b.C)
        out, down = np.zeros((b.D, b.H * b.V), np.float32), np.zeros((b.D, b.F), np.float32)
        norms = {key: np.ones(size, np.float32) for key, size in
                 (("attn_norm", b.D), ("attn_kv_a_norm", b.C), ("ffn_norm", b.D))}  # fmt: skip
        if i < s.L:
            small = {key: numbers(self.tensors[f"{name}{key}.weight"]) for key in (
                "attn_q", "attn_kv_a_mqa", "attn_kv_b", "attn_output", "ffn_up", "ffn_down", *norms)}  # fmt: skip
            norms = {key: self.norm(small[key], norms[key].size) for key in norms}
            # Only the first width columns of the stream are not zero, so rows need no cleaning but in what is kept.
            q[: s.H * b.Q], kv_a[:], kv_b[: s.H * (b.N + b.V)] = 0, 0, 0
            q[self.query, : s.D] = small["attn_q"] * np.sqrt(b.Q / s.Q)
            kv_a[self.latent, : s.D] = small["attn_kv_a_mqa"]
            kv_b[self.key_value, : s.C] = small["attn_kv_b"]
            out[: s.D, self.value] = small["attn_output"]
            up[: s.F] = 0
            up[: s.F, : s.D] = small["ffn_up"]
            down[: s.D, : s.F] = small["ffn_down"]
        for key, values in norms.items():
            yield f"{name}{key}.weight", values
        for key, values in (("attn_q", q), ("attn_kv_a_mqa", kv_a), ("attn_kv_b", kv_b), ("attn_output", out),
                            ("ffn_up", up), ("ffn_down", down)):  # fmt: skip
            yield f"{name}{key}.weight", values.astype(np.float16)

    def all(self):
        embedding = np.zeros((self.tensors["token_embd.weight"].data.shape[0], self.b.D), np.float16)
        embedding[:, : self.s.D] = numbers(self.tensors["token_embd.weight"])
        yield "token_embd.weight", embedding
        for i in range(self.b.L):
            yield from self.layer(i)
        yield "output_norm.weight", self.norm(numbers(self.tensors["output_norm.weight"]), self.b.D)


def write(path, reader, growing):
    s, b = growing.s, growing.b
    writer = gguf.GGUFWriter(path, "plm")
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    epsilon = fields["plm.attention.layer_norm_rms_epsilon"] * s.D / b.D
    changed = {
        "general.name": f"{fields['general.name']}-grown", "plm.block_count": b.L, "plm.embedding_length": b.D,
        "plm.feed_forward_length": b.F, "plm.attention.head_count": b.H, "plm.attention.head_count_kv": b.H,
        "plm.attention.kv_lora_rank": b.C, "plm.attention.key_length": b.Q, "plm.attention.value_length": b.V,
        "plm.rope.dimension_count": b.R, "plm.attention.layer_norm_rms_epsilon": epsilon}  # fmt: skip
    for key, field in reader.fields.items():
        if key in fields and key != "general.architecture":
            sub_type = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(key, changed.get(key, fields[key]), field.types[0], sub_type)
    for name, values in growing.all():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small")
    parser.add_argument("grown")
    parser.add_argument("--shape", default="32,2048,8192,16,512,128,64,128",
                        help="layers, width, neurons, heads, latent, no-rope, rope and value width")
    parser.add_argument("--live", type=float, default=0.1, help="share of the filled neurons that fire")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    reader = gguf.GGUFReader(options.small)
    fields = {key[4:]: field.contents() for key, field in reader.fields.items() if key.startswith("plm.")}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    small, big = Shape.of(fields), Shape(*map(int, options.shape.split(",")))
    if any(getattr(big, x) < getattr(small, x) for x in "LDFHCNRV") or big.R % small.R:
        sys.exit(f"{options.small}: does not fit into {options.shape}")
    if "output.weight" in tensors or any(t.tensor_type > gguf.GGMLQuantizationType.F16 for t in reader.tensors):
        sys.exit(f"{options.small}: expected F32 or F16 tensors and a tied output")
    write(options.grown, reader, Growing(tensors, small, big, options.live, options.seed))


if __name__ == "__main__":
    main()
