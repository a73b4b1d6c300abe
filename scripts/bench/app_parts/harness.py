"""The app on a pseudo-terminal, driven by keys, watched by what it writes."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"


BITS_PER_S = 2_000_000


class Harness:
    """The app on a pseudo-terminal that takes bytes as fast as told."""

    def __init__(self, *arguments: str, size: tuple[int, int], bits_per_s: float | None = None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.state = tempfile.TemporaryDirectory()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_STATE_HOME": self.state.name,
            "XDG_CONFIG_HOME": self.state.name,
        }
        for name in ("SSH_CONNECTION", "SSH_TTY"):
            environment.pop(name, None)
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SCRIPT, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.bits_per_s = bits_per_s
        self.num_bytes = 0
        self.pieces: list[tuple[float, bytes]] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                return
            if not piece:
                return
            self.num_bytes += len(piece)
            self.pieces.append((time.perf_counter(), piece))
            if self.bits_per_s:
                time.sleep(len(piece) * 8 / self.bits_per_s)

    def wait_for(self, text: str, *, since_s: float = 0.0, timeout_s: float = 300.0) -> float:
        """When `text` was written after `since_s`."""
        wanted, end = text.encode(), time.perf_counter() + timeout_s
        while time.perf_counter() < end:
            seen = b""
            for when, piece in list(self.pieces):
                if when >= since_s:
                    seen += piece
                    if wanted in seen:
                        return when
                    seen = seen[-len(wanted) - 4096 :]
            time.sleep(0.005)
        raise TimeoutError(f"{text!r} was not written")

    def press(self, keys: str) -> float:
        os.write(self.master, keys.encode())
        return time.perf_counter()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)
        self.state.cleanup()
