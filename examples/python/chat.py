"""chat.py [MODEL]: a conversation of two turns."""

import sys

import plm

messages = [{"role": "system", "content": "You tell stories."}]
with plm.Model(sys.argv[1] if len(sys.argv) > 1 else None) as model:
    for question in ("Tell me of a dog.", "And what did the dog do then?"):
        messages.append({"role": "user", "content": question})
        answer = model.chat(messages, max_tokens=40, seed=1)
        print(f"> {question}\n{' '.join(answer.text.split())}")
        messages.append({"role": "assistant", "content": answer.text})
