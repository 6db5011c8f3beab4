"""On which network sockets a process listens."""

import os
from pathlib import Path


def listening(pid: int | str) -> list[str]:
    """The network sockets that accept connections or datagrams, as protocol and address."""
    held, sockets = _inodes(pid), []
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        table = Path(f"/proc/{pid}/net/{kind}")
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[9] in held and (fields[3] == "0A" or not kind.startswith("tcp")):
                sockets.append(f"{kind} {fields[1]}")
    return sockets


def _inodes(pid: int | str) -> set[str]:
    """The sockets that a process holds."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(file)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes
