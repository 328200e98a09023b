"""`plm chat` at a terminal (a pty) and from a pipe."""

import json
import os
import pty
import select
import signal
import termios
import time

import pytest

PROMPT = b"> "


class Terminal:
    """A program with a terminal of its own, typed at and read from."""

    def __init__(self, *command, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(str(command[0]), [str(word) for word in command], env or os.environ)
        self.seen = b""

    def until(self, text, seconds=30):
        """What appears up to and with `text`."""
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    piece = os.read(self.fd, 65536)
                except OSError:
                    break
                if not piece:
                    break
                self.seen += piece
        assert text in self.seen, self.seen
        place = self.seen.index(text) + len(text)
        shown, self.seen = self.seen[:place], self.seen[place:]
        return shown

    def until_more(self, seconds=30):
        """Waits until anything appears."""
        assert self.seen or select.select([self.fd], [], [], seconds)[0], "nothing comes"

    def until_editing(self, seconds=30):
        """Waits until the line editor has taken the terminal over: what is typed before, the terminal itself edits."""
        end = time.monotonic() + seconds
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < end, "the line editor does not begin"
            time.sleep(0.001)

    def until_prompt(self):
        """What appears before the next prompt, which then is ready for keys."""
        shown = self.until(b"\r\n" + PROMPT)
        self.until_editing()
        return shown

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def ask(self, line):
        """What appears between a line and the next prompt."""
        self.type(line + "\n")
        self.until(b"\r\n")
        return self.until_prompt()

    def exit_code(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"still running: {self.seen}")

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


@pytest.fixture
def chat(plm, tmp_path):
    opened = []

    def open_chat(*flags, env=None):
        env = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm"} | (env or {})
        terminal = Terminal(plm.path, "chat", "-s", 1, *flags, env=env)
        opened.append(terminal)
        terminal.until(PROMPT)
        terminal.until_editing()
        return terminal

    yield open_chat
    for terminal in opened:
        terminal.close()


def test_answers_stream_and_ctrl_d_leaves(chat):
    terminal = chat("-n", 20)
    assert len(terminal.ask("Tell me of a fox.")) > 10
    assert len(terminal.ask("Und was für Bäume? 中文")) > 4
    terminal.type(b"\x04")
    assert terminal.exit_code() == 0
    assert b"tok/s" in terminal.seen


def test_ctrl_c_stops_an_answer_and_not_the_program(chat):
    terminal = chat("--ignore-eos", "--context-shift")
    for _ in range(3):
        terminal.type("Tell me of a fox.\n")
        terminal.until(b"\r\n")
        terminal.until_more()
        terminal.type(b"\x03")
        terminal.until_prompt()
    assert b"/regen" in terminal.ask("/help")


def test_ctrl_c_at_the_prompt_clears_the_line_and_twice_leaves(chat):
    terminal = chat("-n", 5)
    terminal.type("half a line")
    terminal.until(b"half a line")
    terminal.type(b"\x03")
    assert b"Ctrl-C again" not in terminal.until(PROMPT)
    terminal.until_editing()
    terminal.type(b"\x03")
    assert b"Ctrl-C again" in terminal.until_prompt()
    terminal.type(b"\x03")
    assert terminal.exit_code() == 0


def test_lines_are_edited_and_remembered(chat, tmp_path):
    terminal = chat("-n", 5)
    terminal.type(b"/sestem\x01\x1b[C\x1b[C\x04y\n")  # home, right, right, delete, y
    assert b"no system message" in terminal.until_prompt()
    terminal.type(b"\x10\n")  # the line before
    assert b"no system message" in terminal.until_prompt()
    terminal.type(b"/exit\n")
    assert terminal.exit_code() == 0
    assert "/system" in (tmp_path / "state/plm/history").read_text()
    again = chat("-n", 5)
    again.type(b"\x10\x10\n")
    assert b"no system message" in again.until_prompt()


def test_a_home_that_cannot_be_written_is_no_obstacle(chat):
    terminal = chat("-n", 5, env={"XDG_STATE_HOME": "/proc/nothing", "HOME": "/proc"})
    assert terminal.ask("Hello")
    terminal.type("/exit\n")
    assert terminal.exit_code() == 0


def test_answers_can_be_written_anew_saved_and_loaded(chat, tmp_path):
    path = tmp_path / "talk.json"
    terminal = chat("-n", 15, "-sys", "Be kind.", "--temp", "1.5")
    assert b"no answer" in terminal.ask("/regen")
    first = terminal.ask("Tell me of a fox.")
    assert terminal.ask("/regen") != first
    terminal.ask(f"/save {path}")
    saved = json.loads(path.read_text())["messages"]
    assert [message["role"] for message in saved] == ["system", "user", "assistant"]
    assert b"/save! " in terminal.ask(f"/save {path}"), "asks before it writes over a file"
    terminal.ask(f"/save! {path}")
    terminal.ask("/reset")
    assert b"Be kind." in terminal.ask("/system")
    assert b"3 messages" in terminal.ask(f"/load {path}")
    terminal.ask("And then?")
    other = tmp_path / "other.json"
    terminal.ask(f"/save {other}")
    assert json.loads(other.read_text())["messages"][:3] == saved
    assert b"cannot open" in terminal.ask(f"/load {tmp_path}/absent")
    other.write_text('{"messages":[{"role":1}]}')
    assert b"not a saved conversation" in terminal.ask(f"/load {other}")
    assert b"not known" in terminal.ask("/nonsense")


def test_a_line_may_be_continued(chat, tmp_path):
    terminal = chat("-n", 3)
    terminal.type("one\\\n")
    terminal.until(b". ")
    terminal.type("two\n")
    terminal.until_prompt()
    terminal.ask(f"/save {tmp_path}/talk")
    assert json.loads((tmp_path / "talk").read_text())["messages"][0]["content"] == "one\ntwo"


def test_a_pipe_is_read_line_by_line(plm):
    result = plm.run("chat", "-n", 10, "-s", 1, input=b"Hello\n\nAnd then?\n/regen")
    assert result.returncode == 0 and b"> " not in result.stdout[:2]
    assert result.stdout.count(b"\n") >= 3
    assert b"tok/s" in result.stderr
    wrong = plm.run("chat", input=b"/load /absent\nHello\n")
    assert wrong.returncode == 1 and b"/absent" in wrong.stderr


def test_one_question_one_answer(plm):
    result = plm.run("chat", "-p", "Hello", "-st", "-n", 10, "--no-perf", "--temp", 0)
    assert result.returncode == 0 and result.stdout.strip() and result.stderr == b""


def test_a_full_context_is_said_or_shifted(plm):
    questions = b"Tell me of a fox.\n" * 10
    full = plm.run("chat", "-c", 64, "-n", 20, "--ignore-eos", input=questions)
    assert full.returncode == 1 and b"do not fit the context" in full.stderr
    shifted = plm.run("chat", "-c", 64, "-n", 20, "--ignore-eos", "--context-shift", input=questions)
    assert shifted.returncode == 0 and b"dropped the oldest" in shifted.stderr
