"""Starting plm serve, for serve_soak.py and serve_speed.py."""

import re
import subprocess
import threading


def start(arguments, *flags):
    """The process and its port, once it listens; `arguments` name the program and the model."""
    command = [arguments.plm, "serve", "--port", "0", *map(str, flags)]
    command += ["-m", arguments.model] if arguments.model else []
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"listening on \w+://\S+:(\d+)$", line.strip()):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found.group(1))
    raise SystemExit("plm serve did not start")
