"""The README and docs/ are true: the domain runs, the commands, flags, make targets and links exist."""

import random
import re
import types
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import agents
from console.app import app
from domains.base import Domain
from evaluation.leakage import check_splits
from records.config import RunConfig, Sizes
from sandbox.__main__ import app as sandbox

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
README = "\n".join(PAGES.values())  # the front page and what it links to, checked as one


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def domain() -> Domain:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    module = types.ModuleType("fractions_domain")
    exec(compile(code, "README.md", "exec"), module.__dict__)
    found: Domain = module.DOMAIN
    return found


async def test_domain_of_the_readme_accepts_references_and_refuses_spoiled_ones(domain: Domain) -> None:
    config = RunConfig.model_validate({"domain": "fractions", **domain.profile("quick")})
    problems = domain.load(None, Sizes(train=40, gate=8, transfer=8, test=20, ood=10), seed=1)
    assert check_splits(problems).ok and len(problems) == 86
    assert sum(p.answer == "FIRST" for p in problems) == 43
    async with domain.verifier(config) as verifier:
        for problem in problems:
            assert (await verifier.judge(problem, problem.reference)).outcome == "pass"
            assert (await verifier.judge(problem, domain.spoil(problem, random.Random(0)))).outcome == "fail"
            assert (await verifier.judge(problem, "no idea")).outcome == "unparsed"


def test_commands_of_the_readme_are_those_of_the_program() -> None:
    named = set(re.findall(r"^\| `… (\w+)", README, re.M))
    assert named == set(get_command(app).commands)  # type: ignore[attr-defined]


def test_flags_of_the_readme_exist() -> None:
    programs = [get_command(app), get_command(sandbox)]
    groups = [group for program in programs for group in (program, *program.commands.values())]  # type: ignore[attr-defined]
    flags = {name for group in groups for p in group.params for name in p.opts}
    foreign = {"--check", "--no-deps", "--tokens", "--rounds"}  # of other programs
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - foreign <= flags


def test_settings_of_the_readme_exist() -> None:
    settings = set(re.findall(r"--set '?([a-z_.]+)=", README)) - {"key"}  # `key=value` stands for any
    assert settings
    for setting in settings:
        found: Any = RunConfig
        for part in setting.split("."):
            assert part in found.model_fields, setting
            found = found.model_fields[part].annotation


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_modules_of_the_readme_exist() -> None:
    for module in set(re.findall(r"python -m\s+([a-z_.]*[a-z_])", README)):
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_readme_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", PAGES[page])
    assert links or page.parent.name == "docs"
    for link in links:
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_file() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


def test_every_page_is_linked_from_the_front() -> None:
    front = PAGES[ROOT / "README.md"]
    for page in PAGES:
        assert page.name == "README.md" or f"](docs/{page.name}" in front, page.name


def test_figures_on_the_front_are_rows_of_all_measured() -> None:
    front = PAGES[ROOT / "README.md"].split("\n## Measured\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\|.*\|$", front, re.M)
    assert len(rows) > 2 and set(rows) <= set(PAGES[ROOT / "docs" / "measured.md"].splitlines())


def test_agents_is_our_package() -> None:
    assert Path(agents.__file__ or "").parent == ROOT / "agents"
