#!/usr/bin/env python3
"""How much `plm serve` writes for 1, 4, 8, 16 clients at once, and how soon each sees its first token.

    tools/serve_speed.py [--plm build/bin/plm] [-m MODEL] [--clients 1,4,8,16] [--prompt 64] [--tokens 64]

Every client streams one answer: a prompt of token ids of its own (nothing is shared), greedy, ended by length alone.
Prints a Markdown row for each number of clients.

With --against-llama (by the Python of .venv) each row has the same work by llama.cpp's library too, in its own process without
HTTP, JSON and sampling: all prompts in one batch, then a token of each sequence in a batch, as llama-server would at
best. Flash attention is off, without which its graph of plm aborts.
"""

import argparse
import http.client
import json
import os
import random
import threading
import time
from pathlib import Path

from serve_process import start


def stream(port, prompt, n_tokens, results):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    body = {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0, "ignore_eos": True, "stream": True,
            "cache_prompt": False}  # fmt: skip
    began = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body))
    first, n = None, 0
    for line in connection.getresponse():
        if line.startswith(b"data: {") and b'"finish_reason":null' in line:
            first = first or time.perf_counter() - began
            n += 1
    results.append((first, n))


def measure(port, n_clients, arguments, random_ids):
    results = []
    prompts = [[random_ids.randrange(300, 4000) for _ in range(arguments.prompt)] for _ in range(n_clients)]
    clients = [
        threading.Thread(target=stream, args=(port, prompt, arguments.tokens, results)) for prompt in prompts
    ]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.perf_counter() - began
    firsts = sorted(first for first, _ in results)
    p95 = firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))]
    # An event for each token, and perhaps one for the rest of a character.
    assert all(n >= arguments.tokens for _, n in results), results
    return n_clients * arguments.tokens / seconds, p95


def measure_llama(runner, n_clients, arguments):
    for sequence in range(n_clients):
        runner.truncate(sequence, 0)
    began, firsts, waiting = time.perf_counter(), [], 0
    for sequence in range(n_clients):
        for i in range(arguments.prompt):
            if runner.batch.n_tokens == runner.n_batch:
                runner.step()
                firsts += [time.perf_counter() - began] * waiting
                waiting = 0
            runner.add(sequence, i == arguments.prompt - 1)
        waiting += 1
    runner.step()
    firsts += [time.perf_counter() - began] * waiting
    for _ in range(arguments.tokens - 1):  # the first came with the prompt
        for sequence in range(n_clients):
            runner.add(sequence, True)
        runner.step()
    seconds = time.perf_counter() - began
    return n_clients * arguments.tokens / seconds, firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plm", default="build/bin/plm")
    parser.add_argument("-m", dest="model", default="")
    parser.add_argument("--clients", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4, 8, 16])
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--against-llama", action="store_true")
    arguments = parser.parse_args()
    runner = None
    if arguments.against_llama:
        from llama_cpp_runner import Runner

        model = arguments.model or str(Path(__file__).resolve().parent.parent / "models" / "story-7m-f16.gguf")
        runner = Runner(model, arguments.threads, arguments.context, max(arguments.clients))
    process, port = start(arguments, "-np", max(arguments.clients), "-c", arguments.context, "-t", arguments.threads)
    random_ids = random.Random(1)
    try:
        measure(port, 1, arguments, random_ids)
        print("| clients | tokens a second, all together | first token, p95 |" + (" llama.cpp: the same | |" if runner else ""))
        print("|---|---|---|" + ("---|---|" if runner else ""))
        for n in arguments.clients:
            best = max(measure(port, n, arguments, random_ids) for _ in range(arguments.repeat))
            row = f"| {n} | {best[0]:.1f} | {best[1] * 1e3:.0f} ms |"
            if runner:
                other = max(measure_llama(runner, n, arguments) for _ in range(arguments.repeat))
                row += f" {other[0]:.1f} | {other[1] * 1e3:.0f} ms |"
            print(row, flush=True)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
