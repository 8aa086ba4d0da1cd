"""Flags and --set become one configuration; what cannot be used is explained."""

import pytest

from domains.base import DomainError
from graphs.settings import SettingsError, build_config


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
