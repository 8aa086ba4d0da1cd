"""Self-attestation: a worker must prove that its limits bind before it may judge anything.

The probes are an ordinary submission, run through the same path as any other: each tries to do what
must not be possible, and the host expects the refusal. A worker that fails one is WorkerLost.
Guaranteed: the named actions failed on this worker, at its boot, on this kernel.
Not guaranteed: that no other hole exists.
"""

from __future__ import annotations

from typing import NamedTuple

from records.nouns import content_hash
from sandbox.assess import assess
from sandbox.link import Link
from sandbox.nouns import Limits, Submission, TestCase, WorkerLost
from sandbox.values import encode

_CODE = """
import ctypes, os, resource, socket

def refused(action, *arguments):
    try:
        action(*arguments)
    except (OSError, MemoryError):
        return True
    return False

def call(number, *arguments):
    return ctypes.CDLL(None, use_errno=True).syscall(number, *arguments) == -1

def forks():
    pids = []
    try:
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                while True:
                    os.read(pipe[0], 1)
                    os._exit(0)
            pids.append(pid)
    except OSError:
        return True
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return False

pipe = os.pipe()

def fill():
    path = "/tmp/fill"
    try:
        for part in range(4):
            with open(path + str(part), "wb") as file:
                for _ in range(7):
                    file.write(bytes(1 << 20))
    except OSError:
        return True
    finally:
        for part in range(4):
            if os.path.exists(path + str(part)):
                os.unlink(path + str(part))
    return False

def many_files():
    made = 0
    try:
        for made in range(3000):
            os.close(os.open("/tmp/i%d" % made, os.O_CREAT | os.O_WRONLY))
    except OSError:
        return True
    finally:
        for name in os.listdir("/tmp"):
            os.unlink("/tmp/" + name)
    return False

def writable():
    found = []
    with open("/proc/self/mounts") as file:
        places = {line.split()[1] for line in file}
    for place in sorted(places | {"/", "/sandbox", "/python", "/dev", "/run", "/var"} - {"/tmp"}):
        if place != "/tmp" and os.path.isdir(place):
            try:
                os.close(os.open(place + "/probe", os.O_CREAT | os.O_WRONLY))
                found.append(place)
            except OSError:
                pass
    return found

def look(path):
    with open(path, "rb") as file:
        return file.read(1)

def init_open():
    return [p for p in ("/proc/1/fd/0", "/proc/1/fd/1", "/proc/1/mem", "/proc/1/environ", "/proc/1/maps")
            if not refused(look, p)]

def privileges():
    with open("/proc/self/status") as file:
        facts = dict(line.split(":", 1) for line in file)
    return [facts[name].strip() for name in ("CapPrm", "CapEff", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp")]

def alone():
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]

def network():
    with open("/proc/net/dev") as file:
        return sorted({line.split(":")[0].strip() for line in file if ":" in line} - {"lo", "sit0", "tunl0", "ip6tnl0"})

def interpreter():
    return refused(os.execv, "/python/bin/python3", ["x"])
"""
_NONE = ["0000000000000000"] * 4
MUST_WORK = ("it runs at all", "a socket pair (asyncio needs it)")
# what is tried, the call that tries it, and what it answers where the limit binds
_PROBES: tuple[tuple[str, str, object], ...] = (
    ("it runs at all", "1 + 1", 2),
    ("40 processes", "forks()", True),
    ("1 GB of memory", "refused(bytearray, 1 << 30)", True),
    ("28 MB of files", "fill()", True),
    ("3,000 files", "many_files()", True),
    ("writing outside /tmp", "writable()", []),
    ("an internet socket", "refused(socket.socket, socket.AF_INET)", True),
    ("a netlink socket", "refused(socket.socket, socket.AF_NETLINK)", True),
    ("a socket pair (asyncio needs it)", "[s.close() for s in socket.socketpair()]", [None, None]),
    ("network interfaces", "network()", []),
    ("becoming root", "refused(os.setuid, 0)", True),
    ("a signal to PID 1", "refused(os.kill, 1, 0)", True),
    ("a signal to everybody", "refused(os.kill, -1, 0)", True),
    ("opening what PID 1 has", "init_open()", []),
    ("limiting PID 1", "refused(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1))", True),
    ("pinning PID 1", "refused(os.sched_setaffinity, 1, {0})", True),
    ("running another program", "refused(os.execv, '/sandbox/worker.py', ['x'])", True),
    ("changing the root", "refused(os.chroot, '/tmp')", True),
    ("shared memory, tracing, io_uring", "[call(n, 0, 0, 0, 0, 0) for n in SHARED]", [True] * 8),
    ("capabilities, new privileges", "privileges()", [*_NONE, "1", "2"]),
    ("other processes in sight", "alone()", []),
)
# shmget, semget, msgget, mq_open, io_uring_setup, ptrace, unshare, keyctl
_SHARED = {"x86_64": (29, 64, 68, 240, 425, 101, 272, 250), "aarch64": (194, 190, 186, 180, 425, 117, 97, 219)}
_REACH = """
import os, resource

def reach():
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (1, os.getpid()):
            continue
        for place in ("mem", "environ", "maps", "fd/3", "fd/5"):
            try:
                with open("/proc/%s/%s" % (name, place), "rb") as file:
                    file.read(1)
                found.append(place)
            except OSError:
                pass
        try:
            resource.prlimit(int(name), resource.RLIMIT_CPU, (1, 1))
            found.append("prlimit")
        except OSError:
            pass
    return found
"""
APART = "reaching the process that runs tests"
LIMITS = Limits(cpu_s=10, wall_s=30, memory_mb=256)
PROBE = Submission(
    id="probe",
    code="def probe(n):\n    return sum(range(n))",
    tests=(TestCase(call="probe(100)", expected=encode(4950)),),
)


def submission(machine: str) -> Submission:
    """The probes, for one machine architecture."""
    tests = tuple(TestCase(call=call, expected=encode(expected)) for _, call, expected in _PROBES)
    return Submission(
        id="attestation", code=f"SHARED = {_SHARED[machine]}\n{_CODE}", tests=tests, entry_point="forks", limits=LIMITS
    )


def apart() -> Submission:
    """The probe that the candidate cannot look into the trusted process."""
    test = TestCase(call="assert reach() == []")
    return Submission(id="apart", code=_REACH, tests=(test,), style="trusted", entry_point="reach", limits=LIMITS)


class Proof(NamedTuple):
    """One probe: what was tried, whether the limit held, and what the worker answered."""

    limit: str
    holds: bool
    detail: str


async def prove(link: Link) -> list[Proof]:
    """Run the probes on a worker, one by one. Raises WorkerLost if it cannot run any."""
    probes = submission(link.boot["machine"])
    names = [limit for limit, _, _ in _PROBES]
    singles = [probes.model_copy(update={"tests": (test,)}) for test in probes.tests]
    proofs = []
    for limit, single in zip([*names, APART], [*singles, apart()], strict=True):
        verdict = assess(single, await link.ask(single))
        proofs.append(Proof(limit, verdict.passed, verdict.evidence))
    return proofs


async def attest(link: Link) -> str:
    """Run the probes on a fresh worker; returns the attestation hash. Raises WorkerLost if one fails."""
    probes = submission(link.boot["machine"])
    verdict = assess(probes, await link.ask(probes))
    if not verdict.passed:
        failed = [limit for (limit, _, _), word in zip(_PROBES, verdict.tests, strict=True) if word != "pass"]
        detail = verdict.evidence.replace("\n", "; ")
        raise WorkerLost(f"its limits do not bind ({', '.join(failed[:3])}): {detail}. Code was not run")
    kept_apart = assess(apart(), await link.ask(apart()))
    if not kept_apart.passed:
        raise WorkerLost(f"its limits do not bind ({APART}): {kept_apart.evidence.splitlines()[-1]}. Code was not run")
    facts = {
        "boot": {k: v for k, v in link.boot.items() if k != "uid"},
        "probes": [probes.model_dump(), apart().model_dump()],
    }
    return content_hash({**facts, "tests": verdict.tests, "tier": link.tier.name, "image": link.tier.image})
