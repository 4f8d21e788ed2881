"""Has `fork_server.py` start `python -m …` and is that process to a shell. It imports little."""

import json
import os
import signal
import socket
import sys


def _main() -> None:
    door, *words = sys.argv[1:]
    order = {"words": words, "folder": str(os.getcwd()), "environment": dict(os.environ)}  # noqa: PTH109  pathlib is no little
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(door)
        text = json.dumps(order).encode() + b"\n"
        sent = socket.send_fds(server, [text], [0, 1, 2])
        server.sendall(text[sent:])
        told = server.makefile()
        pid = json.loads(told.readline())["pid"]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda sent, _: os.kill(pid, sent))
        code = json.loads(told.readline())["code"]
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


_main()
