"""Processes that need not import TensorFlow, as `subprocess.Popen` gives them.

    with WarmPython("tensorflow", blocked="keras") as python:
        process = python.start([sys.executable, "-I", script], stdout=PIPE)

An import of TensorFlow takes seconds; a fork of a process that has done it
takes none (`warm_server.py`).
"""

import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import types

SERVER = pathlib.Path(__file__).parent / "warm_server.py"


class WarmPython:
    """A process with modules imported, which forks.

    Args:
        modules: what it imports, in order.
        blocked: a module that cannot be imported there.
    """

    def __init__(self, *modules: str, blocked: str = ""):
        self.socket, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno()),
                 ",".join(modules), blocked],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip

    def start(self, command, **options) -> "WarmProcess":
        """As `subprocess.Popen(command, **options)`; a Python's command."""
        return WarmProcess(self, command, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self._server.wait()


def subprocess_with(start) -> types.SimpleNamespace:
    """The module `subprocess` with another `Popen`, to stand in for it."""
    return types.SimpleNamespace(**{**vars(subprocess), "Popen": start})


class WarmProcess(subprocess.Popen):
    """A Popen whose process is the server's child, not ours."""

    def __init__(self, server: WarmPython, command, **options):
        self._server = server
        super().__init__(command, **options)

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env,
        startupinfo, creationflags, shell, p2cread, p2cwrite, c2pread,
        c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask,
        start_new_session, process_group,
    ):  # fmt: skip
        request = {
            "arguments": [os.fsdecode(argument) for argument in args[1:]],
            "folder": os.fspath(cwd or os.getcwd()),
            "environment": dict(os.environ if env is None else env),
            "new_session": start_new_session,
        }
        told, tell = os.pipe()
        files = [0 if p2cread < 0 else p2cread, 1 if c2pwrite < 0 else c2pwrite,
                 2 if errwrite < 0 else errwrite, tell]  # fmt: skip
        text = json.dumps(request).encode()
        socket.send_fds(self._server.socket, [text], files)
        os.close(tell)
        self._told = os.fdopen(told, "rb", buffering=0)
        self.pid = int(self._line())
        self._child_created = True
        self._close_pipe_fds(
            p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite
        )

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if not (byte := self._told.read(1)):
                raise RuntimeError("the warm Python has ended")
            line += byte
        return line

    def _wait(self, timeout):
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._line())
            self._told.close()
        return self.returncode

    def _internal_poll(self, *_, **__):
        try:
            return self._wait(0)
        except subprocess.TimeoutExpired:
            return None

    def _try_wait(self, _):
        raise NotImplementedError  # of Popen's own wait, which is not used
