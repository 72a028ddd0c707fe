"""tools/bench: what is made of samples, and what is done about runs that fail. Nothing here measures anything."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.bench import chart, docs, goals
from tools.bench.bench import Bench, Options, Sample
from tools.bench.errors import RunFailed, Unavailable
from tools.bench.measures import goodput
from tools.bench.peer import message_of
from tools.bench.process import Process, run_program
from tools.bench.results import Results, from_json, percentile, settled, to_json
from tools.bench.table import report, table

SVG = "{http://www.w3.org/2000/svg}"


def results_of(*rows: tuple[str, str, str, list[float]], baseline: str = "usrsctp") -> Results:
    """Rows as (measure, case, contender, samples)."""
    results = Results()
    for measure, case, contender, samples in rows:
        results.row(measure, case, contender, "MB/s", baseline).samples.extend(samples)
    return results


# --- samples ---


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 5), (90, 9), (91, 10), (99, 10), (100, 10)])
def test_percentile_is_the_nearest_rank(percent: float, value: int) -> None:
    assert percentile([3, 1, 2, 10, 9, 8, 7, 6, 5, 4], percent) == value


def test_percentile_refuses_what_has_none() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
    with pytest.raises(ValueError, match="0 is not a percentage"):
        percentile([1.0], 0)


def test_settled_leaves_out_the_first_tenth() -> None:
    assert settled(list(range(25))) == list(range(2, 25))
    assert settled([1.0]) == [1.0]


def test_ratio_is_that_of_medians_of_the_same_case() -> None:
    results = results_of(
        ("goodput", "1 B", "ours", [1.0, 30.0, 20.0]),
        ("goodput", "1 B", "usrsctp", [10.0, 4.0, 11.0]),
        ("goodput", "2 B", "ours", [5.0]),
        ("goodput", "2 B", "usrsctp", []),
    )
    first, baseline, alone, _ = results
    assert results.ratio(first) == 2.0
    assert results.ratio(baseline) is None
    assert results.ratio(alone) is None


def test_results_survive_json() -> None:
    results = results_of(("goodput", "1 B", "ours", [1.0, 2.5]), ("goodput", "1 B", "usrsctp", []))
    mine, theirs = results
    mine.note, theirs.problem = "with care", "SKIP: no compiler"
    again = from_json(json.loads(json.dumps(to_json(results))))
    assert list(again) == list(results)


def test_json_of_another_shape_is_refused() -> None:
    entry = to_json(results_of(("goodput", "1 B", "ours", [1.0])))[0]
    with pytest.raises(TypeError):
        from_json([{**entry, "samples": "many"}])
    del entry["case"]
    with pytest.raises(KeyError):
        from_json([entry])


def test_the_best_of_several_stands_for_all() -> None:
    rows = [
        (measure, case, contender, [value])
        for case, values in (("1 B", (5.0, 7.0, 3.0)), ("2 B", (1.0, 2.0, 4.0)))
        for measure, sign in (("goodput", 1), ("processor time", -1))
        for contender, value in zip(("ours", "theirs, a", "theirs, b"), (sign * v for v in values), strict=True)
    ]
    results = results_of(*rows)
    best = results.keep_best("1 B", ["theirs, a", "theirs, b"], "theirs", "goodput")
    assert (best.contender, best.samples) == ("theirs", [7.0])
    here = [(row.measure, row.contender, row.samples) for row in results if row.case == "1 B"]
    assert here == [
        ("goodput", "ours", [5.0]),
        ("goodput", "theirs", [7.0]),
        ("processor time", "ours", [-5.0]),
        ("processor time", "theirs", [-7.0]),
    ]
    assert len([row for row in results if row.case == "2 B"]) == 6


# --- contenders in turn ---


def bench(repeat: int, contenders: frozenset[str] = frozenset()) -> Bench:
    return Bench(Options(repeat=repeat, contenders=contenders))


def test_contenders_take_turns_and_another_begins_each_time() -> None:
    calls: list[str] = []

    def run(name: str) -> Callable[[], Sample]:
        def call() -> Sample:
            calls.append(name)
            return {"speed": len(calls)}

        return call

    trial = bench(3)
    trial.alternate("case", {name: run(name) for name in "abc"}, {"speed": "m/s"})
    assert "".join(calls) == "abcbcacab"
    assert [row.samples for row in trial.results] == [[1, 6, 8], [2, 4, 9], [3, 5, 7]]


def test_only_the_contenders_that_are_wanted_run() -> None:
    trial = bench(1, frozenset({"b"}))
    trial.alternate("case", {name: lambda: {"speed": 1.0} for name in "abc"}, {"speed": "m/s"})
    assert [row.contender for row in trial.results] == ["b"]


def test_what_is_not_there_is_skipped_once_and_what_fails_is_tried_again() -> None:
    tried = {"missing": 0, "unsteady": 0}

    def missing() -> Sample:
        tried["missing"] += 1
        raise Unavailable("no cmake")

    def unsteady() -> Sample:
        tried["unsteady"] += 1
        if tried["unsteady"] == 2:
            raise RunFailed("bytes are missing")
        return {"speed": 4.0}

    trial = bench(3)
    trial.alternate("case", {"missing": missing, "unsteady": unsteady}, {"speed": "m/s"}, baseline="missing")
    absent, shaky = trial.results
    assert (tried, absent.samples, shaky.samples) == ({"missing": 1, "unsteady": 3}, [], [4.0, 4.0])
    text = report(trial.results, {}, {})
    assert "SKIP: no cmake" in text
    assert "2 runs; FAILED: bytes are missing" in text


# --- goodput ---

SERVER = {"bytes": 1_000, "first_bytes": 100, "seconds": 0.5, "cpu": 0.1, "intact": True}
CLIENT = {"bytes": 1_000, "messages": 10, "cpu": 0.1}


def test_a_goodput_run_counts_when_all_bytes_arrived() -> None:
    goodput.check(SERVER, CLIENT, 100)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ({"bytes": 900}, "1000 bytes were sent, 900 arrived"),
        ({"intact": False}, "other bytes"),
        ({"seconds": 0.0}, "only"),
    ],
)
def test_a_goodput_run_with_missing_bytes_has_failed(server: dict[str, object], reason: str) -> None:
    with pytest.raises(RunFailed, match=reason):
        goodput.check({**SERVER, **server}, CLIENT, 100)


def test_the_best_buffers_stand_for_usrsctp() -> None:
    results = results_of(
        *(
            (measure, "1 B", f"usrsctp, {name}", [value])
            for measure in goodput.UNITS
            for name, value in (("a", 3.0), ("b", 8.0))
        )
    )
    goodput.keep_best(results, "1 B", ["usrsctp, a", "usrsctp, b"])
    speed, cpu = results
    assert (speed.contender, speed.median, speed.note) == ("usrsctp", 8.0, "with b; with a 3")
    assert (cpu.contender, cpu.samples) == ("usrsctp", [8.0])


def test_a_message_larger_than_usrsctps_send_buffer_raises_it() -> None:
    assert {} in goodput.usrsctp_buffers(65_536).values()
    assert all(buffers["send_buffer"] >= 2 << 20 for buffers in goodput.usrsctp_buffers(1 << 20).values())


def test_both_peers_make_the_same_message() -> None:
    source = Path(goodput.__file__).parents[1] / "peer.c"
    assert "message[i] = (uint8_t)(i * 7 + 3);" in source.read_text(encoding="utf-8")
    assert list(message_of(300)) == [(i * 7 + 3) % 256 for i in range(300)]


# --- processes ---


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_the_result_of_a_program_is_its_last_line() -> None:
    assert run_program("it", python("print('{\"ready\": true}'); print('{\"x\": 1}')"), 30.0) == {"x": 1}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit('no such port')", "exit code 1.: no such port"),
        ("print('hello')", "no JSON: hello"),
        ("print('[1]')", "wrote .1."),
    ],
)
def test_a_program_without_a_result_has_failed(program: str, reason: str) -> None:
    with pytest.raises(RunFailed, match=reason):
        run_program("it", python(program), 30.0)


def test_a_program_that_says_nothing_is_ended() -> None:
    process = Process("it", python("import time; time.sleep(600)"), {})
    with pytest.raises(RunFailed, match="nothing for"), process:
        process.result(0.01)
    assert process.exit_code == -signal.SIGKILL


def test_a_program_ends_with_its_standard_input() -> None:
    with Process("it", python("import sys; print('{}', flush=True); sys.stdin.read()"), {}) as process:
        assert process.result(30.0) == {}
        assert process.exit_code is None
    assert process.exit_code == 0


# --- the report ---


def test_a_table_is_aligned_markdown() -> None:
    assert table(("case", "median"), [("a", "1"), ("long", "1,000")]).splitlines() == [
        "| case | median |",
        "|------|-------:|",
        "| a    |      1 |",
        "| long |  1,000 |",
    ]


def test_goals_are_judged_by_ratio_or_value() -> None:
    results = results_of(
        (goodput.GOODPUT, "1,400 B", "ours", [300.0]),
        (goodput.GOODPUT, "1,400 B", "usrsctp", [100.0]),
        ("set up and closed", "100 in turn", "ours", [999.0]),
    )
    found = {goal.what: (value, goal.reached(value)) for goal, value in goals.outcomes(results)}
    assert found == {
        "goodput, 1,400 B, of usrsctp's": (3.0, True),
        "associations set up and closed a second": (999.0, False),
    }


def test_the_cost_goal_takes_the_most_associations() -> None:
    results = Results()
    for contender, cost in (("1 association", 10.0), ("100 associations", 11.0), ("10,000 associations", 13.0)):
        results.row("cost of a packet", "ours", contender, "CPU us", "1 association").samples.append(cost)
    ((goal, value),) = goals.outcomes(results)
    assert value == 1.3
    assert not goal.reached(value)


def test_the_page_keeps_its_prose() -> None:
    begin, end = docs.BEGIN.format(name="x"), docs.END.format(name="x")
    page = docs.replaced(f"before\n{begin}\nold\n{end}\nafter\n", "x", "new")
    assert page == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    assert docs.replaced(page, "x", "new") == page
    with pytest.raises(ValueError, match="has no"):
        docs.replaced("no marks", "x", "new")


def test_the_page_has_its_marks() -> None:
    page = docs.PAGE.read_text(encoding="utf-8")
    for name in ("results", "profile"):
        assert docs.replaced(page, name, "new") != page


# --- the chart ---


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.02, 0.02), (1.0, 1.0), (1.1, 1.5), (259.0, 300.0), (7_600, 10_000)]
)
def test_the_scale_ends_at_a_round_number(value: float, top: float) -> None:
    assert chart.ceiling(value) == pytest.approx(top)


def test_bars_are_as_high_as_their_values() -> None:
    drawing = chart.bars("Speed <1>", "MB/s", ["a", "b"], {"ours": [100.0, 50.0], "theirs": [25.0, None]})
    root = ElementTree.fromstring(drawing)
    bars = [
        (rect.get("fill"), float(rect.get("height", "0")))
        for rect in root.iter(f"{SVG}rect")
        if float(rect.get("y", "0")) >= chart.TOP
    ]
    full = chart.HEIGHT - chart.TOP - chart.BOTTOM
    ours, theirs = chart.COLOURS[:2]
    assert bars == [(ours, full), (theirs, full / 4), (ours, full / 2)]
    assert "Speed <1>, MB/s" in [text.text for text in root.iter(f"{SVG}text")]


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        chart.bars("Speed", "MB/s", ["a"], {"ours": [None]})
    with pytest.raises(ValueError, match="not one value"):
        chart.bars("Speed", "MB/s", ["a", "b"], {"ours": [1.0]})
