"""plm-train as a user meets it: killed and started again, on several workers, its model used elsewhere.

Runs where PLM_TRAIN_BUILD_DIR names a build of the trainer (tools/ci.sh train).
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ORACLES = ROOT.parent / "shared" / "oracles"
BUILD = os.environ.get("PLM_TRAIN_BUILD_DIR")
PROGRAM = Path(BUILD or ".") / "bin" / "plm-train"
TORCHRUN = ROOT / ".venv-train" / "bin" / "torchrun"

pytestmark = [
    pytest.mark.skipif(BUILD is None, reason="PLM_TRAIN_BUILD_DIR is not set: the trainer is tested by its own stage"),
    pytest.mark.skipif(not ORACLES.exists(), reason="reference data ../shared/oracles is not there"),
]

# Spinning OpenMP threads of several processes on few cores stand in each other's way.
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "passive"}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A model of 60,000 weights without weights, with a real tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ORACLES / name, folder)
    config = json.loads((ORACLES / "config.json").read_text())
    config.update(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                  num_key_value_heads=2, kv_lora_rank=32, max_position_embeddings=128)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    words = "the cat sat on a mat and saw one dog run over many small hills".split()
    choose = random.Random(1)
    for name, seed_words in (("a.txt", words), ("b.txt", words[::-1][:6])):
        documents = [" ".join(choose.choice(seed_words) for _ in range(60)) for _ in range(60)]
        (folder / name).write_text("\n<|endoftext|>\n".join(documents))
    return folder


def settings(model_folder, texts, out, **changes):
    values = dict(
        stage="pt", model_name_or_path=str(model_folder), train_files=[str(texts / "a.txt"), str(texts / "b.txt")],
        tokenized_path=str(texts / "data"), cutoff_len=32, per_device_train_batch_size=4, max_steps=24,
        learning_rate=3e-3, lr_scheduler_type="warmup_stable_decay_constant",
        lr_scheduler_kwargs=dict(num_warmup_steps=4, num_stable_steps=8, num_decay_steps=8, min_lr_ratio=0.1),
        data_phases=[dict(start_step=0, weights={"a.txt": 1}), dict(start_phase="decay", weights={"a.txt": 1, "b.txt": 3})],
        seed=1, save_steps=3, logging_steps=1, threads=1, output_dir=str(out), resume_from_checkpoint="auto")
    values.update(changes)
    path = Path(out).with_suffix(".yaml")
    path.write_text(json.dumps(values))  # JSON is YAML
    return path


def run(path, *overrides, code=0):
    done = subprocess.run([PROGRAM, path, *overrides], capture_output=True, text=True, env=ENVIRONMENT, timeout=200)
    assert done.returncode == code, done.stderr
    return done.stderr


def log(out):
    return [json.loads(line) for line in (Path(out) / "trainer_log.jsonl").read_text().splitlines()]


def losses(out):
    return {line["current_steps"]: line["loss"] for line in log(out) if "loss" in line}


def result_bytes(out, step):
    return [(Path(out) / f"checkpoint-{step}" / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")]


def test_kill_9_at_random_moments_changes_no_bit(model_folder, texts, tmp_path):
    long_run = dict(bf16=True, max_steps=240,
                    lr_scheduler_kwargs=dict(num_warmup_steps=40, num_stable_steps=80, num_decay_steps=80, min_lr_ratio=0.1))
    straight = tmp_path / "straight"
    run(settings(model_folder, texts, straight, **long_run))
    killed = tmp_path / "killed"
    path = settings(model_folder, texts, killed, **long_run)
    choose = random.Random(7)
    kills = 0
    # Each start is killed within milliseconds of the first line at or behind a step: before, in and after saves, and
    # at the borders of phases (steps 40, 120 and 200). A fast machine goes on for many steps meanwhile.
    for step in (2, 3, 20, 39, 40, 41, 60, 90, 119, 120, 121, 150, 180, 199, 200, 201, 215):
        process = subprocess.Popen([PROGRAM, path], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        for line in process.stderr:
            seen = re.match(r"step (\d+)/", line)
            if seen and int(seen[1]) >= step:
                time.sleep(choose.choice([0, 0.001, 0.003, 0.01]))
                process.send_signal(signal.SIGKILL)
                break
        kills += process.wait() == -signal.SIGKILL
        process.stderr.close()
    assert kills >= 8
    run(path)
    assert losses(killed) == losses(straight)
    assert result_bytes(killed, 240) == result_bytes(straight, 240)


def test_sigterm_saves_and_ends_in_order(model_folder, texts, tmp_path):
    path = settings(model_folder, texts, tmp_path / "out", max_steps=100000, save_steps=100000, logging_steps=5)
    process = subprocess.Popen([PROGRAM, path], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in process.stderr:
        if line.startswith("step 10/"):
            process.send_signal(signal.SIGTERM)
            break
    rest = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert "stopped after step" in rest
    assert list((tmp_path / "out").glob("checkpoint-*/complete.json"))


@pytest.mark.parametrize("workers,zero", [(2, 0), (2, 1), (4, 1)])
def test_workers_give_the_losses_of_one_with_their_batches_together(model_folder, texts, tmp_path, workers, zero):
    alone = tmp_path / "alone"
    run(settings(model_folder, texts, alone, per_device_train_batch_size=8, max_steps=10, data_phases=None,
                 lr_scheduler_type="constant", lr_scheduler_kwargs=None))
    together = tmp_path / "together"
    path = settings(model_folder, texts, together, per_device_train_batch_size=8 // workers // (2 if workers == 2 else 1),
                    gradient_accumulation_steps=2 if workers == 2 else 1, zero_stage=zero, max_steps=10, data_phases=None,
                    lr_scheduler_type="constant", lr_scheduler_kwargs=None)
    done = subprocess.run([TORCHRUN, "--no-python", "--standalone", "--nproc-per-node", str(workers), PROGRAM, path],
                          capture_output=True, text=True, env=ENVIRONMENT, timeout=200)
    assert done.returncode == 0, done.stderr
    one, many = losses(alone), losses(together)
    assert one.keys() == many.keys()
    assert max(abs(one[step] - many[step]) for step in one) < 1e-5


def test_a_run_goes_on_with_another_number_of_workers(model_folder, texts, tmp_path):
    common = dict(data_phases=None, lr_scheduler_type="constant", lr_scheduler_kwargs=None, max_steps=10)
    run(settings(model_folder, texts, tmp_path / "alone", **common))
    out = tmp_path / "moved"
    path = settings(model_folder, texts, out, **common, per_device_train_batch_size=2, zero_stage=1)
    done = subprocess.run([TORCHRUN, "--no-python", "--standalone", "--nproc-per-node", "2", PROGRAM, path, "max_steps=6"],
                          capture_output=True, text=True, env=ENVIRONMENT, timeout=200)
    assert done.returncode == 0, done.stderr
    run(settings(model_folder, texts, out, **common))
    one, moved = losses(tmp_path / "alone"), losses(out)
    assert max(abs(one[step] - moved[step]) for step in one) < 1e-5


def test_a_worker_that_dies_ends_the_others(model_folder, texts, tmp_path):
    path = settings(model_folder, texts, tmp_path / "out", max_steps=100000, save_steps=100000)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    workers = []
    for rank in range(2):
        place = dict(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        workers.append(subprocess.Popen([PROGRAM, path], stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, **place}))
    for line in workers[0].stderr:
        if line.startswith("step 5/"):
            workers[1].kill()
            break
    message = workers[0].communicate(timeout=60)[1]
    workers[1].communicate()
    assert workers[0].returncode == 1
    assert message.splitlines()[-1].startswith("plm-train: ")


def children_of(parent):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def test_torchrun_starts_all_anew_when_a_worker_was_killed_and_no_bit_changes(model_folder, texts, tmp_path):
    common = dict(bf16=True, max_steps=160, save_steps=20, per_device_train_batch_size=2, zero_stage=1,
                  lr_scheduler_kwargs=dict(num_warmup_steps=40, num_stable_steps=60, num_decay_steps=40, min_lr_ratio=0.1))
    start = [TORCHRUN, "--no-python", "--standalone", "--nproc-per-node", "2"]
    straight = [*start, PROGRAM, settings(model_folder, texts, tmp_path / "straight", **common)]
    assert subprocess.run(straight, env=ENVIRONMENT, capture_output=True, timeout=200).returncode == 0
    out = tmp_path / "restarted"
    command = [*start, "--max-restarts", "1", PROGRAM, settings(model_folder, texts, out, **common)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    killed = False
    for line in process.stderr:
        seen = re.match(r"step (\d+)/", line)
        if not killed and seen and int(seen[1]) >= 45:
            os.kill(max(children_of(process.pid)), signal.SIGKILL)
            killed = True
    assert process.wait(timeout=200) == 0
    assert killed
    assert result_bytes(out, 160) == result_bytes(tmp_path / "straight", 160)


def test_a_run_goes_on_when_nobody_reads_its_progress(model_folder, texts, tmp_path):
    path = settings(model_folder, texts, tmp_path / "out")
    worker = subprocess.Popen([PROGRAM, path], stderr=subprocess.PIPE, env=ENVIRONMENT)
    worker.stderr.close()
    assert worker.wait(timeout=120) == 0
    assert max(losses(tmp_path / "out")) == 24


def test_the_exported_model_gives_the_same_numbers_in_llama_cpp_and_plm(model_folder, texts, tmp_path):
    llama_cpp = pytest.importorskip("llama_cpp")
    from safetensors.numpy import load_file

    out = tmp_path / "out"
    run(settings(model_folder, texts, out, export=["hf", "gguf"], eval_strategy="steps", val_size=0.1,
                 tokenized_path=str(tmp_path / "data"), data_phases=None))
    stored = load_file(out / "model" / "model.safetensors")
    checkpoint = load_file(out / "checkpoint-24" / "model.safetensors")
    assert stored.keys() == checkpoint.keys()
    assert all(np.array_equal(stored[name], checkpoint[name]) for name in stored)
    evaluations = [line for line in log(out) if "eval_bits_per_byte" in line]
    assert evaluations[-1]["eval_bits_per_byte"] < evaluations[0]["eval_bits_per_byte"]

    model = llama_cpp.Llama(str(out / "model.gguf"), n_ctx=64, logits_all=True, verbose=False, flash_attn=False)
    text = "the cat sat on a mat and saw one dog"
    ids = model.tokenize(text.encode(), add_bos=False)
    model.eval(ids)
    scores = np.array(model.scores[: len(ids)], dtype=np.float64)
    theirs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    plm = Path(os.environ.get("PLM_BUILD_DIR", ROOT / "build-test")) / "bin" / "plm"
    if not plm.exists():
        pytest.skip(f"{plm} is not built")
    done = subprocess.run([plm, "score", "-m", out / "model.gguf", "--text", text, "-ctk", "f32", "-b", "8"],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout)
    assert ours["ids"] == ids
    wanted = [theirs[i - 1][ids[i]] for i in range(1, len(ids))]
    assert np.allclose(ours["logprobs"][1:], wanted, atol=2e-3)
    # 512 tokens: drawn weights give log(1 / 512).
    assert np.mean(wanted) > np.log(1 / 300)


@pytest.mark.parametrize("override,words", [
    ("learning_rat=1", "no such key; did you mean learning_rate?"),
    ("model_name_or_path=/nowhere", "/nowhere"),
    ("cutoff_len=4096", "at most the model's context"),
    ("train_files=/nowhere.txt", "/nowhere.txt"),
    ("lr_scheduler_kwargs.num_decay_steps=99", "expected 0 to max_steps"),
    ("max_steps=x", "a whole number"),
])
def test_mistakes_are_one_line(model_folder, texts, tmp_path, override, words):
    done = subprocess.run([PROGRAM, settings(model_folder, texts, tmp_path / "out", tokenized_path=""), override],
                          capture_output=True, text=True, env=ENVIRONMENT, timeout=100)
    assert done.returncode in (1, 2)
    assert words in done.stderr.splitlines()[-1]


def test_the_schedule_is_drawn_before_training(model_folder, texts, tmp_path):
    run(settings(model_folder, texts, tmp_path / "out"), "--plot-schedule", str(tmp_path / "schedule"))
    assert (tmp_path / "schedule.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "out").exists()


def test_a_decay_branch_starts_from_a_stable_checkpoint(model_folder, texts, tmp_path):
    trunk = tmp_path / "trunk"
    run(settings(model_folder, texts, trunk, data_phases=None, max_steps=12, save_total_limit=9,
                 lr_scheduler_kwargs=dict(num_warmup_steps=2, num_stable_steps=10, num_decay_steps=0, min_lr_ratio=0.1)))
    branch = tmp_path / "branch"
    run(settings(model_folder, texts, branch, data_phases=None, max_steps=14, start_decay=True,
                 resume_from_checkpoint=str(trunk / "checkpoint-6"),
                 lr_scheduler_kwargs=dict(num_warmup_steps=2, num_decay_steps=6, min_lr_ratio=0.1)))
    rates = {line["current_steps"]: line["lr"] for line in log(branch) if "lr" in line}
    assert rates[7] < 3e-3 and abs(rates[12] - 3e-4) < 1e-9 and abs(rates[14] - 3e-4) < 1e-9
