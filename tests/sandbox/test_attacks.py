"""Every attack gets the right word, gains nothing, and leaves the next submission untouched."""

from __future__ import annotations

import asyncio
import functools

import pytest

from sandbox import Sandbox, Submission, SubmissionVerdict, TestCase
from sandbox.values import encode
from tests.sandbox import attacks
from tests.sandbox.conftest import TIERS, require_tier

LEFT_SOMETHING = ("live_thread", "daemon")


SUITES = {
    "calls": (attacks.submission, attacks.ALL),
    "trusted": (attacks.trusted_submission, attacks.AGAINST_TRUSTED),
    "program": (attacks.program_submission, attacks.AGAINST_PROGRAMS),
    "raises": (attacks.raising_submission, attacks.AGAINST_RAISES),
}
CASES = [(style, program) for style, (_, programs) in SUITES.items() for program in programs]


async def _judge_all(tier: str) -> dict[tuple[str, str], tuple[SubmissionVerdict, SubmissionVerdict]]:
    """Each program, and an honest one right after it on the same worker."""
    verdicts = {}
    async with Sandbox.open(tier, slots=1) as sandbox:
        for style, program in CASES:
            verdict = await sandbox.judge(SUITES[style][0](program.name, program.code))
            probe = await sandbox.judge(attacks.submission("probe", attacks.HONEST))
            verdicts[style, program.name] = (verdict, probe)
    return verdicts


@functools.cache
def verdicts(tier: str) -> dict[tuple[str, str], tuple[SubmissionVerdict, SubmissionVerdict]]:
    """All verdicts of one tier, judged once."""
    require_tier(tier)
    return asyncio.run(_judge_all(tier))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("style", "program"), CASES, ids=[f"{style}-{program.name}" for style, program in CASES])
def test_program_gets_its_word_and_the_next_one_is_judged(tier: str, style: str, program: attacks.Program) -> None:
    verdict, probe = verdicts(tier)[style, program.name]
    assert verdict.result in program.results, verdict
    assert verdict.passed == (verdict.result == "pass")
    assert probe.passed, probe
    assert len(verdict.tests) == 2
    assert verdict.tier == tier
    assert verdict.evidence.isprintable() or set(verdict.evidence) & set("\n")
    assert "\x1b" not in verdict.evidence
    assert len(verdict.evidence) <= 450


@pytest.mark.parametrize("tier", TIERS)
def test_generic_cheats_pass_nothing(tier: str) -> None:
    passed = [cheat.name for cheat in attacks.CHEATS if verdicts(tier)["calls", cheat.name][0].passed]
    assert len(attacks.CHEATS) == 9
    assert passed == []


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", LEFT_SOMETHING)
def test_leftovers_are_counted(tier: str, name: str) -> None:
    assert verdicts(tier)["calls", name][0].leftovers >= 1
    assert verdicts(tier)["calls", "honest"][0].leftovers == 0


PLANT = """
import os
def plant():
    open('/tmp/note', 'w').write('secret')
    os.environ['NOTE'] = 'secret'
    os.symlink('/sandbox', '/tmp/link')
    os.symlink('/', '/tmp/root')
    os.mkdir('/tmp/closed')
    open('/tmp/closed/file', 'w').close()
    os.chmod('/tmp/closed', 0)
    path = '/tmp'
    for n in range(200):
        path += '/' + 'd' * 15
        os.mkdir(path)
    for place in ('/dev/shm', '/dev/mqueue', '/run', '/var/tmp', '/dev'):
        try:
            open(place + '/note', 'w').close()
        except OSError:
            pass
    return True
"""
LOOK = """
import os
def look():
    found = sorted(os.listdir('/tmp'))
    found += [p for p in ('/dev/shm', '/dev/mqueue', '/run', '/var/tmp', '/dev') if os.path.exists(p + '/note')]
    return found + [name for name in os.environ if name == 'NOTE']
"""
STICKY = """
import os
def plant():
    os.mkdir('/tmp/s')
    os.chmod('/tmp/s', 0o1777)
    open('/tmp/s/x', 'w').close()
    return True
"""


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("plant", [PLANT, STICKY], ids=["everything", "sticky"])
async def test_nothing_is_visible_to_the_next_submission(tier: str, plant: str) -> None:
    require_tier(tier)
    planting = Submission(id="plant", code=plant, tests=(TestCase(call="plant()", expected=encode(True)),))
    looking = Submission(id="look", code=LOOK, tests=(TestCase(call="look()", expected=encode([])),))
    async with Sandbox.open(tier, slots=1) as sandbox:
        first = await sandbox.judge(planting)
        second = await sandbox.judge(looking)
    assert first.passed, first
    assert second.passed, second
