"""A Python that has imported what takes long, and forks for each request.

    python warm_server.py SOCKET MODULES BLOCKED

SOCKET is the number of an inherited one. A request is a line of JSON with the
arguments of a Python command (`-I`, `-m` or `-c` are understood), its folder
and environment; with it come its standard files and a pipe that is told the
process's number, then its exit code, minus the signal that ended it.

A fork is safe up to TensorFlow's first operation, and nothing runs here.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback


def run(arguments: list[str]) -> None:
    """As `python ARGUMENTS` would."""
    if arguments[0] == "-I":
        arguments = arguments[1:]
    else:
        sys.path.insert(0, os.getcwd())
    if arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        code = compile(arguments[1], "<string>", "exec")
        exec(code, {"__name__": "__main__"})  # noqa: S102
    elif arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def child(request: dict, files: list[int]) -> None:
    """The process that was asked for; does not return."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, 1024)
    if request["new_session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    code = 1
    try:
        run(request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def nurse(request: dict, files: list[int]) -> None:
    """Starts the process and tells how it ended; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if not process:
        child(request, files)
    os.write(files[3], f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    os.write(files[3], f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def main(number: str, modules: str, blocked: str) -> None:
    """Serves until the other end of the socket is closed."""
    for name in filter(None, blocked.split(",")):
        sys.modules[name] = None
    for name in filter(None, modules.split(",")):
        importlib.import_module(name)
    # What is loaded is not looked through, and so not copied, by each child.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # No zombies of nurses.
    asked = socket.socket(fileno=int(number))
    while True:
        text, files, _, _ = socket.recv_fds(asked, 1 << 20, 4)
        if not text:
            return
        if not os.fork():
            asked.close()
            nurse(json.loads(text), files)
        for file in files:
            os.close(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
