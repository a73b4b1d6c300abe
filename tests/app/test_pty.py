"""The app in a real pseudo-terminal: bytes that leave it, keys that reach it, how it ends (R25)."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from tests.app.conftest import plant_hostile_modules

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
LEAVE_ALTERNATE_SCREEN, SHOW_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"
DEADLINE_S = 120.0
UNWANTED_VARIABLES = (
    "COLORTERM", "NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "TEXTUAL_DRIVER",
    "COLUMNS", "LINES",  # set by the test runner's workers; they overrule the terminal's own size
)  # fmt: skip
HOSTILE = (
    "a\x1b]0;title\x07",
    "b\x1b]52;c;ZXZpbA==\x07",
    "c\x1b]8;;http://evil.example\x1b\\",
    "d\x1b[6n\x1b[c\x1bc\x1b#8",
    "e\x1bP+q544e\x1b\\\x1b_Gi=1;AAAA\x1b\\",
    "f\x9b31m\x9d0;x\x9c\x85",
    "g\u202egnp\u2066",
    "[@click=app.quit]h[/]",
    "[/]",
)
FORBIDDEN = re.compile(
    rb"\x1b\]|\x1b[cPX^_#]|\x1b\[\d*[nc]|\x07|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)
"""OSC, resets, queries, strings, bells, C1, direction marks."""
SEQUENCE = re.compile(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]")
CUT_OFF_SEQUENCE = re.compile(rb"(\x1b(\[[0-9;?]*)?)?$")
POINTER_SHAPE = re.compile(rb"\x1b\]22;[a-z-]*\x07")
"""The one OSC that Textual itself writes."""


class Terminal:
    """Runs the app on a pseudo-terminal and keeps everything it writes."""

    def __init__(self, *arguments, term="xterm-256color", size=(120, 36), state_dir, cwd=None):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.attributes = termios.tcgetattr(self.slave)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": term,
            "XDG_STATE_HOME": str(state_dir),
            "XDG_CONFIG_HOME": str(state_dir),
        }
        for name in UNWANTED_VARIABLES:
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SCRIPT, *map(str, arguments)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment,
            start_new_session=True,
            cwd=cwd,
        )
        self.written = bytearray()
        self.shown = ""
        self._num_decoded = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return
            if not piece:
                return
            self.written += piece

    def wait_for(self, text):
        """Until `text` has been written at any time, escape sequences left out."""
        started = time.monotonic()
        while time.monotonic() - started < DEADLINE_S:
            self._decode_new()
            if text in self.shown:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear; the app wrote {len(self.written)} bytes")

    def _decode_new(self):
        """Add what came since the last call to `shown`, but for a sequence that is cut off."""
        piece = bytes(self.written[self._num_decoded :])
        ending = CUT_OFF_SEQUENCE.search(piece)
        assert ending is not None
        piece = piece[: ending.start()]
        self._num_decoded += len(piece)
        self.shown += self._decoder.decode(SEQUENCE.sub(b"", piece))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        status = self.process.wait(timeout=DEADLINE_S)
        time.sleep(0.2)
        restored = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        self._reader.join(timeout=2)
        last = bytes(self.written).rsplit(LEAVE_ALTERNATE_SCREEN, 1)[-1]
        assert not re.search(rb"[A-Za-z]{3}", SEQUENCE.sub(b"", last)), "words after the app's end"
        return status, restored == self.attributes

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def open_terminal(tmp_path):
    opened = []

    def open_one(*arguments, **options):
        opened.append(Terminal(*arguments, state_dir=tmp_path / "state", **options))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.kill()


@pytest.fixture
def hostile_folder(tmp_path):
    """A folder whose modules leave a trace when anything runs them (R45)."""
    folder = tmp_path / "hostile-folder"
    plant_hostile_modules(folder)
    yield folder
    assert not (folder / "RAN").exists()


@pytest.mark.parametrize("term", ["xterm-256color", "screen"])
def test_starts_draws_and_gives_the_terminal_back(open_terminal, cohort_dir, term, hostile_folder):
    terminal = open_terminal(cohort_dir, "--patient", "p0002", term=term, cwd=hostile_folder)
    terminal.wait_for("12-lead ECG")
    terminal.wait_for("RESEARCH USE ONLY")
    terminal.wait_for("frame")
    terminal.press("gvl" * 31 + "qls\n")  # what follows the q is nobody's
    while LEAVE_ALTERNATE_SCREEN not in terminal.written:
        terminal.press("\x1b[<35;20;10M")  # the mouse moves on until its reports are off
        time.sleep(0.01)
    terminal.process.wait(timeout=DEADLINE_S)
    assert not select.select([terminal.slave], [], [], 0)[0], "nothing is left for the shell"
    assert b"35;20;10" not in terminal.written, "nor is it echoed"
    status, is_restored = terminal.end()
    assert status == 0
    assert is_restored
    assert terminal.written.count(LEAVE_ALTERNATE_SCREEN) == 1
    last = bytes(terminal.written).rsplit(LEAVE_ALTERNATE_SCREEN, 1)[1]
    assert not re.search(rb"\x1b[_P\]]", last), "no picture after the screen was left"
    assert SHOW_CURSOR in last


@pytest.mark.parametrize(
    ("number", "term"), [(signal.SIGTERM, "tmux-256color"), (signal.SIGHUP, "xterm-256color")]
)
def test_a_kill_gives_the_terminal_back(open_terminal, cohort_dir, number, term):
    terminal = open_terminal(cohort_dir, "--patient", "p0002", term=term)
    terminal.wait_for("frame")
    terminal.process.send_signal(number)
    status, is_restored = terminal.end()
    assert status == 130
    assert is_restored
    assert LEAVE_ALTERNATE_SCREEN in terminal.written


def test_even_a_kill_that_cannot_be_handled_gives_the_terminal_back(open_terminal, cohort_dir):
    terminal = open_terminal(cohort_dir, "--patient", "p0002")
    terminal.wait_for("frame")
    terminal.process.kill()
    terminal.process.wait(timeout=DEADLINE_S)
    started = time.monotonic()
    while SHOW_CURSOR not in terminal.written[-200:] and time.monotonic() - started < DEADLINE_S:
        time.sleep(0.02)
    status, is_restored = terminal.end()
    assert status == -signal.SIGKILL
    assert is_restored
    assert LEAVE_ALTERNATE_SCREEN in terminal.written


def test_an_app_whose_terminal_is_gone_ends(open_terminal, cohort_dir):
    terminal = open_terminal(cohort_dir, "--patient", "p0002")
    terminal.wait_for("frame")
    os.close(terminal.slave)
    os.close(terminal.master)
    assert terminal.process.wait(timeout=DEADLINE_S) != 0


def test_no_sequence_from_data_leaves_the_app(open_terminal, tmp_path, hostile_folder):
    root = tmp_path / "hostile"
    Cohort.create(root, name=HOSTILE[0], source="files", preprocessing_hash="0" * 16).close()
    with Cohort.write(root, purpose="test") as writer:
        people = [{"patient": text, "sex": text} for text in HOSTILE]
        writer.put_patients(pa.Table.from_pylist(people))
        writer.put_run(HOSTILE[1], kind=HOSTILE[2], config={})
    with Cohort.open(root) as cohort:
        cohort.save_cohort("all", [(HOSTILE[7], "visit = 0"), (HOSTILE[1], "sex <> ''")])
    terminal = open_terminal(root, size=(146, 40), cwd=hostile_folder)
    terminal.wait_for("9 visits")
    for keys, shown in (
        ("\r", "Patient"),
        ("3", "Neighbours"),
        ("5", "Runs"),
        ("4", "sandboxed"),
        ("\x0a", "rows"),
        ("\x12", "Earlier statements"),
        ("\x1b[23~\x1b", ""),
        ("\x1b", ""),
        ("1?", "Keys: cohort"),
        ("q\x1b[24~", "test pattern"),
        ("qc", "saved as"),
        ("c", "differ by SD"),
        ("q", ""),
        ("/no[/]such", ""),
        ("\r", ""),
        ("\x13", "Save these rows"),
        ("\x1b", ""),
        ("2f", "Quality of the recordings"),
        ("qe", "Write into"),
        ("q\x10a", "Search"),
        ("\x1b", ""),
        ("\x0f", "Load an ECG"),
        ("\x1b", ""),
    ):
        terminal.press(keys)
        terminal.wait_for(shown)
        time.sleep(0.0 if shown else 1.0)  # Esc on its own: what follows would be its sequence
    terminal.press("\x11")
    status, _ = terminal.end()
    assert status == 0
    written = POINTER_SHAPE.sub(b"", bytes(terminal.written))
    match = FORBIDDEN.search(written)
    assert match is None, written[max(match.start() - 30, 0) : match.end() + 30]
