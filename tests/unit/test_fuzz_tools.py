"""tools/fuzz: that it finds what is there to be found, says so, and finds it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hostile.places import PLACES, Victim

from pysctpstack.core import Message, State
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode_header
from tools.fuzz import conversation as conv
from tools.fuzz import option_targets, random_engine, soundness, wire_targets
from tools.fuzz.__main__ import main
from tools.fuzz.association_targets import Talk
from tools.fuzz.coverage import Coverage
from tools.fuzz.mutate import mutated
from tools.fuzz.target import Findings, Target, minimised, signature
from tools.fuzz.targets import all_targets, matching


@pytest.fixture(autouse=True, scope="module")
def nothing_stays() -> Iterator[None]:
    """Sockets, and what keeps this process on loopback, end with this module."""
    yield
    option_targets.end()


def fragile(data: bytes) -> None:
    """Fails in two places."""
    if data[:1] == b"A" and len(data) > 3:
        raise KeyError("first")
    if b"\xff\xff" in data:
        raise IndexError("second")


FRAGILE = Target("fragile", "fails", fragile, lambda: [b"ABC"])


def test_mutation_is_the_seeds() -> None:
    made = [mutated(bytes(20), b"other", 24, Random(n)) for n in range(200)]
    assert made == [mutated(bytes(20), b"other", 24, Random(n)) for n in range(200)]
    assert len(set(made)) > 150
    assert all(len(data) <= 24 for data in made)


def test_any_bytes_are_a_conversation_and_change_to_others() -> None:
    random = Random(1)
    for data in (b"", b"\0", b"\1\0", random.randbytes(50), *conv.seeds()):
        config, records = conv.parse(data)
        assert conv.parse(conv.build(config, records)) == (config, records)
        changed = conv.changed(data, random.choice(conv.seeds()), conv.MAX_SIZE, random)
        assert len(changed) <= conv.MAX_SIZE
    assert len({conv.changed(conv.seeds()[0], b"", 1_000, Random(n)) for n in range(100)}) > 50


def test_each_place_that_fails_is_found_once_and_shrinks(tmp_path: Path) -> None:
    findings = Findings(FRAGILE, tmp_path)
    outcome, _ = random_engine.run(
        FRAGILE, findings, FRAGILE.seeds(), seconds=60, seed=1, coverage=None, executions=20_000
    )
    assert outcome.executions == 20_000
    assert len(outcome.findings) == 2
    smallest = {minimised(FRAGILE, Path(path).read_bytes()) for path in outcome.findings}
    assert smallest == {b"A\0\0\0", b"\xff\xff"}
    texts = [path.read_text() for path in tmp_path.glob("*.txt")]
    assert len(texts) == 2
    assert all("python -m tools.fuzz fragile --reproduce" in text and "Traceback" in text for text in texts)
    with pytest.raises(ValueError, match="does not fail"):
        minimised(FRAGILE, b"fine")


def test_an_input_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(random_engine.signal, "SIGALRM"):
        pytest.skip("no SIGALRM here")
    monkeypatch.setattr(random_engine, "HANG_AFTER", 0.05)

    def endless(_data: bytes) -> None:
        while True:
            pass

    target = Target("endless", "hangs", endless, lambda: [b""])
    outcome, _ = random_engine.run(
        target, Findings(target, tmp_path), [b""], seconds=60, seed=1, coverage=None, executions=1
    )
    assert len(outcome.findings) == 1


def test_places_are_told_apart_by_the_package_s_frames() -> None:
    found = []
    for data in (b"", b"123"):
        try:
            decode_header(data)
        except ValueError as error:
            found.append(signature(error))
    assert found[0] == found[1]
    assert found[0].startswith("PacketError packet.py:decode_header:")


def test_coverage_is_of_lines_of_functions() -> None:
    coverage = Coverage()
    random_engine.measure(all_targets()["chunks"], [b"\0\3" + bytes(16)], coverage)
    reached, there = coverage.reached()["pysctpstack.wire"]
    assert 0 < reached < there
    before = set(coverage.seen)
    random_engine.measure(all_targets()["chunks"], [b"\3\0" + bytes(12)], coverage)
    new = coverage.seen - before
    assert any(path.endswith("sack.py") for path, _ in new)
    assert not any(path.endswith("receiver.py") for path, _ in coverage.seen)


@pytest.mark.parametrize("name", all_targets())
def test_every_target_runs(name: str, tmp_path: Path) -> None:
    target = all_targets()[name]
    seeds = target.seeds()
    assert seeds
    outcome, _ = random_engine.run(
        target, Findings(target, tmp_path), seeds[:40], seconds=20, seed=9_260, coverage=None, executions=120
    )
    texts = "".join(path.read_text() for path in tmp_path.glob("*.txt"))
    assert not outcome.findings, texts
    assert outcome.executions > 60


def test_every_parameter_and_cause_has_a_family() -> None:
    kinds = [kind for family in wire_targets.PARAMETER_FAMILIES.values() for kind in family]
    assert sorted(kinds) == sorted(wire_targets.cp.PARAMETER_NAMES)
    kinds = [kind for family in wire_targets.CAUSE_FAMILIES.values() for kind in family]
    assert sorted(kinds) == sorted(wire_targets.cp.CAUSE_NAMES)


def test_a_conversation_reaches_the_association() -> None:
    place = next(place for place in PLACES if place.name == "ESTABLISHED")
    talk = Talk(place, 0)
    talk.follow([conv.Record(conv.PACKET | conv.TOGETHER, c.Data(n, 0, n - 1, 0, b"x").encode()) for n in (1, 1, 1)])
    # TSNs count from what is expected when the packet is made: three in one batch are the same one.
    assert [event.data for event in talk.unread] == [b"x"]
    talk.follow([conv.Record(conv.VERB, b"\5"), conv.Record(conv.VERB, b"\0\1")])
    talk.check_service()
    listener = next(place for place in PLACES if place.name == "listener")
    talk = Talk(listener, 1)
    init = c.Init(0x2222, 100_000, 4, 4, 1_000, [])
    talk.follow([conv.Record(conv.PACKET_TAG_0, init.encode()), conv.Record(conv.PACKET, c.CookieEcho(b"").encode())])
    assert talk.victim.state is State.ESTABLISHED


def test_unsound_books_are_noticed() -> None:
    place = next(place for place in PLACES if place.name == "ESTABLISHED, data outstanding")

    def sound() -> Victim:
        victim = Victim.at(place)
        soundness.check_endpoint(victim.endpoint)
        return victim

    victim = sound()
    victim.association.tcb.sender.in_flight += 1
    with pytest.raises(soundness.Unsound, match="in_flight"):
        soundness.check_endpoint(victim.endpoint)
    victim = sound()
    victim.association.send(Message(0, 0, bytes(50_000)), victim.now)
    victim.association.tcb.sender.buffered -= 1
    with pytest.raises(soundness.Unsound, match="buffered"):
        soundness.check_endpoint(victim.endpoint)
    victim = sound()
    victim.association.tcb.receiver.reassembly.held = 1
    with pytest.raises(soundness.Unsound, match="held"):
        soundness.check_endpoint(victim.endpoint)
    victim = sound()
    victim.endpoint.by_tag.clear()
    with pytest.raises(soundness.Unsound, match="not found by its tag"):
        soundness.check_endpoint(victim.endpoint)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--corpus", str(tmp_path / "corpus"), "--findings", str(tmp_path / "findings")]
    report = tmp_path / "report.json"
    arguments = ["causes", "--engine", "random", "--executions", "2000", "--seconds", "20", "--json", str(report)]
    assert main([*arguments, *where]) == 0
    text = capsys.readouterr().out
    assert "the engine is this project's own" in text
    assert text.count("executions in") == len(matching("causes")) == 3
    outcome = json.loads(report.read_text())
    assert outcome["together"]["executions"] == 6_000
    assert outcome["causes"]["reached"]["pysctpstack.wire"][0] > 20
    data = tmp_path / "input"
    data.write_bytes(b"\0\1\0\4")
    assert main(["causes/rfc9260", "--reproduce", str(data)]) == 0
    for bad in ([], ["nothing"], ["causes", "--reproduce", str(data)], ["cookie", "--minimise", str(data)]):
        with pytest.raises(SystemExit):
            main(bad)
