"""The ledger's file: other versions, damage, and what is rescued."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from models import ledger_rescue
from models.ledger import Call, Ledger, LedgerError, read_costs, read_rows
from models.ledger_schema import SCHEMA, VERSION
from records.nouns import Completion, content_hash

CALLS = 300


def key(number: int) -> str:
    return "".join(content_hash([number, part]) for part in range(4))


def call(number: int) -> Call:
    return Call(
        key=key(number), stage="lrl", agent="teacher", provider="openai", model="openai:m", identity="openai:m",
        sample=0, seed=0, temperature=0.0, max_tokens=8, prompt_hash="", messages="[]",
    )  # fmt: skip


async def fill(path: Path, count: int = CALLS) -> None:
    ledger = Ledger(path)
    for number in range(count):
        await ledger.intend(call(number))
        await ledger.record(Completion(key=key(number), text=f"reply {number} " * 20, finish_reason="stop", cost=0.01))
    ledger.close()


def cut_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def cut_last_page(content: bytes) -> bytes:
    return content[: len(content) - 5000]


def overwrite_middle(content: bytes) -> bytes:
    middle = len(content) // 2 // 4096 * 4096
    return content[:middle] + b"\xff" * 20_000 + content[middle + 20_000 :]


@pytest.mark.parametrize(("damage", "least"), [(cut_half, 60), (cut_last_page, 270), (overwrite_middle, 200)])
async def test_readable_calls_of_a_damaged_file_are_kept(
    tmp_path: Path, damage: Callable[[bytes], bytes], least: int
) -> None:
    path = tmp_path / "ledger.sqlite"
    await fill(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LedgerError, match="ledger_rescue"):
        list(read_rows(path))
    ledger = Ledger(path)
    kept = [number for number in range(CALLS) if await ledger.find(key(number))]
    assert least <= len(kept) < CALLS
    assert f"{len(kept)} calls could be read and are kept" in ledger.notice
    for number in kept[:5]:
        found = await ledger.find(key(number))
        assert found is not None and found.text == f"reply {number} " * 20
    ledger.close()
    assert len(list(tmp_path.glob("ledger.sqlite.damaged-*"))) == 1
    again = Ledger(path)
    assert again.notice == ""
    again.close()


@pytest.mark.parametrize(
    ("column", "garbled"), [("model", "no such model"), ("prompt_tokens", "many"), ("cost", "x"), ("messages", "[")]
)
async def test_garbled_rows_of_a_damaged_file_are_left_behind(tmp_path: Path, column: str, garbled: str) -> None:
    path = tmp_path / "ledger.sqlite"
    await fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE calls SET {column} = ? WHERE key = ?", [garbled, key(0)])
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(cut_last_page(path.read_bytes()))
    ledger = Ledger(path)
    kept = {row["key"] for row in read_rows(path)}
    assert len(kept) > 200
    assert key(0) not in kept
    assert await ledger.paid_rows()
    ledger.close()


async def test_file_of_which_nothing_can_be_read_is_refused_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="no call in it can be read"):
        Ledger(path)
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite"]
    assert ledger_rescue.main([str(path)]) == 1 and "error: " in capsys.readouterr().err
    assert path.read_bytes() == b"this is no database" * 100


async def test_cut_write_ahead_log_loses_only_its_end(tmp_path: Path) -> None:
    path, copy = tmp_path / "ledger.sqlite", tmp_path / "killed.sqlite"
    ledger = Ledger(path)
    for number in range(20):
        await ledger.intend(call(number))
        await ledger.record(Completion(key=key(number), text="x" * 3000, finish_reason="stop"))
    copy.write_bytes(path.read_bytes())
    log = path.with_name("ledger.sqlite-wal").read_bytes()
    copy.with_name("killed.sqlite-wal").write_bytes(log[:-100])  # as a kill leaves it
    ledger.close()
    killed = Ledger(copy)
    assert killed.notice == ""
    assert [bool(await killed.find(key(number))) for number in range(20)] == [True] * 19 + [False]
    killed.close()


async def test_older_ledger_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(SCHEMA.replace(", cache_write_tokens INTEGER", ""))
        connection.execute(
            "INSERT INTO calls (key, status, stage, agent, model, provider, messages, text, finish_reason, reasoning,"
            " seconds, cost, cached_tokens)"
            " VALUES (?, 'ok', 's', 'a', 'm', 'openai', '[]', 'old', 'stop', '', 1, 1, 5)",
            [key(0)],
        )
        connection.commit()
    assert [row["text"] for row in read_rows(path)] == ["old"]
    (before,) = read_costs(path, ())
    assert (before.cost, before.cached_tokens, before.cache_write_tokens) == (1.0, 5, None)
    ledger = Ledger(path)
    found = await ledger.find(key(0))
    await ledger.intend(call(1))
    await ledger.record(Completion(key=key(1), text="new", finish_reason="stop", cache_write_tokens=7))
    ledger.close()
    assert found is not None and found.text == "old" and found.cache_write_tokens is None
    (after,) = read_costs(path, ())
    assert after.cache_write_tokens == 7 and after.cost is None


async def test_newer_and_foreign_files_are_refused_untouched(tmp_path: Path) -> None:
    newer, foreign = tmp_path / "newer.sqlite", tmp_path / "foreign.sqlite"
    await fill(newer, 2)
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 1}")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE calls (id INTEGER, price REAL)")
    content = newer.read_bytes()
    for path, words in ((newer, f"version {VERSION + 1}"), (foreign, "no column key")):
        with pytest.raises(LedgerError, match=words):
            Ledger(path)
        with pytest.raises(LedgerError, match=words):
            list(read_rows(path))
    assert newer.read_bytes() == content


async def test_a_reply_is_kept_also_where_its_caller_is_cancelled(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    await ledger.intend(call(1))
    recording = asyncio.create_task(ledger.record(Completion(key=key(1), text="paid", finish_reason="stop")))
    await asyncio.sleep(0)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording
    found = await ledger.find(key(1))
    ledger.close()
    assert found is not None and found.text == "paid"
