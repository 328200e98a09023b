"""Starting plm serve, and a llama-server to compare it with, for serve_soak.py and serve_speed.py."""

import http.client
import re
import socket
import subprocess
import threading
import time


def start(arguments, *flags):
    """The process and its port, once it listens; `arguments` name the program and the model."""
    command = [arguments.plm, "serve", "--port", "0", *map(str, flags)]
    command += ["-m", arguments.model] if arguments.model else []
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"listening on \w+://\S+:(\d+)$", line.strip()):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found.group(1))
    raise SystemExit(f"plm serve did not start: {''.join(said)}")


def start_llama_server(program, model, n_slots, context, n_threads):
    """The same of llama.cpp: slots with `context` tokens each, its rows not kept beyond a request."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "-m", model, "--port", port, "-np", n_slots, "-c", n_slots * context, "-t", n_threads, "-tb", n_threads,
               "-fa", "off", "-cram", 0, "--no-kv-unified", "--no-webui"]  # fmt: skip
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return process, port
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{program} did not start: exit {process.returncode}")
