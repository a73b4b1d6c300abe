"""A disposable child process: bounded memory, a deadline for every request, killable at any time.

What cannot be trusted to end, to stay small or not to crash (statements of people, native
decoders, index builds) runs here. Requests and answers are JSON with an optional block of
bytes; nothing is unpickled. The child starts with `-P`, so that no file of the current folder
is imported, and it ends with its parent: at end of file while it waits, at its own timer while
it works.
"""

import contextlib
import importlib
import json
import os
import resource
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ptacl_core.errors import PtaclError
from ptacl_core.safety.processes.one_thread import ONE_THREAD
from ptacl_core.safety.processes.parent_watch import end_with_parent

Message = dict[str, Any]
"""A request or an answer as the other side of the pipe reads it from JSON.

What a message holds is stated where it is made; a child that sends another one is a fault of its
target, and shows as a KeyError or TypeError there.
"""
Handler = Callable[[Message, bytes], tuple[Mapping[str, object], bytes]]
"""What a child runs per request: document and bytes in, document and bytes out."""

_HEADER = struct.Struct("<QQ")
_MAX_DOCUMENT_BYTES = 512 * 2**20
_MAX_PAYLOAD_BYTES = 4 * 2**30
_GRACE_S = 2.0
_BOOTSTRAP = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from ptacl_core.safety.processes.worker import serve; "
    "serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))"
)


class WorkerEndedError(PtaclError):
    """The child ended before it answered; `reason` says why."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """"deadline", "cancelled" or "died"."""


class WorkerFailedError(PtaclError):
    """The child answered with an error; `kind` is its class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Worker:
    """One child process that answers requests in turn; started anew after it was killed.

    `target` is "module:function", a `Handler`. `pass_files` are descriptors that the child
    inherits under the same numbers. `call` may be used from several threads (they wait for one
    another), `cancel` from any thread at any time.
    """

    def __init__(
        self,
        target: str,
        *,
        name: str,
        address_space_bytes: int,
        pass_files: Sequence[int] = (),
    ) -> None:
        self.target = target
        self.name = name
        self.address_space_bytes = address_space_bytes
        self.num_starts = 0
        self._pass_files = tuple(pass_files)
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[..., Worker] | None = None
        self._is_cancelled = False

    def call(
        self, request: Mapping[str, object], payload: bytes = b"", *, deadline_s: float
    ) -> tuple[Message, bytes]:
        """Send a request and return the answer.

        Raises WorkerEndedError when the child died, was cancelled, or was killed because
        `deadline_s` had passed; WorkerFailedError when the request failed in the child.
        """
        with self.session() as call:
            return call(request, payload, deadline_s=deadline_s)

    @contextlib.contextmanager
    def session(self) -> Iterator[Callable[..., tuple[Message, bytes]]]:
        """Hold the child for several calls in a row; gives `call` with the same arguments."""
        with self._turn:
            self._is_cancelled = False
            yield self._call

    def _call(
        self, request: Mapping[str, object], payload: bytes = b"", *, deadline_s: float
    ) -> tuple[Message, bytes]:
        if self._is_cancelled:
            raise WorkerEndedError("cancelled", f"{self.name}: cancelled")
        process = self._running()
        document = json.dumps({"deadline_s": deadline_s, "request": request}).encode()
        message = _HEADER.pack(len(document), len(payload)) + document + payload
        try:
            answer, block = _exchange(process, message, time.monotonic() + deadline_s)
        except TimeoutError:
            self._kill()
            raise WorkerEndedError(
                "deadline", f"{self.name}: stopped after {deadline_s:g} s without an answer"
            ) from None
        except (EOFError, OSError, ValueError):
            reason = "cancelled" if self._is_cancelled else "died"
            status = self._kill()
            raise WorkerEndedError(
                reason, f"{self.name}: {_describe_end(reason, status)}"
            ) from None
        except BaseException:
            self._kill()
            raise
        if "error" in answer:
            raise WorkerFailedError(str(answer["error"]), str(answer["message"]))
        return answer["answer"], block

    def cancel(self) -> None:
        """Kill the child now; a call that waits for it raises WorkerEndedError."""
        self._is_cancelled = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the child; the next call starts another."""
        with self._turn:
            self._kill()

    @property
    def is_running(self) -> bool:
        """True while there is a child that can answer."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._process.pid if self._process is not None else None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        root = str(Path(__file__).resolve().parents[3])
        arguments = [root, self.target, str(self.address_space_bytes), str(os.getpid())]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOTSTRAP, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            pass_fds=self._pass_files,
            bufsize=0,
        )
        self._end = weakref.finalize(self, _end_process, self._process)
        self.num_starts += 1
        return self._process

    def _kill(self) -> int | None:
        if self._process is None:
            return None
        if self._end is not None:
            self._end()
        status = self._process.returncode
        self._process = self._end = None
        return status


def call_once(
    target: str,
    request: Mapping[str, object],
    payload: bytes = b"",
    *,
    name: str,
    address_space_bytes: int,
    deadline_s: float,
    pass_files: Sequence[int] = (),
) -> tuple[Message, bytes]:
    """One request to a child of its own; see `Worker`."""
    worker = Worker(
        target, name=name, address_space_bytes=address_space_bytes, pass_files=pass_files
    )
    try:
        return worker.call(request, payload, deadline_s=deadline_s)
    finally:
        worker.close()


def serve(target: str, address_space_bytes: int, parent: int) -> None:
    """The child's loop: read a request, answer it, until the parent closes the pipe or is gone."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    os.close(silence)
    module, _, function = target.partition(":")
    handler: Handler = getattr(importlib.import_module(module), function)
    resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    while (received := _receive(incoming)) is not None:
        document, payload = received
        signal.setitimer(signal.ITIMER_REAL, float(document["deadline_s"]) + _GRACE_S)
        answer, block = _answer(handler, document["request"], payload)
        signal.setitimer(signal.ITIMER_REAL, 0)
        text = json.dumps(answer).encode()
        outgoing.write(_HEADER.pack(len(text), len(block)) + text)
        outgoing.write(block)
        outgoing.flush()


def _answer(
    handler: Handler, request: Message, payload: bytes
) -> tuple[Mapping[str, object], bytes]:
    try:
        document, block = handler(request, payload)
    except MemoryError:
        return {"error": "MemoryError", "message": "the memory limit was reached"}, b""
    except Exception as error:  # noqa: BLE001 - the boundary: every failure becomes an answer
        return {"error": type(error).__name__, "message": str(error)}, b""
    else:
        return {"answer": document}, block


def _receive(stream: BinaryIO) -> tuple[Message, bytes] | None:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    document_bytes, payload_bytes = _HEADER.unpack(header)
    return json.loads(stream.read(document_bytes)), stream.read(payload_bytes)


def _exchange(
    process: subprocess.Popen[bytes], message: bytes, deadline: float
) -> tuple[Message, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    source, sink = process.stdout.fileno(), process.stdin.fileno()
    os.set_blocking(sink, False)
    os.set_blocking(source, False)
    left = memoryview(message)
    received = bytearray()
    needed: int | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        selector.register(sink, selectors.EVENT_WRITE)
        while needed is None or len(received) < needed:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fd == sink:
                    left = left[os.write(sink, left[: 1 << 20]) :]
                    if not left:
                        selector.unregister(sink)
                    continue
                piece = os.read(source, 1 << 20)
                if not piece:
                    raise EOFError
                received += piece
            if needed is None and len(received) >= _HEADER.size:
                needed = _frame_bytes(received)
    document_bytes, _ = _HEADER.unpack_from(received)
    stop = _HEADER.size + document_bytes
    return json.loads(bytes(received[_HEADER.size : stop])), bytes(received[stop:needed])


def _frame_bytes(received: bytearray) -> int:
    document_bytes, payload_bytes = _HEADER.unpack_from(received)
    if document_bytes > _MAX_DOCUMENT_BYTES or payload_bytes > _MAX_PAYLOAD_BYTES:
        raise ValueError("an answer of impossible size")
    return _HEADER.size + document_bytes + payload_bytes


def _end_process(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _describe_end(reason: str, status: int | None) -> str:
    if reason == "cancelled":
        return "cancelled"
    if status is not None and status < 0:
        return f"the process ended by itself (signal {-status}), most likely out of memory"
    return f"the process ended by itself (status {status})"


def _environment() -> dict[str, str]:
    kept = dict(os.environ)
    given = kept.pop("PYTHONPATH", "")
    absolute = [entry for entry in given.split(os.pathsep) if Path(entry).is_absolute()]
    if absolute:
        kept["PYTHONPATH"] = os.pathsep.join(absolute)
    for name in ("PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT"):
        kept.pop(name, None)
    kept["MALLOC_ARENA_MAX"] = "2"
    return kept | ONE_THREAD
