#!/usr/bin/env python3
"""How much `plm serve` writes for 1, 4, 8, 16 clients at once, and how soon each sees its first token.

    tools/serve_speed.py [--plm build/bin/plm] [-m MODEL] [--clients 1,4,8,16] [--prompt 64] [--tokens 64]

Every client streams one answer: a prompt of token ids of its own (nothing is shared), greedy, ended by length alone.
Prints a Markdown row for each number of clients: the best of the repetitions.

With --llama-server PROGRAM each row has the same requests to a llama-server too, in turns with ours; both stay loaded, the
one that is not asked sleeps. With --against-llama (by the Python of .venv) it has the work by llama.cpp's library, in
this process without HTTP, JSON and sampling: all prompts in one batch, then a token of each sequence in a batch, as a
server would at best. Flash attention is off for both, without which llama.cpp's graph of plm aborts.
"""

import argparse
import http.client
import json
import os
import random
import threading
import time
from pathlib import Path

from serve_process import start, start_llama_server


def stream(port, prompt, n_tokens, results):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    body = {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0, "ignore_eos": True, "stream": True,
            "cache_prompt": False, "stream_options": {"include_usage": True}}  # fmt: skip
    began = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body))
    first, last = None, b""
    for line in connection.getresponse():
        if line.startswith(b"data: {"):
            first = first or time.perf_counter() - began
            last = line
    results.append((first, json.loads(last[6:])["usage"]["completion_tokens"]))


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
    assert [n for _, n in results] == [arguments.tokens] * n_clients, results
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
    parser.add_argument("--llama-server", metavar="PROGRAM")
    arguments = parser.parse_args()
    model = arguments.model or str(Path(__file__).resolve().parent.parent / "models" / "story-7m-f16.gguf")
    runner = None
    if arguments.against_llama:
        from llama_cpp_runner import Runner

        runner = Runner(model, arguments.threads, arguments.context, max(arguments.clients))
    most = max(arguments.clients)
    process, port = start(arguments, "-np", most, "-c", arguments.context, "-t", arguments.threads)
    servers = [(process, port)]
    if arguments.llama_server:
        servers.append(start_llama_server(arguments.llama_server, model, most, arguments.context, arguments.threads))
    others = ["llama-server"] * bool(arguments.llama_server) + ["llama.cpp's library"] * bool(runner)
    random_ids = random.Random(1)
    try:
        for _, port in servers:
            measure(port, 1, arguments, random_ids)
        print("| clients |", *(f"{name} tok/s | first token, p95 |" for name in ["plm serve", *others]))
        print("|---" * (3 + 2 * len(others)) + "|")
        for n in arguments.clients:
            seen = [[] for _ in range(1 + len(others))]
            for _ in range(arguments.repeat):
                for results, (_, port) in zip(seen, servers):
                    results.append(measure(port, n, arguments, random_ids))
                if runner:
                    seen[-1].append(measure_llama(runner, n, arguments))
            print(f"| {n} |", *("{:.1f} | {:.0f} ms |".format(best[0], best[1] * 1e3) for best in map(max, seen)), flush=True)
    finally:
        for process, _ in servers:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
