"""OpenAI's npm client drives `plm serve`."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from plm_server import Server

NODE_TESTS = Path(__file__).resolve().parent.parent / "node"


def test_the_npm_client_completes_chats_and_streams(plm):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (NODE_TESTS / "node_modules" / "openai").is_dir():
        pytest.skip("the openai npm client is not installed (tools/node_env.sh)")
    with Server(plm, "-np", 4, "-a", "story") as server:
        done = subprocess.run(
            ["node", "openai_client.mjs", server.url], cwd=NODE_TESTS, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["checks"] > 15
        assert server.is_alive()
