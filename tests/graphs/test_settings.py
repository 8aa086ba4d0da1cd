"""Flags and --set become one configuration; what cannot be used is explained."""

from pathlib import Path

import pytest

from domains.base import DomainError
from graphs.runner import create_run
from graphs.settings import SettingsError, build_config
from records.config import RunConfig
from records.rundir import RunError
from tests.training.families import save_family


def test_set_wins_over_flag_and_flag_over_profile() -> None:
    config = build_config(
        {"domain": "python", "seed": 3, "profile": "quick"}, ["seed=5", "loop.rounds=1", "sizes.test=7"]
    )
    assert (config.seed, config.loop.rounds, config.sizes.test) == (5, 1, 7)


def test_flags_that_were_not_given_leave_the_defaults() -> None:
    config = build_config({"domain": "scheduling", "teacher": None, "validators": []}, [])
    assert config.teacher == "oracle" and config.validators == ("embedded",)


def test_student_is_a_validator_unless_others_are_named() -> None:
    assert build_config({"domain": "python", "student": "hf:x"}, []).validators == ("hf:x", "embedded")
    assert build_config({"domain": "python", "student": "hf:x", "validators": ["embedded"]}, []).validators == (
        "embedded",
    )


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("loop.round=3", ["unknown setting 'loop.round'", "rounds", "alpha"]),
        ("nonsense=1", ["unknown setting 'nonsense'", "teacher", "sandbox_tier"]),
        ("loop.rounds=many", ["loop.rounds", "many"]),
        ("sandbox_tier=none", ["sandbox_tier", "'auto'"]),
        ("seed", ["key=value"]),
        ("training.learning_rate=-1", ["training.learning_rate", "greater than 0"]),
    ],
)
def test_bad_setting_is_named_with_what_there_is(override: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        build_config({"domain": "python"}, [override])
    for word in words:
        assert word in str(caught.value)


def test_unknown_domain_lists_the_domains() -> None:
    with pytest.raises(DomainError, match=r"python.*scheduling"):
        build_config({"domain": "chess"}, [])


def test_a_student_that_cannot_be_trained_is_refused_before_the_run_exists(tmp_path: Path) -> None:
    student = save_family("qwen", tmp_path / "student")
    config = RunConfig.model_validate({"domain": "python", "student": f"hf:{student}"})
    create_run(config, tmp_path / "runs", "good")
    (student / "chat_template.jinja").write_text("{{ messages | length }}{{ messages[-1]['content'] }}")
    with pytest.raises(RunError, match="cannot be trained: the chat template renders the prompt differently"):
        create_run(config, tmp_path / "runs", "bad")
    assert not (tmp_path / "runs" / "bad").exists()
    with pytest.raises(RunError, match="name the base model alone"):
        create_run(config.model_copy(update={"student": f"embedded+{adapter(tmp_path)}"}), tmp_path / "runs", "third")


def adapter(folder: Path) -> Path:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).write_text("{}")
    return folder
