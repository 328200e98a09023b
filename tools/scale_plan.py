#!/usr/bin/env python3
"""What it takes to train PLM-1.8B on 2.48 T tokens: tools/scale_plan.py [--set mfu=0.45 ...] [--check]

Computes the tables of docs/scale.md from the inputs below: memory, communication, and a simulation of a step in which
buckets of gradients are summed while the backward pass goes on. --set changes an input. --check A B C D compares the
simulation with two processes on this machine: seconds of a step of one process, bytes of gradients, bytes a second of
a sum alone, share of the step that is the backward pass.
"""

import argparse
import sys
from dataclasses import dataclass, fields


@dataclass
class Inputs:
    # The model (quoted: plm-facts, the released configuration).
    vocabulary: int = 151936
    width: int = 2048
    layers: int = 32
    heads: int = 16
    no_rope: int = 128
    rope: int = 64
    value: int = 128
    latent: int = 512
    ffn: int = 8192
    row: int = 4096
    tokens: float = 2.48e12
    # The machine (quoted: data sheets; estimated: what of it is reached).
    peak: float = 989e12  # bf16 of an H100 or H200, dense
    mfu: float = 0.50  # measured on one H100 (docs/LOG.md, 2026-11-26), optimiser and copies taken off
    memory: float = 141e9  # H200
    memory_speed: float = 4.0e12  # reached, of 4.8e12
    gpus_a_node: int = 8
    node_speed: float = 360e9  # bus bandwidth of a ring in a node, of 450e9
    net_speed: float = 45e9  # the same for each GPU between nodes, of 50e9
    latency: float = 30e-6  # of one collective in a node; a hop between nodes adds as much
    # The run (chosen: the paper does not say).
    batch: int = 1024  # rows of a step, all GPUs


class Shape:
    def __init__(self, i):
        query = i.no_rope + i.rope
        attention = (i.heads * query * i.width + (i.latent + i.rope) * i.width
                     + i.heads * (i.no_rope + i.value) * i.latent + i.heads * i.value * i.width)
        self.layer = attention + 2 * i.ffn * i.width
        self.embedding = i.vocabulary * i.width
        self.norms = i.layers * (2 * i.width + i.latent) + i.width
        self.parameters = self.embedding + i.layers * self.layer + self.norms
        # Of training one token: 6 a weight (the tied embedding once, as head), causal attention by its half.
        self.head_flops = 6 * self.embedding
        self.layer_flops = 6 * self.layer + 3 * i.heads * (query + i.value) * i.row
        self.flops = self.head_flops + i.layers * self.layer_flops
        # Numbers of bf16 that a layer keeps of a token for its backward pass (src/train/core/block.cpp, on a GPU).
        self.kept = (4 * i.width + i.latent + i.rope + i.latent + 2 * i.heads * query + 2 * i.heads * i.value
                     + 2 * i.ffn)


def simulate(ready, seconds):
    """One stream carries buckets in the order in which they become ready; returns when the last has arrived.

    ready[k] is when bucket k is complete, seconds[k] how long it takes to be summed over all workers.
    """
    free = 0.0
    for at, takes in sorted(zip(ready, seconds)):
        free = max(free, at) + takes
    return free


def sum_seconds(i, n, size):
    """An all-reduce of `size` bytes over n GPUs: in the node, each part between the nodes, in the node again."""
    if n == 1:
        return 0.0
    inside = min(n, i.gpus_a_node)
    seconds = i.latency + 2 * (inside - 1) / inside * size / i.node_speed
    nodes = n // inside
    if nodes > 1:
        seconds += i.latency * 2 + 2 * (nodes - 1) / nodes * size / inside / i.net_speed
    return seconds


def step(i, n, micro_rows, zero=False, wire_bytes=4):
    """Seconds of one step on n GPUs: (micro-batches, computing, communication that shows, optimiser and gathering)."""
    shape = Shape(i)
    micro = max(1, i.batch // (n * micro_rows))
    tokens = micro_rows * i.row
    rate = i.peak * i.mfu
    layer_backward = 2 / 3 * tokens * shape.layer_flops / rate
    compute = tokens * shape.flops / rate
    backward = i.layers * layer_backward
    # Layers from the last to the first, then the embedding and the norms, which are complete at the very end.
    ready = [(k + 1) * layer_backward for k in range(i.layers)] + [backward, backward]
    sizes = [shape.layer * wire_bytes] * i.layers + [shape.embedding * wire_bytes, shape.norms * wire_bytes]
    share = 0.5 if zero else 1.0  # reduce-scatter is half an all-reduce
    exposed = simulate(ready, [share * sum_seconds(i, n, size) for size in sizes]) - backward
    # Masters, moments, gradient and bf16 copy: 30 bytes a weight go through memory.
    update = shape.parameters * 30 / (n if zero else 1) / i.memory_speed
    if zero:
        update += 0.5 * sum_seconds(i, n, shape.parameters * 4)
    return micro, micro * compute, exposed, update


def memory(i, n, zero):
    """Bytes on each GPU, without activations: bf16 copies, masters, gradients, moments."""
    p = Shape(i).parameters
    return [2 * p, 4 * p, 4 * p, 8 * p / (n if zero else 1)]


def activations(i, rows, checkpoint):
    shape = Shape(i)
    tokens = rows * i.row
    layer = 2 * shape.kept
    kept = i.layers * 2 * i.width + layer if checkpoint else i.layers * layer
    chunk = 4096 * i.vocabulary * 2  # logits of a chunk, which become their gradients in place
    return tokens * kept + chunk + 4 * shape.embedding


def report(i, out=sys.stdout):
    shape = Shape(i)
    gb = 1e9
    print(f"{shape.parameters / 1e9:.3f} B weights, {shape.flops / 1e9:.2f} GFLOP a token at {i.row}, "
          f"{i.tokens * shape.flops:.2e} FLOP in all; {i.batch * i.row / 1e6:.2f} M tokens a step, "
          f"{i.tokens / (i.batch * i.row):,.0f} steps\n", file=out)
    print("| GB on each GPU | bf16 copies | masters | gradients | moments | together |\n|---|---|---|---|---|---|", file=out)
    for label, n, zero in [("plain", 1, False)] + [(f"ZeRO-1, {n}", n, True) for n in (8, 64, 512)]:
        parts = memory(i, n, zero)
        print(f"| {label} | " + " | ".join(f"{part / gb:.1f}" for part in [*parts, sum(parts)]) + " |", file=out)
    print("\n| rows of a micro-batch | activations, GB | with checkpointing, GB |\n|---|---|---|", file=out)
    for rows in (1, 2, 4, 8):
        print(f"| {rows} | {activations(i, rows, False) / gb:.1f} | {activations(i, rows, True) / gb:.1f} |", file=out)
    print("\n| GPUs | rows | micro-batches | computing ms | sums that show ms | optimiser ms | tokens/s a GPU | days |"
          "\n|---|---|---|---|---|---|---|---|", file=out)
    for n in (8, 64, 512):
        rows = min(4, i.batch // n)
        for label, kind in [("", {}), (", ZeRO-1", {"zero": True}), (", bf16 sums", {"wire_bytes": 2})]:
            micro, compute, exposed, update = step(i, n, rows, **kind)
            seconds = compute + exposed + update
            speed = micro * rows * i.row / seconds
            print(f"| {n}{label} | {rows} | {micro} | {compute * 1e3:.0f} | {exposed * 1e3:.1f} | {update * 1e3:.1f} | "
                  f"{speed:,.0f} | {i.tokens / speed / n / 86400:.1f} |", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--check", nargs=5, type=float,
                        metavar=("STEP_S", "BYTES", "BYTES_A_S", "BACKWARD_SHARE", "LAYERS"))
    options = parser.parse_args()
    inputs = Inputs()
    types = {field.name: type(getattr(inputs, field.name)) for field in fields(Inputs)}
    for change in options.set:
        name, _, value = change.partition("=")
        if name not in types:
            parser.error(f"no input {name}; there are {', '.join(types)}")
        setattr(inputs, name, types[name](float(value)))
    if options.check:
        seconds, size, speed, share, layers = options.check
        layers = int(layers)
        backward = seconds * share
        ready = [backward * (k + 1) / layers for k in range(layers)]
        end = simulate(ready, [size / layers / speed] * layers)
        print(f"a step of two processes: {seconds - backward + end:.4f} s, of which {end - backward:.4f} s show")
        return
    report(inputs)


if __name__ == "__main__":
    main()
