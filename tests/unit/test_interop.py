"""The parts of the interop matrix that need neither peers nor a network."""

from __future__ import annotations

from interop import document, known
from interop.matrix import matrix
from interop.peers.ends import Settings, change_of
from interop.peers.plays import PARTS
from interop.relay import Direction, Trouble
from interop.scenes import SCENES


def test_settings_pass_a_command_line_unchanged() -> None:
    settings = Settings(
        role="both", local="fd77::1", port=6_001, streams=65_535, stays=True, lingers=False, seconds=0.5
    )
    assert Settings.parse(settings.arguments()) == settings


def test_every_scene_names_parts_that_there_are() -> None:
    assert {part for scene in SCENES for part in (scene.client, scene.server)} <= PARTS.keys()


def test_cells_have_names_and_ports_of_their_own() -> None:
    cells = matrix()
    assert len({cell.name for cell in cells}) == len(cells)
    ports = [cell.port for cell in cells if hasattr(cell, "port")]
    assert len(ports) > 100
    assert len(set(ports)) == len(ports)


def test_the_relay_turns_one_bit() -> None:
    direction = Direction(Trouble(corrupt=1.0), ("127.0.0.1", 9), "seed")
    packet = bytes(range(100))
    turned = direction.treat(packet)
    assert bin(int.from_bytes(packet, "big") ^ int.from_bytes(turned, "big")).count("1") == 1
    assert direction.tally.corrupted == 1


def test_the_relay_leaves_packets_alone_without_trouble() -> None:
    direction = Direction(Trouble(), ("127.0.0.1", 9), "seed")
    assert direction.treat(b"packet") == b"packet"
    assert direction.tally.corrupted == 0


def test_the_first_cause_of_an_abort_is_told() -> None:
    causes = b"\x00\x0c\x00\x08why?\x00\x09\x00\x04"
    change = change_of("COMM_LOST", 1, 2, causes)
    assert (change.cause, change.reason) == (12, b"why?")
    assert change_of("COMM_UP", 1, 2, b"").cause == -1


def test_only_what_is_listed_for_the_cell_is_known() -> None:
    table = {("ours-to-x/*", "rule: * text"): "a reason"}
    assert known.unlisted("ours-to-x/loss", ["rule: any text"], table) == []
    assert known.unlisted("ours-to-y/loss", ["rule: any text"], table) == ["rule: any text"]
    assert known.unlisted("ours-to-x/loss", ["rule: other"], table) == ["rule: other"]


def test_the_page_has_a_row_for_each_scenario_and_the_sums() -> None:
    outcomes = [
        {"name": "ours-to-usrsctp/loss", "verdict": "PASS", "remark": ""},
        {"name": "linux-to-ours/loss", "verdict": "SKIP", "remark": "no peer"},
        {"name": "linux-to-ours/idle", "verdict": "FAIL", "remark": "no answer"},
    ]
    page = document.text(outcomes, {"a peer": "1.2"})
    assert "| `loss` | pass |  |  | skip |" in page
    assert "| `idle` |  |  |  | fail |" in page
    assert "1 cells passed, 1 failed, 1 were skipped" in page
    assert "| a peer | 1.2 |" in page
