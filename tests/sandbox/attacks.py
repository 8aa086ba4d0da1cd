"""Hostile and honest programs, each with the results that are right for it.

Every attack is on a task whose right answer is 42 for `f(1)` and 43 for `f(2)`; the code never
computes them, so nothing but the walls decides.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.cheats import CHEATS as NINE
from benchmarks.cheats import cheat
from sandbox import Limits, Submission, TestCase
from sandbox.values import encode

SHORT = Limits(cpu_s=3, wall_s=1.5, memory_mb=128)  # for those that wait
PATIENT = Limits(cpu_s=1.5, wall_s=30, memory_mb=128)  # for those that compute, on a machine that may be busy
WAITING = frozenset({"sleep", "stopped", "fork_bomb", "six_hungry_children"})


class Program(NamedTuple):
    """A candidate and the results that it may get."""

    name: str
    code: str
    results: tuple[str, ...]


def submission(name: str, code: str) -> Submission:
    """The task above, with this code as the candidate."""
    limits = SHORT if name in WAITING else PATIENT
    if name == "much_output":
        limits = limits.model_copy(update={"output_kb": 1024})
    tests = (TestCase(call="f(1)", expected=encode(42)), TestCase(call="f(2)", expected=encode(43)))
    return Submission(id=name, code=code, tests=tests, entry_point="f", limits=limits)


def in_call(body: str, before: str = "import os, sys") -> str:
    """A candidate that does `body` inside the call and answers 0."""
    lines = "\n    ".join(body.splitlines())
    return f"{before}\ndef f(x):\n    {lines}\n    return 0\n"


HONEST = "def f(x):\n    return 41 + x\n"
WRONG = ("wrong_answer",)
NO_GAIN = ("wrong_answer", "runtime_error")
SYSCALL = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)"

# The nine generic cheats; each passes some public harness (benchmarks/sandbox.py).
_CHEATS_RESULTS = {
    "always_equal_object": ("bad_result",),
    "int_subclass": ("bad_result",),
    "early_exit_at_import": ("early_exit",),
    "early_exit_in_the_call": ("early_exit",),
}
CHEATS = tuple(Program(name, cheat(name, "f"), _CHEATS_RESULTS.get(name, WRONG)) for name in NINE)

MORE_CHEATS = (
    Program("exit_in_call", in_call("sys.exit(0)"), ("early_exit",)),
    Program(
        "patched_encoder",
        "import sys\nfor m in list(sys.modules.values()):\n"
        "    if hasattr(m, 'encode') and hasattr(m, 'parse'): m.encode = lambda *a, **k: 'T'\n"
        "    if hasattr(m, 'same'): m.same = lambda *a: True\ndef f(x): return 0",
        WRONG,
    ),
    Program(
        "forged_frames",
        "import os, struct\ndef f(x):\n    for fd in range(64):\n        for kind in (b'V', b'E', b'D', b'L'):\n"
        "            try: os.write(fd, struct.pack('<cI', kind, 1) + b'T')\n"
        "            except OSError: pass\n    return 0",
        WRONG,
    ),
    Program(
        "the_trusted_process_s_word",
        "import os\nos.write(3, b'N\\x01\\0\\0\\0x')\nos._exit(0)",
        ("bad_result",),
    ),
    Program(
        "the_trusted_process_s_word_in_the_call",
        in_call("os.write(3, b'N\\x01\\0\\0\\0x')\nos._exit(0)"),
        ("bad_result",),
    ),
    Program(
        "every_word_at_import",
        "import os\nfor k in b'NGWEATUZ': os.write(3, bytes([k]) + b'\\x01\\0\\0\\0x')\nos._exit(0)",
        ("bad_result",),
    ),
    Program("raised_before_loading_ends", "raise type('N,G,E', (BaseException,), {})", ("runtime_error",)),
    Program(
        "control_sockets",
        in_call(
            "import glob, socket\nfor place in glob.glob('/var/run/*') + glob.glob('/run/*') + ['/run/docker.sock', "
            "'\\0docker', '/proc/1/root/run/docker.sock']:\n    try:\n        s = socket.socket(socket.AF_UNIX)\n"
            "        s.connect(place)\n        return 42\n    except OSError: pass"
        ),
        WRONG,
    ),
)

EXITS = (
    Program("exit_at_import", "import sys\ndef f(x): return 0\nsys.exit(0)", ("early_exit",)),
    Program("close_descriptors", in_call("os.closerange(0, 256)"), ("early_exit",)),
    Program("kill_itself", in_call("os.kill(os.getpid(), 9)"), ("crash",)),
    Program("segfault", in_call("import ctypes\nctypes.string_at(0)"), ("crash",)),
    Program("kill_everybody", in_call("os.kill(-1, 9)"), ("runtime_error",)),
    Program("recursion", "def f(x): return f(x)", ("runtime_error",)),
    Program("inet_socket", in_call("import socket\nsocket.create_connection(('1.1.1.1', 53), 1)"), ("runtime_error",)),
    Program("syntax", "def f(x) return 0", ("syntax_error",)),
    Program("null_byte", "def f(x): return 0\0", ("syntax_error",)),
    Program("lone_surrogate_code", "x = '\ud800'\ndef f(x): return 0", ("syntax_error",)),
    Program("no_entry", "def g(x): return 0", ("missing_entry",)),
    Program("raises", in_call("raise KeyError('no\\x1b[31m')"), ("runtime_error",)),
)

RESULTS = (
    Program(
        "infinite_iter",
        "class L(list):\n    def __iter__(s):\n        while True: yield 1\ndef f(x): return L()",
        ("bad_result",),
    ),
    Program("surrogate", "def f(x): return '\\ud800'", ("bad_result",)),
    Program("deep", "def f(x):\n    a = []\n    for _ in range(900): a = [a]\n    return a", ("bad_result",)),
    Program("cycle", "def f(x):\n    a = []\n    a.append(a)\n    return a", ("bad_result",)),
    Program("nan", "def f(x): return float('nan')", ("bad_result",)),
    Program("function", "def f(x): return f", ("bad_result",)),
    Program(
        "forged_deep_frame",
        "import os, struct\nt = b'l1:' * 100000\nos.write(3, struct.pack('<cI', b'L', 0))\n"
        "os.write(3, struct.pack('<cI', b'V', len(t)) + t)\ndef f(x): return 0",
        ("bad_result",),
    ),
    Program(
        "forged_length",
        "import os, struct\ndef f(x):\n    os.write(3, struct.pack('<cI', b'V', 1 << 31))\n    return 0",
        ("early_exit",),
    ),
    Program("giant_integer", "def f(x): return 1 << 50_000_000", ("result_limit", "bad_result")),
    Program("huge_result", "def f(x): return 'x' * 50_000_000", ("result_limit",)),
    Program("result_flood", "import os\ndef f(x):\n    while True: os.write(3, bytes(65536))", ("result_limit",)),
    Program("stdout_flood", "def f(x):\n    while True: print('x' * 1000)", ("output_limit",)),
    Program("stderr_flood", "import os\ndef f(x):\n    while True: os.write(2, bytes(4096))", ("output_limit",)),
)

RESOURCES = (
    Program("busy", "def f(x):\n    while True: pass", ("timeout_cpu",)),
    Program("sleep", "import time\ndef f(x): time.sleep(60)", ("timeout_wall",)),
    Program(
        "ignored_signals",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\ndef f(x):\n    while True: pass",
        ("timeout_cpu",),
    ),
    Program("stopped", in_call("os.kill(os.getpid(), 19)"), ("timeout_wall",)),
    Program("power", "def f(x): return 9 ** 9 ** 9", ("timeout_cpu", "memory")),
    Program(
        "fork_bomb",
        "import os\ndef f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
        ("timeout_cpu", "timeout_wall", "oom"),
    ),
    Program("four_gigabytes", "def f(x): return len(bytearray(4 << 30))", ("memory",)),
    Program("long_list", "def f(x): return len([0] * 10**10)", ("memory",)),
    Program(
        "six_hungry_children",
        "import os, time\ndef f(x):\n    for _ in range(6):\n        if os.fork() == 0:\n"
        "            a = bytearray(150 << 20)\n            for i in range(0, len(a), 4096): a[i] = 1\n"
        "            time.sleep(60)\n    time.sleep(60)",
        ("oom",),
    ),
    Program(
        "five_children_that_share_memory_with_nobody",
        "import mmap, os, time\ndef f(x):\n    for _ in range(5):\n        if os.fork() == 0:\n"
        "            a = mmap.mmap(-1, 220 << 20)\n            for i in range(0, len(a), 4096): a[i] = 1\n"
        "            time.sleep(60)\n    time.sleep(60)",
        ("oom",),
    ),
    Program(
        "children_that_are_waited_for_use_up_the_time",
        "import os, time\ndef f(x):\n    for _ in range(99):\n        if os.fork() == 0:\n"
        "            while time.process_time() < 0.3: pass\n            os._exit(0)\n        os.wait()\n    return 1",
        ("timeout_cpu",),
    ),
    Program(
        "children_that_nobody_waits_for_use_up_the_time",
        "import os, signal, time\ndef f(x):\n    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "    for _ in range(99):\n        if os.fork() == 0:\n            while time.process_time() < 0.3: pass\n"
        "            os._exit(0)\n        try: os.wait()\n        except OSError: pass\n    return 1",
        ("timeout_cpu",),
    ),
    Program(
        "gigabyte_of_files",
        "def f(x):\n    try:\n        for n in range(1000):\n"
        "            with open('/tmp/%d' % n, 'wb') as h: h.write(bytes(1 << 20))\n    except OSError: return 0",
        NO_GAIN,
    ),
    Program(
        "one_big_file", in_call("open('/tmp/big', 'wb').write(bytes(64 << 20))"), ("runtime_error", "memory", "crash")
    ),
    Program("inode_bomb", in_call("for n in range(100000): open('/tmp/%d' % n, 'w').close()"), ("runtime_error",)),
    Program(
        "thread_bomb",
        in_call("import threading, time\nfor _ in range(1000): threading.Thread(target=time.sleep, args=(9,)).start()"),
        ("runtime_error",),
    ),
)

# Against a test that expects ValueError from f(1) and KeyError from f(2).
_ALL_NAMES = "'A,ValueError,TypeError,KeyError,IndexError,ZeroDivisionError'"


def raising_submission(name: str, code: str) -> Submission:
    """The task in which exceptions are right."""
    tests = (TestCase(call="f(1)", raises="ValueError"), TestCase(call="f(2)", raises="KeyError"))
    return Submission(id=name, code=code, tests=tests, entry_point="f", limits=PATIENT)


AGAINST_RAISES = (
    Program("names_with_commas", f"def f(x): raise type({_ALL_NAMES}, (Exception,), {{}})", ("runtime_error",)),
    Program(
        "qualified_names",
        f"def f(x):\n    E = type('E', (Exception,), {{}})\n    E.__qualname__ = {_ALL_NAMES}\n"
        "    E.__name__ = E.__qualname__\n    raise E",
        ("runtime_error",),
    ),
    Program(
        "own_classes_of_that_name",
        "class ValueError(Exception): pass\nclass KeyError(Exception): pass\n"
        "def f(x):\n    raise ValueError if x == 1 else KeyError",
        ("runtime_error",),
    ),
    Program(
        "everything_at_once",
        "class E(ValueError, TypeError, KeyError, IndexError): pass\ndef f(x): raise E",
        ("runtime_error",),
    ),
    Program(
        "forged_names",
        f"import os, struct\ndef f(x):\n    t = {_ALL_NAMES}.encode()\n"
        "    os.write(3, struct.pack('<cI', b'X', len(t)) + t)\n    os._exit(0)",
        ("runtime_error",),
    ),
    Program(
        "forged_class",
        "class M(type):\n    __name__ = 'ValueError,KeyError'\n    def mro(c): return type.mro(c)\n"
        "class E(Exception, metaclass=M): __class__ = ValueError\ndef f(x): raise E",
        ("runtime_error",),
    ),
    Program("a_value_instead", "def f(x): return ValueError if x == 1 else KeyError", ("wrong_answer", "bad_result")),
    Program("honest", "def f(x): raise ValueError if x == 1 else KeyError('k')", ("pass",)),
    Program(
        "honest_subclasses",
        "class A(ValueError): pass\nclass B(AttributeError, KeyError): pass\n"
        "def f(x): raise A('a') if x == 1 else B('b')",
        ("pass",),
    ),
)

PRIVILEGES = (
    Program("kill_init", in_call("os.kill(1, 9)"), NO_GAIN),
    Program("stop_init", in_call("os.kill(1, 19)"), NO_GAIN),
    Program("read_init", in_call("open('/proc/1/mem', 'rb').read(1)"), NO_GAIN),
    Program("init_descriptors", in_call("[open('/proc/1/fd/%d' % n, 'wb') for n in range(9)]"), NO_GAIN),
    Program("init_environment", in_call("open('/proc/1/environ').read()"), NO_GAIN),
    Program("limit_init", in_call("import resource\nresource.prlimit(1, resource.RLIMIT_CPU, (1, 1))"), NO_GAIN),
    Program("pin_init", in_call("os.sched_setaffinity(1, {0})"), NO_GAIN),
    Program("become_root", in_call("os.setuid(0)"), NO_GAIN),
    Program("write_root", in_call("open('/owned', 'w')"), NO_GAIN),
    Program("write_worker", in_call("open('/sandbox/child.py', 'a')"), NO_GAIN),
    Program("lower_oom_score", in_call("open('/proc/self/oom_score_adj', 'w').write('-900')"), NO_GAIN),
    Program("execute_python", in_call("os.execv(sys.executable, ['python', '-c', ''])"), NO_GAIN),
    Program(
        "execute_from_tmp",
        in_call(
            "open('/tmp/x', 'w').write('#!/python/bin/python3')\nos.chmod('/tmp/x', 0o755)\nos.execv('/tmp/x', ['x'])"
        ),
        NO_GAIN,
    ),
    *(
        Program(
            f"syscall_{name}",
            f"{SYSCALL}\ndef f(x):\n    return 42 if libc.syscall({arguments}) != -1 else 0",
            WRONG,
        )
        for name, arguments in (
            ("ptrace_traceme", "101, 0, 0, 0, 0"),
            ("ptrace_attach", "101, 16, 1, 0, 0"),
            ("process_vm_readv", "310, 1, 0, 0, 0, 0, 0"),
            ("unshare_user", "272, 0x10000000"),
            ("clone_newuser", "56, 0x10000011, 0, 0, 0, 0"),
            ("mount", "165, b'none', b'/tmp', b'tmpfs', 0, 0"),
            ("bpf", "321, 0, 0, 0"),
            ("keyctl", "250, 0, -3, 1"),
            ("io_uring_setup", "425, 1, ctypes.create_string_buffer(512)"),
            ("shmget", "29, 77, 4096, 0o1666"),
            ("mq_open", "240, b'q', 0o102, 0o666, 0"),
            ("memfd_create", "319, b'm', 0"),
            ("pidfd_getfd", "438, 3, 0, 0"),
            ("userfaultfd", "323, 0"),
            ("perf_event_open", "298, 0, 0, -1, -1, 0"),
        )
    ),
)

# Honest programs, and ones that are right but untidy.
PASSING = (
    Program("honest", HONEST, ("pass",)),
    Program(
        "asyncio",
        "import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    return 41 + x\n"
        "def f(x): return asyncio.run(g(x))",
        ("pass",),
    ),
    Program(
        "thread_pool",
        "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    with ThreadPoolExecutor(4) as pool:\n"
        "        return sum(pool.map(int, [40, 1, x]))",
        ("pass",),
    ),
    Program(
        "dataclass",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(x): return 41 + P(x).x",
        ("pass",),
    ),
    Program(
        "library",
        "import decimal, fractions, heapq, re, tempfile\ndef f(x):\n"
        "    with tempfile.TemporaryFile('w+') as h:\n        h.write('41'); h.seek(0)\n"
        "        return int(re.match('4.', h.read())[0]) + int(fractions.Fraction(x)) + int(decimal.Decimal(0))",
        ("pass",),
    ),
    Program(
        "deep_recursion",
        "import sys\nsys.setrecursionlimit(6000)\ndef g(n): return 0 if n == 0 else 1 + g(n - 1)\n"
        "def f(x): return 41 + x + g(5000) - 5000",
        ("pass",),
    ),
    Program("much_output", "def f(x):\n    print('x' * 250_000)\n    return 41 + x", ("pass",)),
    Program("main_guard", HONEST + "if __name__ == '__main__':\n    raise SystemExit(1)\n", ("pass",)),
    Program(
        "live_thread",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + HONEST,
        ("pass",),
    ),
    Program(
        "daemon",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n"
        "    os._exit(0)\n" + HONEST,
        ("pass",),
    ),
    Program("sleeping_atexit", "import atexit, time\natexit.register(time.sleep, 60)\n" + HONEST, ("pass",)),
)

ALL = CHEATS + MORE_CHEATS + EXITS + RESULTS + RESOURCES + PRIVILEGES + PASSING


# Against the trusted style: the right answers are 42 and 43, asked by asserts in another process.
ASSERTS = ("assert f(1) == 42", "assert f(2) == 43")
_PIDS = "[p for p in map(int, filter(str.isdigit, os.listdir('/proc'))) if p not in (1, os.getpid())]"


def trusted_submission(name: str, code: str) -> Submission:
    """The task above, for the style in which a trusted process runs asserts."""
    tests = tuple(TestCase(call=line) for line in ASSERTS)
    return Submission(id=name, code=code, tests=tests, style="trusted", entry_point="f", limits=PATIENT)


AGAINST_TRUSTED = (
    Program(
        "kill_the_test",
        in_call(f"for p in {_PIDS}:\n    try: os.kill(p, 9)\n    except OSError: pass"),
        WRONG,
    ),
    Program(
        "read_the_test",
        in_call(
            f"for p in {_PIDS}:\n    for name in ('mem', 'environ', 'maps', 'fd/3', 'fd/4', 'fd/5', 'cwd/x'):\n"
            "        try:\n            open(f'/proc/{p}/{name}', 'rb').read(1)\n            return 42\n"
            "        except OSError: pass"
        ),
        WRONG,
    ),
    Program(
        "limit_the_test",
        in_call(
            f"import resource\nfor p in {_PIDS}:\n    try: resource.prlimit(p, resource.RLIMIT_CPU, (1, 1))\n"
            "    except OSError: continue\n    return 42"
        ),
        WRONG,
    ),
    Program(
        "trace_the_test",
        f"{SYSCALL}\ndef f(x):\n    return 42 if any(libc.syscall(101, 16, p, 0, 0) == 0 for p in {_PIDS}) else 0",
        WRONG,
    ),
    Program(
        "forged_verdicts",
        "import os, struct\ndef f(x):\n    for kind in (b'N', b'W', b'G', b'L', b'A', b'E'):\n"
        "        os.write(3, struct.pack('<cI', kind, 1) + b'T')\n    return 0",
        ("bad_result",),
    ),
    Program(
        "forged_introduction",
        "import os, struct\nos.write(3, struct.pack('<cI', b'N', 1) + b'T')\ndef f(x): return 0",
        ("bad_result",),
    ),
    Program("raised_name_error", "def f(x): raise NameError('the test is to blame')", ("runtime_error",)),
    Program("raised_assertion", "def f(x): raise AssertionError", ("runtime_error",)),
    Program(
        "endless_answer",
        "import os\ndef f(x):\n    while True: os.write(3, bytes(4096))",
        ("bad_result", "timeout_cpu"),
    ),
    Program("large_answer", "def f(x): return 'x' * 50_000_000", ("result_limit",)),
    Program("deep_answer", "def f(x):\n    a = []\n    for _ in range(900): a = [a]\n    return a", ("bad_result",)),
    Program(
        "unhashable_set",
        "import os, struct\ndef f(x):\n    t = b't2:S1:l0:N'\n"
        "    os.write(3, struct.pack('<cI', b'V', len(t)) + t)\n    return 0",
        ("bad_result",),
    ),
    Program(
        "changed_nothing",
        "import os, struct\ndef f(x):\n    t = b't2:Nl0:'\n"
        "    os.write(3, struct.pack('<cI', b'V', len(t)) + t)\n    return 0",
        ("bad_result",),
    ),
    Program("exit", in_call("os._exit(0)"), ("early_exit",)),
    Program("soft_exit", in_call("sys.exit(0)"), ("early_exit",)),
    Program("exit_at_import", "import os\nos._exit(0)", ("early_exit",)),
    Program("closed_descriptors", in_call("os.closerange(0, 256)"), ("early_exit",)),
    Program(
        "gone_behind_a_child",
        "import os, time\ndef f(x):\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)",
        ("early_exit",),
    ),
    Program("kill_itself", in_call("os.kill(os.getpid(), 9)"), ("crash",)),
    Program("busy", "def f(x):\n    while True: pass", ("timeout_cpu",)),
    Program("syntax", "def f(x) return 0", ("syntax_error",)),
    Program("no_entry", "def g(x): return 0", ("missing_entry",)),
    Program("raises_at_import", "1 / 0", ("runtime_error",)),
    Program("four_gigabytes", "def f(x): return len(bytearray(4 << 30))", ("memory",)),
    Program("output", "def f(x):\n    while True: print('x' * 1000)", ("output_limit",)),
    Program("honest", HONEST, ("pass",)),
)

# Against the style in which a program reads stdin and prints; the right output for "1" is "42".
PRINTS = "x = int(input())\nprint(41 + x)\n"


def program_submission(name: str, code: str) -> Submission:
    """The task above as a program."""
    limits = PATIENT.model_copy(update={"output_kb": 64})
    tests = tuple(TestCase(stdin=f"{n}\n", expected=encode(f"{41 + n}\n")) for n in (1, 2))
    return Submission(id=name, code=code, tests=tests, style="program", limits=limits)


AGAINST_PROGRAMS = (
    Program("silent", "pass", WRONG),
    Program("markers", "print('PASSED\\nOK')", WRONG),
    Program("right_then_fails", PRINTS + "1 / 0", ("runtime_error",)),
    Program("right_then_exits_badly", PRINTS + "raise SystemExit(3)", ("runtime_error",)),
    Program("right_then_exits_with_a_word", PRINTS + "raise SystemExit('0')", ("runtime_error",)),
    Program("wrong_then_exits_well", "import os\nprint(0, flush=True)\nos._exit(0)", WRONG),
    Program("kill_itself", "import os\nprint(42, flush=True)\nos.kill(os.getpid(), 9)", ("crash",)),
    Program("syntax", "print(", ("syntax_error",)),
    Program("endless", "while True: print('x' * 999)", ("output_limit",)),
    Program("endless_errors", "import sys\nwhile True: sys.stderr.write('x' * 999)", ("output_limit",)),
    Program("busy", "while True: pass", ("timeout_cpu",)),
    Program("bytes", "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe')", ("bad_result",)),
    Program("reads_too_much", "input(); input()", ("runtime_error",)),
    Program(
        "remembers",  # a file for the next test, which runs in a fresh process after a clean-up
        "import os\nif os.path.exists('/tmp/seen'): print('seen')\nopen('/tmp/seen', 'w').close()\n" + PRINTS,
        ("pass",),
    ),
    Program("forged_records", "import os, struct\nos.write(3, struct.pack('<cI', b'V', 1) + b'T')\nprint(0)", WRONG),
    Program("honest", PRINTS, ("pass",)),
    Program("honest_exit", PRINTS + "raise SystemExit(0)", ("pass",)),
    Program(
        "honest_main", "def main():\n    print(41 + int(input()))\nif __name__ == '__main__':\n    main()", ("pass",)
    ),
    Program(
        "honest_thread",
        "import threading\nt = lambda: print(41 + int(input()))\nthreading.Thread(target=t).start()",
        ("pass",),
    ),
    Program("honest_stdin", "import sys\nprint(41 + int(sys.stdin.read()))", ("pass",)),
)
