#!/usr/bin/env python3
"""Draws a training run: tools/train_plots.py TRAINER_LOG PREFIX [KILLS]

Writes PREFIX-loss.svg (training and validation loss), PREFIX-bits.svg (validation bits per byte), PREFIX-rate.svg (learning
rate) and PREFIX-zeros.svg (share of zeros behind the squared ReLU, by layer), over steps, with a line where a phase of the
schedule begins and a cross where the process was killed (KILLS: lines of JSON with "event": "kill -9", "after_step").
"""

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 360, 62, 40, 30, 110
COLOURS = ["#1b6ca8", "#d1495b", "#2e8b57", "#8e6c8a", "#e09f3e", "#4f5d75", "#7a9e9f", "#a44a3f"]


def ticks(low, high):
    """About five round numbers from low to high."""
    span = (high - low) or 1
    step = 10.0 ** len(str(int(span))) if span >= 1 else 1.0
    for factor in (5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.00005):
        if span / (step * factor) >= 4:
            step *= factor
            break
    first = int(low / step + 0.999999)
    return [k * step for k in range(first, int(high / step + 1e-9) + 1)]


def chart(path, title, series, phases, kills, low=None):
    """series: name -> list of (step, value)."""
    points = [point for line in series.values() for point in line]
    x_high = max(x for x, _ in points)
    y_low = low if low is not None else min(y for _, y in points)
    y_high = max(y for _, y in points)
    y_high += 0.05 * (y_high - y_low)

    def at(x, y):
        return (LEFT + x / x_high * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - BOTTOM - TOP))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/><text x="{LEFT}" y="18" font-size="14">{title}</text>']
    for value in ticks(0, x_high):
        x, y = at(value, y_low)
        out.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{value:g}</text>')
    for value in ticks(y_low, y_high):
        x, y = at(0, value)
        out.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for step, name in phases:
        x, _ = at(step, y_low)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#999" stroke-dasharray="3 3"/><text x="{x + 3:.1f}" y="{TOP + 10}" fill="#666">{name}</text>')
    for step in kills:
        x, y = at(step, y_low)
        out.append(f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="black" stroke-width="1.5"><title>kill -9</title></path>')
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path_data = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in line)
        out.append(f'<path d="M{path_data}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 14 + 16 * i}" fill="{colour}">{name}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">step</text></svg>')
    Path(path).write_text("\n".join(out) + "\n")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    prefix = sys.argv[2]
    steps = [line for line in lines if "loss" in line]
    evals = [line for line in lines if "eval_loss" in line]
    phases = []
    for line in steps:
        if line["phase"] not in [name for _, name in phases]:
            phases.append((line["current_steps"] - steps[0]["current_steps"] if not phases else line["current_steps"], line["phase"]))
    kills = []
    if len(sys.argv) == 4:
        events = [json.loads(line) for line in Path(sys.argv[3]).read_text().splitlines()]
        kills = [event["after_step"] for event in events if event["event"] == "kill -9"]

    def curve(rows, key):
        return [(row["current_steps"], row[key]) for row in rows]

    chart(f"{prefix}-loss.svg", "loss, nats a token", {"training": curve(steps, "loss"), "validation": curve(evals, "eval_loss")}, phases, kills)
    chart(f"{prefix}-bits.svg", "validation, bits per byte", {"validation": curve(evals, "eval_bits_per_byte")}, phases, kills)
    chart(f"{prefix}-rate.svg", "learning rate", {"rate": curve(steps, "lr")}, phases, kills, low=0)
    layers = range(len(steps[-1]["zero_rate"]))
    chart(f"{prefix}-zeros.svg", "share of zeros, by layer",
          {f"layer {i}": [(row["current_steps"], row["zero_rate"][i]) for row in steps if any(row["zero_rate"])] for i in layers}, phases, kills)


if __name__ == "__main__":
    main()
