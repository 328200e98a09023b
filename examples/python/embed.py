"""embed.py [MODEL]: which of two texts is more like a third."""

import sys

import plm

texts = ["The dog ran after the cat.", "A dog ran after a cat.", "The king counted his gold coins."]
with plm.Model(sys.argv[1] if len(sys.argv) > 1 else None, n_parallel=3) as model:
    dog, other_dog, king = model.embed(texts)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b))  # of vectors of length 1


print(f"dog and dog {cosine(dog, other_dog):.3f}, dog and king {cosine(dog, king):.3f}")
sys.exit(0 if cosine(dog, other_dog) > cosine(dog, king) else 1)
