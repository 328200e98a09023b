#!/usr/bin/env python3
"""Checks that the folders of src/ depend on each other only as ARCHITECTURE.md says.

Looks at every #include "..." under src/ and include/, and at the DEPS of every plm_add_folder().
Prints one line for each breach and exits 1, or one line that says what was checked and exits 0.
"""

import re
import sys
from pathlib import Path

# folder: the folders it is built on. What those are built on, it may use too.
ARROWS = {
    "base": (),
    "hub": ("base",),
    "plot": ("base",),
    "gguf": ("base",),
    "safetensors": ("base",),
    "quant": ("base",),
    "tokenizer": ("base",),
    "grammar": ("tokenizer",),
    "jinja": ("base",),
    "chat": ("tokenizer", "jinja"),
    "kernels": ("quant",),
    "model": ("kernels", "gguf", "safetensors"),
    "runtime": ("model", "tokenizer", "grammar"),
    "scheduler": ("runtime",),
    "server": ("scheduler", "chat"),
    "convert": ("runtime",),
    "api": ("scheduler", "chat", "convert", "plm"),
    "quantize": ("runtime",),
    "inspect": ("runtime",),
    "bench": ("runtime", "plot"),
    "train_data": ("tokenizer",),
    "train": ("train_data", "safetensors", "convert"),
    "cli": ("runtime", "chat", "server", "plot", "inspect", "bench", "train_data", "quantize", "convert", "hub"),
    # include/plm, what other projects include: of src/ only src/api knows it, which is behind it.
    "plm": ("runtime",),
}
PUBLIC = "plm"
# Folders within folders that are layers of their own.
NESTED = {"train/data": "train_data"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
ADD_FOLDER = re.compile(r"plm_add_folder\(([^)]*)\)")
SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".cpp", ".inc", ".def"}


class BadArrows(Exception):
    """The table itself is wrong."""


def closure(arrows):
    """folder -> all folders it may include, itself among them. Raises BadArrows on a cycle."""
    allowed = {}

    def visit(folder, path):
        if folder in path:
            raise BadArrows("cycle: " + " -> ".join([*path, folder]))
        if folder not in arrows:
            raise BadArrows(f"{path[-1]} depends on {folder}, which is not in the table")
        if folder not in allowed:
            reached = {folder}
            for below in arrows[folder]:
                reached |= visit(below, [*path, folder])
            allowed[folder] = reached
        return allowed[folder]

    for folder in arrows:
        visit(folder, [])
    return allowed


def includes_of(path):
    """(line number, included path) of every quoted include."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [(text.count("\n", 0, m.start()) + 1, m.group(1)) for m in INCLUDE.finditer(text)]


def folder_of(include):
    """The folder of the table that a path, written from src/, lies in."""
    for path, folder in NESTED.items():
        if include.startswith(path + "/"):
            return folder
    return include.split("/", 1)[0] if "/" in include else None


def breaches_of_file(root, path, folder, allowed):
    where = path.relative_to(root)
    for line, include in includes_of(path):
        target = folder_of(include)
        if ".." in Path(include).parts:
            yield f"{where}:{line}: #include \"{include}\": write the path from src/"
        elif target is None:
            yield f"{where}:{line}: #include \"{include}\": write the folder, \"{folder}/{include}\""
        elif target not in allowed:
            yield f"{where}:{line}: #include \"{include}\": no folder {target} in the table of tools/check_layers.py"
        elif target not in allowed[folder]:
            yield f"{where}:{line}: {folder} must not include {target} ({include})"


def breaches_of_build_file(root, path, folder, allowed):
    where = path.relative_to(root)
    for call in ADD_FOLDER.findall(re.sub(r"#.*", "", path.read_text(encoding="utf-8"))):
        words = call.split()
        if "DEPS" not in words:
            continue
        for word in words[words.index("DEPS") + 1 :]:
            if word in ("SOURCES", "NAME"):
                break
            if word not in allowed[folder]:
                yield f"{where}: {folder} must not link {word}"


def include_cycles(root, files):
    """Headers that include each other, each cycle once."""
    graph = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        graph[name] = [f"src/{i}" for _, i in includes_of(path)]
    state = {}

    def visit(name, path):
        state[name] = "open"
        for target in graph[name]:
            if target not in graph:
                continue
            if state.get(target) == "open":
                start = path.index(target)
                yield "include cycle: " + " -> ".join([*path[start:], target])
            elif target not in state:
                yield from visit(target, [*path, target])
        state[name] = "done"

    for name in sorted(graph):
        if name not in state:
            yield from visit(name, [name])


def check(root, arrows=None):
    """All breaches under root, as lines, and the number of files looked at."""
    allowed = closure(ARROWS if arrows is None else arrows)
    breaches, files = [], []
    for folder_path in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        folder = folder_path.name
        if folder not in allowed or folder == PUBLIC:
            breaches.append(f"src/{folder}: not in the table of tools/check_layers.py")
            continue
        for path in sorted(folder_path.rglob("*")):
            folder = folder_of(path.relative_to(root / "src").as_posix())
            if path.suffix in SOURCE_SUFFIXES:
                files.append(path)
                breaches += breaches_of_file(root, path, folder, allowed)
            elif path.name == "CMakeLists.txt":
                breaches += breaches_of_build_file(root, path, folder, allowed)
    for path in sorted((root / "include").rglob("*.h")):
        files.append(path)
        breaches += breaches_of_file(root, path, PUBLIC, allowed)
    breaches += include_cycles(root, files)
    return breaches, len(files)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    breaches, n_files = check(root)
    for breach in breaches:
        print(breach, file=sys.stderr)
    if breaches:
        return 1
    print(f"layers: {n_files} files keep to the arrows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
