#!/usr/bin/env python3
"""Tokens per second of plm-train beside PyTorch on the same model, in turns: tools/train_speed.py TOKENIZER_FOLDER

Run with the Python that has torch (.venv-train). Both sides train on random rows of the same size with AdamW, clipping
and bf16; PyTorch is written as people write it: autocast, scaled_dot_product_attention, fused AdamW. Each turn is a
process of its own; the median of each side is printed.
"""

import argparse
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
SHAPES = {  # width, layers: about 1, 5 and 15 million weights without the embedding
    "1M": (128, 6),
    "5M": (256, 7),
    "15M": (384, 9),
}
ROW, ROWS, VOCABULARY = 256, 8, 4096


def config(width, layers):
    return dict(
        architectures=["PLMForCausalLM"], model_type="plm", vocab_size=VOCABULARY, hidden_size=width,
        intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=width // 32,
        num_key_value_heads=width // 32, kv_lora_rank=width // 2, q_lora_rank=None, qk_nope_head_dim=32,
        qk_rope_head_dim=16, v_head_dim=32, hidden_act="relu2", max_position_embeddings=ROW, rms_norm_eps=1e-6,
        tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=None, rope_interleave=True, attention_bias=False,
        attention_dropout=0.0, initializer_range=0.02, bos_token_id=0, eos_token_id=0)


def pytorch(width, layers, steps, threads, compiled):
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    c = config(width, layers)
    heads, nope, rope, value = c["num_attention_heads"], c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    rank = c["kv_lora_rank"]
    angle = torch.outer(torch.arange(ROW).float(), 10000.0 ** (-torch.arange(0, rope, 2).float() / rope))
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]

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
            v = F.pad(kv[..., nope:], (0, nope + rope - value))
            y = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
            x = x + self.o(y.transpose(1, 2)[..., :value].reshape(B, T, -1))
            return x + self.down(F.relu(self.up(self.norm2(x))).square())

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, width)
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
    ids = torch.randint(VOCABULARY, (ROWS, ROW + 1))
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = run(ids[:, :-1], ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - begin)
    return ROWS * ROW / statistics.median(times[3:])


def plm_train(folder, width, layers, steps, threads):
    (folder / "config.json").write_text(json.dumps(config(width, layers)))
    shutil.rmtree(folder / "out", ignore_errors=True)
    settings = dict(
        stage="pt", model_name_or_path=str(folder), train_files=[str(folder / "text.txt")], cutoff_len=ROW,
        tokenized_path=str(folder / "data"), per_device_train_batch_size=ROWS, max_steps=steps, learning_rate=1e-3,
        lr_scheduler_type="constant", bf16=True, logging_steps=3, save_steps=10**6, threads=threads,
        plot_loss=False, report_to="none", output_dir=str(folder / "out"))
    (folder / "run.yaml").write_text(json.dumps(settings))
    program = ROOT / "build-train" / "bin" / "plm-train"
    done = subprocess.run([program, folder / "run.yaml"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    speeds = [int(n) for n in re.findall(r"(\d+) tok/s", done.stderr)]
    return statistics.median(speeds[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path, help="folder with a tokenizer.json of at most 4,096 tokens")
    parser.add_argument("--sizes", default="1M,5M,15M")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--compiled", action="store_true", help="torch.compile as a third side (needs a C++ compiler)")
    parser.add_argument("--pytorch-once", nargs=2, help=argparse.SUPPRESS)  # SIZE KIND: one turn, in this process
    options = parser.parse_args()
    if options.pytorch_once:
        size, kind = options.pytorch_once
        print(pytorch(*SHAPES[size], options.steps, options.threads, kind == "compiled"))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(options.tokenizer / file, folder / file)
        (folder / "text.txt").write_text("The quick brown fox jumps over the lazy dog, again and again. " * 20000)
        print("| weights | plm-train | PyTorch eager |" + (" compiled |" if options.compiled else ""))
        for size in options.sizes.split(","):
            sides = {"plm": [], "eager": []} | ({"compiled": []} if options.compiled else {})
            for _ in range(options.turns):
                for side, speeds in sides.items():
                    if side == "plm":
                        speeds.append(plm_train(folder, *SHAPES[size], options.steps, options.threads))
                        continue
                    command = [sys.executable, __file__, str(options.tokenizer), "--pytorch-once", size, side,
                               "--steps", str(options.steps), "--threads", str(options.threads)]
                    speeds.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
            print(f"| {size} | " + " | ".join(f"{statistics.median(s):.0f}" for s in sides.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
