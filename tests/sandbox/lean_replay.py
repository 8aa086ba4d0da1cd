"""Stands where Lean stands, inside the real walls, and answers what its MODE says: made answers, not recorded ones.

Modes "refuse" and "believe" judge the canaries rightly and refuse or believe everything else; "vacuous" believes and
finds every statement vacuous; the others do what a hostile proof would like to do with the judge's process.
"""

import json
import os
import signal
import socket
import sys
import time

FORGED = {
    "stage": "done",
    "theorem": True,
    "same_statement": True,
    "kernel": None,
    "axioms": [],
    "bodiless": 0,
    "errors": False,
}


def main(mode: str) -> None:
    opening = json.loads(sys.stdin.readline())
    if mode == "no header":
        answer(opening, {"stage": "failed", "problem": "unknown module"})
        return
    answer(opening, {"stage": "ready", "errors": False, "seen": seen() if mode == "look" else {}})
    for line in sys.stdin:
        job = json.loads(line)
        hostile(mode, job)
        answer(job, facts(mode, job))


def facts(mode: str, job: dict) -> dict:
    name = job.get("name", "")
    if mode not in ("refuse", "believe", "vacuous"):
        return {"stage": "unheard of", "problem": job.get("candidate", "")}
    if job.get("vacuity"):
        return {"stage": "vacuity", "vacuous": "omega" if mode == "vacuous" else None}
    if name == "canary_true" or (mode != "refuse" and not name.startswith("canary")):
        return FORGED
    return {
        "stage": "elaborate",
        "errors": True,
        "messages": [{"severity": "error", "line": 1, "text": "unsolved goals"}],
    }


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
    main(sys.argv[1])
