#!/usr/bin/env python3
"""Runs clang-tidy on every source of a build: tools/tidy.py BUILD_FOLDER [FILE...]

A file found clean is remembered by a hash of all that clang-tidy looked at (the preprocessed text,
the flags, the configuration, the tool's version), so a second run looks only at what changed.
Exits 1 when there is a warning.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIDY = ROOT / ".venv/bin/clang-tidy"
CLANG = "clang++-19"
# The build's flags are g++'s, with names of warnings that clang does not know.
# libstdc++ 12 uses what it deprecates itself (std::stable_sort); our own uses g++ refuses in every build.
TOLERATE_GCC = ("-Wno-unknown-warning-option", "-Wno-deprecated-declarations")
OUR_FOLDERS = ("src", "tests", "bench")
# Compiled by other builds, against an installed plm or for a wheel; here with the flags of a file over the same headers.
ELSEWHERE = ("examples/cpp/*.cpp", "python/*.cpp")
ELSEWHERE_HEADERS = ".*/(src|include|python|examples)/.*"
ALIKE = ROOT / "src/api/model.cpp"


def cache_folder():
    folder = Path(os.environ.get("PLM_CACHE", ROOT / ".cache")) / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_commands(build):
    """Source path -> the arguments it is compiled with, for our own files."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OUR_FOLDERS:
            arguments = shlex.split(entry["command"])
            # A launcher such as ccache stands before the compiler.
            first = next(i for i, word in enumerate(arguments) if word.startswith("-"))
            commands[path] = (entry["directory"], arguments[first:])
    return commands


def borrowed_commands(paths, directory, arguments):
    """The same for what is compiled elsewhere. The Python module needs nanobind, which the tests' environment has."""
    python = ROOT / ".venv/bin/python"
    ask = "import nanobind, sysconfig; print(nanobind.include_dir(), sysconfig.get_path('include'), sep='\\n')"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False) if python.exists() else None
    commands = {}
    for path in paths:
        flags = [word for word in arguments if Path(directory, word).resolve() != ALIKE]
        if path.parent.name == "python":
            if done is None or done.returncode != 0:
                print(f"tidy: {path.name} is left out: no nanobind in .venv (tools/python_env.sh)", file=sys.stderr)
                continue
            flags += [word for folder in done.stdout.split("\n")[:2] for word in ("-isystem", folder)]
        commands[path] = (directory, [*flags, str(path)])
    return commands


def preprocessing_flags(arguments):
    flags, skip = [], False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT"):
            skip = True
        elif word not in ("-c", "-MD"):
            flags.append(word)
    return flags


def fingerprint(path, directory, arguments, common):
    """None when the file does not preprocess: clang-tidy will then say why."""
    # -C keeps comments: a NOLINT is part of what clang-tidy reads.
    command = [CLANG, "-E", "-C", *preprocessing_flags(arguments), *TOLERATE_GCC]
    result = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    if result.returncode != 0:
        return None
    text = result.stdout.replace(str(ROOT).encode(), b"")
    flags = " ".join(arguments).replace(str(ROOT), "")
    name = str(path.relative_to(ROOT))
    return hashlib.sha256(common + name.encode() + flags.encode() + text).hexdigest()


def tidy(path, build, cache, directory, arguments, common):
    """What clang-tidy says about a file, "" when it is clean, and whether that was known before."""
    key = fingerprint(path, directory, arguments, common)
    if key and (cache / key).exists():
        return "", True
    command = [TIDY, "--quiet", *(f"--extra-arg={flag}" for flag in TOLERATE_GCC), str(path)]
    if path.relative_to(ROOT).parts[0] in OUR_FOLDERS:
        command += ["-p", str(build)]
    else:
        command += [f"--header-filter={ELSEWHERE_HEADERS}"]
        command += ["--", *(word for word in preprocessing_flags(arguments) if word != str(path))]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if result.returncode == 0 and "warning:" not in result.stdout:
        if key:
            (cache / key).touch()
        return "", False
    return result.stdout + result.stderr, False


def main():
    build = Path(sys.argv[1]).resolve()
    if not TIDY.exists():
        print("tidy: there is no .venv/bin/clang-tidy (tools/python_env.sh makes it)", file=sys.stderr)
        return 1
    commands = compile_commands(build)
    elsewhere = [path for pattern in ELSEWHERE for path in sorted(ROOT.glob(pattern))]
    alike = commands[ALIKE]
    if len(sys.argv) > 2:
        chosen = {Path(name).resolve() for name in sys.argv[2:]}
        elsewhere = [path for path in elsewhere if path in chosen]
        commands = {path: command for path, command in commands.items() if path in chosen}
    commands |= borrowed_commands(elsewhere, *alike)
    if not commands:
        print("tidy: no sources to look at", file=sys.stderr)
        return 1
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    configurations = sorted([*ROOT.glob("*/.clang-tidy"), *ROOT.glob("src/*/.clang-tidy")])
    common = version + b"".join(path.read_bytes() for path in [ROOT / ".clang-tidy", *configurations])
    cache = cache_folder()
    n_known, dirty = 0, []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = {
            pool.submit(tidy, path, build, cache, *command, common): path
            for path, command in commands.items()
        }
        for job in concurrent.futures.as_completed(jobs):
            said, known = job.result()
            n_known += known
            if said:
                dirty.append(jobs[job])
                print(said, flush=True)
    print(f"tidy: {len(commands)} files, {n_known} unchanged since they were clean, {len(dirty)} with warnings")
    return 1 if dirty else 0


if __name__ == "__main__":
    sys.exit(main())
