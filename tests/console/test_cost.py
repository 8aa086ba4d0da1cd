"""`cost RUN`: by stage, agent and model, with the cache, and with unknown costs as unknown."""

from __future__ import annotations

from pathlib import Path

from console.show import show_cost
from models.ledger import Call, Ledger
from records.nouns import Completion
from records.rundir import RunDirectory
from tests.console.test_progress import console


async def write(run: RunDirectory, rows: list[tuple[str, str, Completion]]) -> None:
    ledger = Ledger(run.file("ledger.sqlite"))
    for stage, model, completion in rows:
        call = Call(
            key=completion.key, stage=stage, agent="teacher", provider=model.split(":")[0], model=model, identity=model,
            sample=0, seed=0, temperature=0.0, max_tokens=8, prompt_hash="", messages="[]",
        )  # fmt: skip
        await ledger.intend(call)
        await ledger.record(completion)
    ledger.close()


def done(key: str, cost: float | None, prompt: int = 1000, **cache: int) -> Completion:
    return Completion(
        key=key, text="x", finish_reason="stop", prompt_tokens=prompt, completion_tokens=50, cost=cost, **cache
    )


def printed(run: RunDirectory) -> list[list[str]]:
    target = console(False)
    target.width = 160
    show_cost(target, run)
    lines = target.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [[cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in lines if "│" in line] + [
        [line] for line in lines if "unknown;" in line
    ]


async def test_cache_figures_and_unknown_costs(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "r")
    claude, house = "anthropic:claude-haiku-4-5", "vllm:m@http://h/v1"
    rows = [
        ("reflect", claude, done("a", 0.25, cached_tokens=900, cache_write_tokens=0)),
        ("reflect", claude, done("b", 0.5, cached_tokens=0, cache_write_tokens=900)),
        ("solve", house, done("c", None)),
    ]
    await write(run, rows)
    reflect, solve, total, sentence = printed(run)
    assert reflect == ["reflect", "teacher", claude, "2", "0", "2,000", "900", "45%", "900", "100", "0.7500"]
    assert solve == ["solve", "teacher", house, "1", "0", "1,000", "", "", "", "50", "unknown"]
    assert total == ["total", "", "", "3", "0", "3,000", "900", "30%", "900", "150", "unknown"]
    assert "The cost of 1 calls is unknown; that of the others is $0.7500" in sentence[0]


async def test_run_without_cache_figures_has_no_cache_columns(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "r")
    await write(run, [("solve", "embedded", done("a", 0.0))])
    assert printed(run) == [
        ["solve", "teacher", "embedded", "1", "0", "1,000", "50", "0.0000"],
        ["total", "", "", "1", "0", "1,000", "50", "0.0000"],
    ]
