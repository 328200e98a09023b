#!/usr/bin/env python3
"""Tokens per second of plm-train beside PyTorch on the same model, in turns: tools/train_speed.py TOKENIZER_FOLDER

    tools/train_speed.py ../shared/models/story-7m --sizes 1M,5M,15M
    tools/train_speed.py ../shared/models/story-7m --sizes 1.8B --device cuda --compiled --program build/bin/plm-train

Run with the Python that has torch (.venv-train). Both sides train on random rows of the same size with AdamW, clipping
and bf16; PyTorch is written as people write it: autocast, scaled_dot_product_attention, fused AdamW. Each turn is a
process of its own; the median of each side is printed. On a GPU plm-train's share of the measured peak is printed too
(`mfu` of its log).
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Shape:
    width: int
    layers: int
    heads: int
    nope: int = 32
    rope: int = 16
    value: int = 32
    rank: int = 0  # 0: half the width
    row: int = 256
    rows: int = 8
    vocabulary: int = 4096
    parts: int = 1  # backward passes of an update


SHAPES = {  # about 1, 5 and 15 million weights without the embedding, and the paper's model
    "1M": Shape(128, 6, 4),
    "5M": Shape(256, 7, 8),
    "15M": Shape(384, 9, 12),
    "1.8B": Shape(2048, 32, 16, 128, 64, 128, 512, row=4096, rows=2, vocabulary=151936),
}


def config(shape):
    return dict(
        architectures=["PLMForCausalLM"], model_type="plm", vocab_size=shape.vocabulary, hidden_size=shape.width,
        intermediate_size=4 * shape.width, num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads, kv_lora_rank=shape.rank or shape.width // 2, q_lora_rank=None,
        qk_nope_head_dim=shape.nope, qk_rope_head_dim=shape.rope, v_head_dim=shape.value, hidden_act="relu2",
        max_position_embeddings=shape.row, rms_norm_eps=1e-6,
        tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=None, rope_interleave=True, attention_bias=False,
        attention_dropout=0.0, initializer_range=0.02, bos_token_id=0, eos_token_id=0)


def pytorch(shape, steps, threads, device, compiled):
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    torch.set_default_device(device)
    width, layers, heads, row = shape.width, shape.layers, shape.heads, shape.row
    nope, rope, value, rank = shape.nope, shape.rope, shape.value, shape.rank or shape.width // 2
    angle = torch.outer(torch.arange(row).float(), 10000.0 ** (-torch.arange(0, rope, 2).float() / rope))
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    # CPUs have fast attention for values as wide as keys only.
    padding = nope + rope - value if device == "cpu" else 0

    def rotate(x):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.cat((a * cosine - b * sine, a * sine + b * cosine), -1).to(x.dtype)

    def linear(n_in, n_out):
        layer = nn.Linear(n_in, n_out, bias=False)
        nn.init.normal_(layer.weight, std=0.02)
        return layer

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2, self.norm_kv = nn.RMSNorm(width), nn.RMSNorm(width), nn.RMSNorm(rank)
            self.q, self.kv_a = linear(width, heads * (nope + rope)), linear(width, rank + rope)
            self.kv_b, self.o = linear(rank, heads * (nope + value)), linear(heads * value, width)
            self.up, self.down = linear(width, 4 * width), linear(4 * width, width)

        def forward(self, x):
            B, T, _ = x.shape
            h = self.norm1(x)
            q = self.q(h).view(B, T, heads, nope + rope)
            latent, k_rope = self.kv_a(h).split((rank, rope), -1)
            kv = self.kv_b(self.norm_kv(latent)).view(B, T, heads, nope + value)
            q = torch.cat((q[..., :nope], rotate(q[..., nope:])), -1)
            k = torch.cat((kv[..., :nope], rotate(k_rope[:, :, None]).expand(B, T, heads, rope)), -1)
            v = F.pad(kv[..., nope:], (0, padding)) if padding else kv[..., nope:]
            y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
            x = x + self.o(y.transpose(1, 2)[..., :value].reshape(B, T, -1))
            return x + self.down(F.relu(self.up(self.norm2(x))).square())

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(shape.vocabulary, width)
            nn.init.normal_(self.embedding.weight, std=0.02)
            self.blocks, self.norm = nn.ModuleList(Block() for _ in range(layers)), nn.RMSNorm(width)

        def forward(self, ids, labels):
            x = self.embedding(ids)
            for block in self.blocks:
                x = block(x)
            logits = F.linear(self.norm(x), self.embedding.weight)
            return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten())

    model = Model()
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    ids = torch.randint(shape.vocabulary, (shape.rows, row + 1))
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        for _ in range(shape.parts):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = run(ids[:, :-1], ids[:, 1:]) / shape.parts
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return shape.parts * shape.rows * row / statistics.median(times[3:])


def plm_train(program, folder, shape, steps, threads, device):
    """Tokens per second and share of the peak (0 to 1) of the steps after the first three."""
    (folder / "config.json").write_text(json.dumps(config(shape)))
    shutil.rmtree(folder / "out", ignore_errors=True)
    settings = dict(
        stage="pt", model_name_or_path=str(folder), train_files=[str(folder / "text.txt")], cutoff_len=shape.row,
        tokenized_path=str(folder / "data"), per_device_train_batch_size=shape.rows,
        gradient_accumulation_steps=shape.parts, max_steps=10**6,
        learning_rate=1e-3, lr_scheduler_type="constant", bf16=True, logging_steps=3, save_steps=10**6,
        threads=threads, device=device, plot_loss=False, report_to="none", output_dir=str(folder / "out"))
    (folder / "run.yaml").write_text(json.dumps(settings))
    lines, speeds, shares = [], [], []
    # It is stopped without a last checkpoint, which of the largest model is 22 GB.
    with subprocess.Popen([program, folder / "run.yaml"], stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            lines.append(line)
            if found := re.search(r"(\d+) tok/s  mfu ([\d.]+)%", line):
                speeds.append(int(found[1]))
                shares.append(float(found[2]) / 100)
            if 3 * len(speeds) >= steps:
                running.kill()
                break
    if len(speeds) < 2:
        sys.exit("".join(lines))
    return statistics.median(speeds[1:]), statistics.median(shares[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path, help="folder with a tokenizer.json of at most 4,096 tokens")
    parser.add_argument("--sizes", default="1M,5M,15M", help="of " + ", ".join(SHAPES))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rows", type=int, help="rows of a step; the default is the size's")
    parser.add_argument("--parts", type=int, default=1, help="gradient accumulation: backward passes of an update")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--program", type=Path, default=ROOT / "build-train" / "bin" / "plm-train")
    parser.add_argument("--compiled", action="store_true", help="torch.compile as a third side (needs a C++ compiler)")
    parser.add_argument("--pytorch-once", nargs=2, help=argparse.SUPPRESS)  # SIZE KIND: one turn, in this process
    options = parser.parse_args()
    for shape in SHAPES.values():
        shape.rows = options.rows or shape.rows
        shape.parts = options.parts
    if options.pytorch_once:
        size, kind = options.pytorch_once
        print(pytorch(SHAPES[size], options.steps, options.threads, options.device, kind == "compiled"))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(options.tokenizer / file, folder / file)
        (folder / "text.txt").write_text("The quick brown fox jumps over the lazy dog, again and again. " * 20000)
        print("| weights | plm-train | share of the peak | PyTorch eager |" + (" compiled |" if options.compiled else ""))
        for size in options.sizes.split(","):
            shape = SHAPES[size]
            sides = {"plm": [], "share": [], "eager": []} | ({"compiled": []} if options.compiled else {})
            for _ in range(options.turns):
                speed, share = plm_train(
                    options.program, folder, shape, options.steps, options.threads, options.device)
                sides["plm"].append(speed)
                sides["share"].append(100 * share)
                for side in [name for name in sides if name in ("eager", "compiled")]:
                    command = [sys.executable, __file__, str(options.tokenizer), "--pytorch-once", size, side,
                               "--steps", str(options.steps), "--threads", str(options.threads),
                               "--device", options.device, "--rows", str(shape.rows), "--parts", str(shape.parts)]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    if done.returncode != 0:
                        sys.exit(done.stderr)
                    sides[side].append(float(done.stdout))
            figures = {side: statistics.median(values) for side, values in sides.items()}
            print(f"| {size} | " + " | ".join(
                f"{value:.1f} %" if side == "share" else f"{value:.0f}" for side, value in figures.items()) + " |",
                flush=True)


if __name__ == "__main__":
    main()
