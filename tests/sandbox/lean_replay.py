"""Stands where Lean stands, inside the real walls, and answers with what a real Lean was recorded to say.

`python lean_replay.py MODE FIXTURE…`. Strict: a question that was not recorded is an error. MODE "replay" answers;
the others do what a hostile proof would like to do with the judge's process.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

FORGED = {
    "stage": "done",
    "theorem": True,
    "same_statement": True,
    "kernel": None,
    "axioms": [],
    "bodiless": 0,
    "errors": False,
}


def main(mode: str, files: list[str]) -> None:
    known = {}
    for file in files:
        for line in Path(file).read_text("utf-8").splitlines():
            row = json.loads(line)
            known[question({**row, "commands": row["lint"]})] = row["facts"]
    opening = json.loads(sys.stdin.readline())
    if mode == "no header":
        answer(opening, {"stage": "failed", "problem": "unknown module"})
        return
    answer(
        opening, {"stage": "ready", "version": "recorded", "errors": False, "seen": seen() if mode == "look" else {}}
    )
    for line in sys.stdin:
        job = json.loads(line)
        hostile(mode, job)
        answer(
            job,
            known.get(question({"commands": [], **job}), {"stage": "unrecorded", "problem": job.get("candidate", "")}),
        )


def seen() -> dict:
    """What of the host can be reached from here."""
    return {
        "secrets": [path for path in ("/etc/passwd", "/etc/hostname", "/var", "/sys") if os.path.exists(path)],
        "network": works(lambda: socket.create_connection(("127.0.0.1", 1), 1)),
        "writable": [path for path in ("/usr", "/judge", "/tmp") if works(lambda path=path: write(path))],
        "environment": sorted(os.environ),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "memory": works(lambda: bytearray(4 << 30)),
    }


def works(attempt) -> bool:
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True


def write(folder: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(f"{folder}/new", "wb") as file:
        file.write(b"x" * 10_000)


def question(row: dict) -> tuple:
    if row.get("vacuity"):
        return row["statement"], "vacuity"
    return row["statement"], row["candidate"], bool(row["commands"])


def answer(job: dict, facts: dict) -> None:
    print(f"\n{job['nonce']} {json.dumps(facts)}", flush=True)


def hostile(mode: str, job: dict) -> None:
    if mode == "forge":  # without the nonce
        print(json.dumps(FORGED))
        print("0" * 32, json.dumps(FORGED), flush=True)
    elif mode == "noise":
        os.write(1, b"\x00\xff" * 100 + b"x" * (1 << 20) + b"\n" + b"\r\n\n")
    elif mode == "flood":
        while True:
            os.write(1, b"x" * (1 << 16))
    elif mode == "hang":
        time.sleep(600)
    elif mode == "die":
        print("out of memory", flush=True)
        os._exit(137)
    elif mode == "broken":
        os.write(1, f"\n{job['nonce']} {{not json\n".encode())
    elif mode == "accept":  # a Lean that accepts everything
        answer(job, FORGED)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
