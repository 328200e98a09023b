"""generate.py [MODEL [PROMPT]]: continues a text, showing it as it is written."""

import sys

import plm

path, prompt = (sys.argv[1:] + [None, None])[:2]
prompt = prompt or "Once upon a time"
with plm.Model(path) as model:
    print(prompt, end="")
    stream = model.generate(prompt, max_tokens=60, temperature=0.7, seed=1, stream=True)
    for piece in stream:
        print(piece.text, end="", flush=True)
    answer = stream.answer
    print(f"\n\n{len(answer.tokens)} tokens in {answer.answer_seconds:.2f} s")
