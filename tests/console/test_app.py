"""Bad input gives one clear line and exit code 2, never a traceback, and nothing is run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.app import app

runner = CliRunner()


def call(runs: Path, *arguments: str) -> tuple[int, str]:
    result = runner.invoke(app, [*arguments, "--runs", str(runs)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--domain is missing", "python", "scheduling"]),
        (["--domain", "chess"], ["chess", "python", "scheduling"]),
        (["--domain", "python", "--teacher", "gpt"], ["gpt", "embedded", "anthropic:NAME", "vllm:NAME@URL"]),
        (["--domain", "python", "--student", "openai:x"], ["student", "embedded", "hf:"]),
        (["--domain", "python", "--validator", "oracle"], ["oracle", "embedded"]),
        (["--domain", "python", "--profile", "huge"], ["huge", "quick", "full"]),
        (["--domain", "python", "--approve", "maybe"], ["maybe", "ask", "gate", "always", "never"]),
        (["--domain", "python", "--set", "loop.round=2"], ["unknown setting", "rounds"]),
        (["--domain", "python", "--search", "random"], ["search", "greedy", "pareto", "gepa", "random"]),
        (["--domain", "python", "--search", "gepa", "--set", "gate.rule=strict"], ["gate.rule=confirm", "greedy"]),
        (["--domain", "python", "--run", "../escape"], ["run name"]),
        (["--domain", "python", "--budget", "-1"], ["budget.usd", "-1"]),
        (["--domain", "python", "--set", "budget.dollars=2"], ["unknown setting", "usd, tokens, calls"]),
        (["--domain", "python", "--prices", "/none.toml"], ["price table /none.toml", "cannot be read"]),
    ],
)
def test_bad_flag_lists_what_there_is(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    code, printed = call(tmp_path, *arguments)
    assert code == 2
    for word in words:
        assert word in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"])
def test_missing_key_names_the_variable_and_a_spec_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    provider = name.split("_", maxsplit=1)[0].lower()
    code, printed = call(tmp_path, "--domain", "python", "--teacher", f"{provider}:some-model")
    assert code == 2 and name in printed and ("oracle" in printed or "embedded" in printed)


@pytest.mark.parametrize(
    "command",
    [
        ["show", "nothing"],
        ["resume", "nothing"],
        ["cost", "nothing"],
        ["approve", "last"],
        ["export", "nothing", "--calls", "c.jsonl"],
    ],
)
def test_unknown_run_lists_the_runs(tmp_path: Path, command: list[str]) -> None:
    code, printed = call(tmp_path, *command)
    assert code == 2 and "there is no run" in printed and "none yet" in printed


def test_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    code, printed = call(tmp_path, "runs")
    assert code == 0 and "--domain python" in printed


def test_broken_problems_file_names_file_line_and_field_and_runs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    file.write_text('{"meetings": [[9, 10]], "rooms": 1}\n{"meetings": [[9, 10]], "rooms": "many"}\n')
    code, printed = call(tmp_path / "runs", "--domain", "scheduling", "--problems", str(file), "--approve", "gate")
    assert code == 2
    for word in ("problems.jsonl", "2", "rooms"):
        assert word in printed
    assert "Baseline" not in printed
