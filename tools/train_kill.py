#!/usr/bin/env python3
"""Runs a training again and again, killing it with SIGKILL at random moments: tools/train_kill.py KILLS_FILE PLAN_SEED -- COMMAND...

The plan: in each of the given shares of the run one step is drawn; when its line is in the log, up to two seconds
pass, and the process gets SIGKILL. Then the same command is started again. Every start, kill and end is a line of KILLS_FILE.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

SHARES = [(0.02, 0.04), (0.15, 0.3), (0.4, 0.55), (0.63, 0.85), (0.92, 0.99)]

kills_file, seed = sys.argv[1], int(sys.argv[2])
command = sys.argv[4:]
draw = random.Random(seed)
plan = [draw.uniform(*share) for share in SHARES]


def note(**what):
    with open(kills_file, "a") as out:
        out.write(json.dumps({"time": time.strftime("%H:%M:%S", time.gmtime()), **what}) + "\n")


while True:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    note(event="start", pid=process.pid)
    step = 0
    for line in process.stderr:
        sys.stderr.write(line)
        sys.stderr.flush()
        found = re.match(r"step (\d+)/(\d+)", line)
        if not found:
            continue
        step, n_steps = int(found[1]), int(found[2])
        if plan and step >= plan[0] * n_steps:
            delay = draw.uniform(0, 2)
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            note(event="kill -9", after_step=step, seconds_later=round(delay, 3))
            plan.pop(0)
            break
    else:
        code = process.wait()
        note(event="end", code=code, step=step)
        sys.exit(code)
