"""score.py [MODEL [TEXT]]: how likely each token is, given those before it."""

import sys

import plm

path, text = (sys.argv[1:] + [None, None])[:2]
with plm.Model(path) as model:
    score = model.score(text or "Once upon a time")
    for token, logprob in zip(score.tokens, score.logprobs):
        print(model.detokenize([token]), "" if logprob is None else f"{logprob:.2f}", sep="\t")
print(f"together {sum(logprob or 0 for logprob in score.logprobs):.2f}")
