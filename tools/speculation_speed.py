#!/usr/bin/env python3
"""How much sooner `plm serve` answers when it guesses tokens, and what that costs where guesses are wrong.

    tools/speculation_speed.py -m target.gguf [--plm build/bin/plm] [--draft small.gguf ...] [--clients 1] [--tokens 120]

Without guesses, with n-grams, and with each draft model a server answers the same requests: prompts whose text repeats itself,
greedy, and stories, greedy and with seeds. Every answer must be the same as without guesses. Prints a Markdown
row for each server: tokens a second of answers over each kind of text, and the share of guesses that came true.
"""

import argparse
import concurrent.futures
import json
import urllib.request

from serve_process import start

LINES = [
    "The dog saw the fox. The fox ran to the river. ",
    "One two three four five, once I caught a fish alive. ",
    "The king said to the cat: come to me. The cat said to the king: I will not come. ",
]
STORIES = [
    "Once upon a time there was a little girl who",
    "The old man took his stick and",
    "In the morning the bird sang to the children, and",
    "Far away, behind the mountains, there was a village where",
]


def requests():
    """(kind, body)"""
    for line in LINES:
        yield "repeats", {"prompt": line * 3, "temperature": 0}
    for prompt in STORIES:
        yield "greedy", {"prompt": prompt, "temperature": 0}
    for seed, prompt in enumerate(STORIES):
        yield "sampled", {"prompt": prompt, "temperature": 0.8, "seed": seed + 1}


def ask(port, body):
    data = json.dumps({**body, "cache_prompt": False, "ignore_eos": True}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", data=data)
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


class Sums:
    def __init__(self):
        self.tokens = self.seconds = self.drafted = self.accepted = 0

    def add(self, timings):
        # The first token comes of the prompt.
        self.tokens += timings["predicted_n"] - 1
        self.seconds += timings["predicted_ms"] / 1e3
        self.drafted += timings.get("draft_n", 0)
        self.accepted += timings.get("draft_n_accepted", 0)

    def shown(self):
        guesses = f" ({self.accepted} of {self.drafted})" if self.drafted else ""
        return f"{self.tokens / self.seconds:.1f}{guesses}"


def measure(arguments, flags):
    """Sums by kind of text, and the answers."""
    process, port = start(arguments, "-np", arguments.clients, "--no-log-requests", *flags)
    sums, answers = {}, []
    try:
        ask(port, {"prompt": "A", "max_tokens": 30})  # warm
        for kind, body in requests():
            body = {**body, "max_tokens": arguments.tokens}
            with concurrent.futures.ThreadPoolExecutor(arguments.clients) as clients:
                replies = list(clients.map(lambda one: ask(port, one), [body] * arguments.clients))
            for reply in replies:
                sums.setdefault(kind, Sums()).add(reply["timings"])
                answers.append(reply["choices"][0]["text"])
    finally:
        process.terminate()
        process.wait()
    return sums, answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plm", default="build/bin/plm")
    parser.add_argument("-m", "--model")
    parser.add_argument("--draft", action="append", default=[], help="a draft model; may be given often")
    parser.add_argument("--clients", type=int, default=1, help="who ask the same at once")
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--flags", default="", help="more of plm serve's, for all")
    parser.add_argument("--only", help="names of rows, with commas: none,n-grams,both and files")
    arguments = parser.parse_args()
    rows = [("none", ()), ("n-grams", ("--spec-type", "ngram-simple"))]
    rows += [(draft.rsplit("/", 1)[-1], ("-md", draft)) for draft in arguments.draft]
    if arguments.draft:
        rows.append(("both", ("--spec-type", "ngram-simple,draft-simple", "-md", arguments.draft[0])))
    if arguments.only:
        rows = [row for row in rows if row[0] in arguments.only.split(",")]
    print("| guesses | text that repeats | greedy | sampled |\n|---|---|---|---|", flush=True)
    expected = None
    for name, flags in rows:
        sums, answers = measure(arguments, [*flags, *arguments.flags.split()])
        expected = expected or answers
        if answers != expected:
            raise SystemExit(f"{name}: the answers differ from those of the first row")
        print(f"| {name} | {' | '.join(one.shown() for one in sums.values())} |", flush=True)


if __name__ == "__main__":
    main()
