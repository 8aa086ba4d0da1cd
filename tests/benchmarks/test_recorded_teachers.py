"""The benchmark of recorded strategies: reading its file, and its figures with a model on the loopback address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.recorded_teachers import main, read_strategies
from tests.agents.test_teacher import LONG
from tests.loopback import Loopback, Request


def test_it_prints_what_each_strategy_is_and_what_it_gains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"kind": "final_strategy", "model": "m", "text": f"Here it is:\n\n{LONG}"},
        {"kind": "strategy_distillation", "model": "m", "batch": 5, "text": f"{LONG}\n"},  # the same bullets
        {"kind": "journal", "model": "m", "text": "I learned."},
        {"kind": "final_strategy", "model": "n", "text": "- Count the rooms."},
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(read_strategies(file)) == ["m, final", "n, final"]

    def reply(request: Request) -> str:
        return "ANSWER: YES" if "Count the rooms" in request.body["messages"][0]["content"] else "Let's see."

    with Loopback(reply) as server:
        line = [str(file), "--items", "8", "--validator", f"vllm:v@{server.openai_url}", "--folder", str(tmp_path)]
        main(line)
        assert server.count == 8 * 5  # none, two strategies, seed, placebo
        capsys.readouterr()
        main(line)
        assert server.count == 8 * 5  # it goes on from the finished calls
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    about = {entry["strategy"]: entry for entry in printed if "strategy" in entry}
    assert (
        about["m, final"]["size"] == "fits"
        and "too few" in about["n, final"]["size"]
        and not about["m, final"]["leaks"]
    )
    arms = {entry["arm"]: entry for entry in printed if "arm" in entry}
    assert set(arms) == {"none", "m, final", "n, final", "seed", "placebo"}
    assert (arms["n, final"]["correct"], arms["n, final"]["lift"]["lift"]) == (4, 0.5)
    assert (arms["none"]["unparsed"], arms["none"]["lift"], arms["m, final"]["lift"]["lift"]) == (8, None, 0)
