#!/usr/bin/env python3
"""Short training runs of equal compute beside each other: tools/train_compare.py TEXTS OUT [--sets schedules,sparsity]

TEXTS holds what tools/proof_text.py laid out. Runs are made one after the other below OUT; finished ones are kept and
interrupted ones go on, so the same command may be stopped and given again. Prints a table for each set: validation loss
and bits per byte at the end, mean and range over the seeds. docs/experiments says what came out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS, ROW, ROWS, RATE, VOCABULARY = 400, 256, 8, 4e-3, 4096

PLM = dict(
    architectures=["PLMForCausalLM"], model_type="plm", vocab_size=VOCABULARY, hidden_size=128, intermediate_size=512,
    num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=64, q_lora_rank=None,
    qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=32, hidden_act="relu2", max_position_embeddings=ROW,
    rms_norm_eps=1e-6, tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=None, rope_interleave=True,
    attention_bias=False, attention_dropout=0.0, initializer_range=0.02, bos_token_id=None, eos_token_id=VOCABULARY - 3)

# As many weights as PLM within 0.4 %: what the attention saves goes into the gated FFN.
LLAMA = dict(
    architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=VOCABULARY, hidden_size=128, intermediate_size=388,
    num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, hidden_act="silu", max_position_embeddings=ROW,
    rms_norm_eps=1e-6, tie_word_embeddings=True, rope_theta=10000.0, attention_bias=False, initializer_range=0.02,
    bos_token_id=None, eos_token_id=VOCABULARY - 3)

WSDC = dict(lr_scheduler_type="warmup_stable_decay_constant",
            lr_scheduler_kwargs=dict(num_warmup_steps=40, num_stable_steps=220, num_decay_steps=100, min_lr_ratio=0.05))
COSINE = dict(lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs=dict(num_warmup_steps=40, min_lr_ratio=0.05))

# Each set: name -> (model, what differs in the settings).
SETS = {
    "schedules": {"WSDC": (PLM, WSDC), "cosine": (PLM, COSINE)},
    "architectures": {"PLM: latent attention, squared ReLU": (PLM, WSDC), "llama: 2 of 4 heads shared, SwiGLU": (LLAMA, WSDC)},
    "sparsity": {"penalty 0": (PLM, WSDC)} | {
        f"penalty {p}": (PLM, {**WSDC, "sparsity_penalty": p}) for p in (0.01, 0.1, 1.0)},
}


def folder_name(model, changes, seed):
    """Runs that are equal share a folder, so that sets share their baseline."""
    from hashlib import sha256
    text = json.dumps([model, changes, STEPS, ROW, ROWS, RATE], sort_keys=True)
    return f"{model['model_type']}-{sha256(text.encode()).hexdigest()[:10]}-seed{seed}"


def train(texts, out, model, changes, seed, program):
    folder = out / folder_name(model, changes, seed)
    log = folder / "out" / "trainer_log.jsonl"
    if not (folder / "out" / f"checkpoint-{STEPS}" / "complete.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name).write_bytes((texts / ".." / "model" / name).read_bytes())
        (folder / "config.json").write_text(json.dumps(model))
        settings = dict(
            stage="pt", model_name_or_path=str(folder), train_files=[str(texts / "books"), str(texts / "stories")],
            eval_files=[str(texts / "valid")], tokenized_path=str(out / "shards"), cutoff_len=ROW,
            per_device_train_batch_size=ROWS, max_steps=STEPS, learning_rate=RATE, weight_decay=0.1, adam_beta2=0.95,
            bf16=True, seed=seed, logging_steps=10, save_steps=100, eval_strategy="steps", eval_steps=STEPS,
            threads=1, output_dir=str(folder / "out"), resume_from_checkpoint="auto", report_to="none", plot_loss=False)
        (folder / "run.yaml").write_text(json.dumps({**settings, **changes}))
        done = subprocess.run([program, folder / "run.yaml"], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        if not (folder / "out" / f"checkpoint-{STEPS}" / "complete.json").exists():
            sys.exit(f"{folder}: stopped before its end; the same command goes on")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    final = next(line for line in reversed(lines) if "eval_loss" in line)
    last = [line for line in lines if "zero_rate" in line][-5:]
    zeros = [statistics.mean(line["zero_rate"][i] for line in last) for i in range(len(last[-1]["zero_rate"]))]
    return dict(loss=final["eval_loss"], bits=final["eval_bits_per_byte"], zeros=zeros)


def sizes(model, zeros):
    """Weights, bytes a token leaves in a 16-bit cache, weights that a token needs when those of zeros are not read."""
    width, ffn, heads, layers = (model[k] for k in ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"))
    if model["model_type"] == "plm":
        latent, plain, rope, value = (model[k] for k in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
        attention = heads * (plain + rope + value) * width + (latent + rope) * width + heads * (plain + value) * latent
        cache, matrices, norms = latent + rope, 2, 2 * width + latent
    else:
        head, shared = width // heads, model["num_key_value_heads"]
        attention, cache, matrices, norms = 2 * heads * head * width + 2 * shared * head * width, 2 * shared * head, 3, 2 * width
    every = model["vocab_size"] * width + layers * (attention + matrices * ffn * width + norms) + width
    return every, 2 * layers * cache, every - sum(zeros) * ffn * width


def spread(numbers):
    return f"{statistics.mean(numbers):.4f} ({min(numbers):.4f} to {max(numbers):.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--program", default=ROOT / "build-train" / "bin" / "plm-train")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for name in options.sets.split(","):
        print(f"\n{name}: {STEPS} steps of {ROW * ROWS} tokens\n\n"
              "| | loss | bits per byte | zeros by layer | weights | activated | cache bytes a token |\n|---|---|---|---|---|---|---|")
        for label, (model, changes) in SETS[name].items():
            runs = [train(options.texts, options.out, model, changes, seed, options.program)
                    for seed in range(1, options.seeds + 1)]
            zeros = [statistics.mean(column) for column in zip(*(run["zeros"] for run in runs))]
            every, cache, activated = sizes(model, zeros)
            print(f"| {label} | {spread([run['loss'] for run in runs])} | {spread([run['bits'] for run in runs])} | "
                  f"{', '.join(f'{z:.3f}' for z in zeros)} | {every:,} | {activated:,.0f} | {cache} |", flush=True)


if __name__ == "__main__":
    main()
