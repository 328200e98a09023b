"""session.py FILE [MODEL]: the first time runs a long prompt and keeps it; another time takes it up from there."""

import os
import sys

import plm

if not 2 <= len(sys.argv) <= 3:
    print(f"usage: {__doc__}", file=sys.stderr)
    sys.exit(2)
file = sys.argv[1]
prompt = "Once upon a time there was a king who had three sons, and they lived in a house near the sea. One day"
with plm.Model(sys.argv[2] if len(sys.argv) > 2 else None) as model:
    is_there = os.path.exists(file)
    if is_there:
        model.load_session(file)
    answer = model.generate(prompt, max_tokens=20, temperature=0)
    print(f"{answer.n_reused} of {answer.n_prompt} tokens were there:{answer.text}")
    if not is_there:
        model.save_session(file)
