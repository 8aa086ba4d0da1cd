"""How far a run is: its stages with state, counts and time, read from what each stage leaves behind.

Not guaranteed: the time of a stage without model calls in a run of a program that did not write stage times, or
whose process was killed; the totals of stages whose number of calls the run itself finds out (gate, curation).
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from console.web.calls import call_list, covered
from console.web.facts import Facts, RowFact, whole
from console.web.store import Row, Store, signature
from evaluation.summary import STOPPED
from graphs.times import spans, under_way

State = Literal["done", "active", "waiting", "stopped", "open", "skipped"]
FRESH_S = 90  # a file written to so recently means that somebody works on the run, where locks cannot be seen
STRATEGY_ARMS = 6


@dataclass(frozen=True)
class Stage:
    """One box of the picture. `total` is None where it is not known; `seconds` None where nothing says it."""

    key: str
    label: str
    state: State
    done: int
    total: int | None
    unit: str
    seconds: float | None = None
    note: str = ""

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass(frozen=True)
class Progress:
    """All stages, and what the whole run does."""

    stages: tuple[Stage, ...]
    state: str  # "complete", "working", "waits for a decision", "stopped by its budget", "stands still"
    stage: str  # the label of the stage that it stands at

    @property
    def share(self) -> float:
        """Finished stages, with the share of the one at work."""
        return sum(stage.share for stage in self.stages) / len(self.stages)


def progress(store: Store, waits: bool) -> Progress:
    """The stages of a run. `waits`: a decision is asked for."""
    facts, complete = Facts(store), store.run.complete
    counts = _counts(facts, _config(store))
    position = len(ORDER) if complete else _position(facts, counts, waits)
    working = not complete and is_worked_on(store.path)
    seconds = _seconds(facts, working)
    stopped = (store.path / STOPPED).exists()
    stages = []
    for place, (key, label, unit) in enumerate(ORDER):
        done, total, note = counts[key]
        state = _state(place, position, working, waits, stopped)
        stages.append(Stage(key, label, state, done, total, unit, seconds.get(key), note))
    where = ORDER[position][1] if position < len(ORDER) else "Report"
    return Progress(tuple(stages), _word(complete, waits, working, stopped), where)


ORDER = (
    ("splits", "Problems", "problems"),
    ("baseline", "Baselines", "attempts"),
    ("lrl", "Solve, reflect, edit", "rounds"),
    ("gate", "Gate", "decisions"),
    ("validation", "Validation", "attempts"),
    ("approval", "Approval", "decisions"),
    ("curation", "Curation", "verified rows"),
    ("training", "LoRA training", "adapters"),
    ("evaluation", "Student arms", "attempts"),
    ("report", "Report", ""),
)


def _state(place: int, position: int, working: bool, waits: bool, stopped: bool) -> State:
    if place < position:
        return "done"
    if place > position:
        return "open"
    if waits:
        return "waiting"
    return "active" if working else "stopped"


def _word(complete: bool, waits: bool, working: bool, stopped: bool) -> str:
    if complete:
        return "complete"
    if waits:
        return "waits for a decision"
    return "working" if working else "stopped by its budget" if stopped else "stands still"


def _position(facts: Facts, counts: dict[str, tuple[int, int | None, str]], waits: bool) -> int:
    """Index in ORDER of the first stage that is not over."""
    keys = [key for key, _, _ in ORDER]
    begun = [key for key in keys if counts[key][0]]
    last = begun[-1] if begun else "splits"
    return keys.index("approval") if waits else keys.index(_now(facts, counts, last))


def _now(facts: Facts, counts: dict[str, tuple[int, int | None, str]], last: str) -> str:
    """The stage at work, if `last` is the last one that left something."""
    keys = [key for key, _, _ in ORDER]
    done, total, _ = counts[last]
    over = total is not None and done >= total
    if last in ("splits", "baseline") and any(attempt.stage == "lrl" for attempt in facts.attempts.entries):
        last = "lrl"  # a baseline may lack attempts: failed calls leave none
    if last in ("lrl", "gate") and any(row.get("open") for row in facts.reflections):
        return "gate"
    if last in ("lrl", "gate"):
        rounds = counts["lrl"]
        return "validation" if rounds[1] is not None and rounds[0] >= rounds[1] else "lrl"
    if last == "approval" and facts.decisions[-1].get("action") == "edit":
        return "validation"  # what was edited is measured again
    if last in ("splits", "approval", "curation"):
        over = bool(done)
    return keys[min(keys.index(last) + over, len(keys) - 1)]


def _counts(facts: Facts, config: Row) -> dict[str, tuple[int, int | None, str]]:
    """Done, total and a note for each stage."""
    splits, stages = facts.splits(), Counter(attempt.stage for attempt in facts.attempts.entries)
    held_out = splits["test"] + splits["ood"]
    reflections = facts.reflections
    decided = [row for row in reflections if not row.get("open")]
    validators, arms = config.get("validators"), config.get("student_arms")
    validated = sum(row.suite == "strategy" for row in facts.evaluation.entries)
    transfer = max(0, splits["validation"] - _nested(config, "sizes", "gate"))
    per_validator = STRATEGY_ARMS * transfer * len(set(validators)) if isinstance(validators, list) else None
    adapters = _adapters(facts.store.path)
    trained = [arm for arm in arms if str(arm).startswith("lora_")] if isinstance(arms, list) else []
    wanted = len(trained) * (whole(config, "training_seeds") or 1)
    datasets = sorted((facts.store.path / "dataset").glob("*.jsonl"))
    seeds = _seed_counts(facts.evaluation.entries)
    return {
        "splits": (sum(splits.values()), None, f"{splits['train']:,} train, {held_out:,} held out"),
        "baseline": (stages["baseline"], 2 * held_out or None, ""),
        "lrl": (len(decided), _nested(config, "loop", "rounds"), f"{stages['lrl']:,} attempts"),
        "gate": (
            sum(bool(row.get("gate")) for row in decided),
            None,
            f"{sum(bool(row.get('accepted')) for row in decided)} accepted, {stages['gate']:,} attempts",
        ),
        "validation": (validated, per_validator or None, ""),
        "approval": (len(facts.decisions), None, ""),
        "curation": (_lines(datasets[0]) if datasets else 0, None, f"{stages['curation']:,} attempts"),
        "training": (len(adapters[0]), max(wanted, len(adapters[0])) or None, adapters[1]),
        "evaluation": (sum(seeds.values()), (wanted + ("base+strategy" in (arms or ()))) * held_out or None, ""),
        "report": (int(facts.store.run.complete), 1, ""),
    }


def _seed_counts(rows: list[RowFact]) -> Counter[str]:
    return Counter(row.arm for row in rows if row.suite == "student" and row.arm not in ("base", "teacher"))


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _adapters(path: Path) -> tuple[list[Path], str]:
    """Finished adapters, and how far the unfinished one is."""
    done = sorted(path.glob("adapters/*/done.json"))
    for log in sorted(path.glob("adapters/*/progress.jsonl")):
        if not (log.parent / "done.json").exists():
            lines = log.read_bytes().splitlines()
            return done, f"{log.parent.name}: {len(lines)} steps"
    return done, ""


def _nested(config: Row, group: str, name: str) -> int:
    inner = config.get(group)
    return (whole(inner, name) or 0) if isinstance(inner, dict) else 0


def _config(store: Store) -> Row:
    config = store.object("run.json").get("config")
    return config if isinstance(config, dict) else {}


def _seconds(facts: Facts, working: bool) -> dict[str, float]:
    """Seconds per stage: the runner's own, or what calls and trainers say where a killed process wrote less."""
    noted, told = _noted(facts.stage_times, working), _told(facts.store)
    return {key: max(noted.get(key, 0.0), told.get(key, 0.0)) for key in {*noted, *told}}


def _noted(rows: list[Row], working: bool) -> dict[str, float]:
    """What the runner wrote, and for a run that is worked on the time since its last node began."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for stage, begun, ended in spans(rows):
        found[stage].append((begun, ended))
    if working and (now := under_way(rows)):
        found[now[0]].append((now[1], datetime.now(UTC).isoformat(timespec="milliseconds")))
    return {stage: covered(sorted(pairs)) for stage, pairs in found.items()}


def _told(store: Store) -> dict[str, float]:
    """From the calls, and from the trainers' own account."""
    busy = dict(call_list(store).busy())
    trained = [store.object(f"adapters/{p.parent.name}/done.json") for p in store.path.glob("adapters/*/done.json")]
    times: list[Any] = [done.get("seconds") for done in trained]
    if known := [float(value) for value in times if isinstance(value, int | float)]:
        busy["training"] = sum(known)
    return busy


def is_worked_on(path: Path) -> bool:
    """Some process holds the run's lock. Looked up in /proc/locks: trying the lock could keep a runner out."""
    lock = signature(path / "lock")
    if lock is None:
        return False
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        return _fresh(path)
    holders = [line.split() for line in locks.splitlines()]
    return any(len(line) >= 8 and line[1] == "FLOCK" and line[-3].endswith(f":{lock[2]}") for line in holders)


def _fresh(path: Path) -> bool:
    """Something was written in the last FRESH_S."""
    found = [signature(Path(entry.path)) for entry in os.scandir(path)]
    return any(seen and time.time() - seen[0] / 1e9 < FRESH_S for seen in found)
