"""Every run of each procedure within bounds, and proof that a bug in any of them would be found.

``PYSCTPSTACK_MODEL=full`` explores more going on at once, and more faults in each run.
"""

from __future__ import annotations

import os

import pytest
from model.checker import Budget, Explorer, Scenario
from model.machine import Violation
from model.scenarios import BUDGET, SCENARIOS, WIDE
from model.seeds import SEEDS, Seed

from pysctpstack.core import State

FULL = os.environ.get("PYSCTPSTACK_MODEL") == "full"
FULL_BUDGET = Budget(losses=3, duplicates=1, timers=3)
RUNS = [(scenario, BUDGET) for scenario in SCENARIOS]
if FULL:
    RUNS = [(scenario, FULL_BUDGET) for scenario in SCENARIOS] + [(scenario, BUDGET) for scenario in WIDE]

CLOSING = {State.SHUTDOWN_SENT, State.SHUTDOWN_RECEIVED, State.SHUTDOWN_ACK_SENT}
OPENING = {State.COOKIE_WAIT, State.COOKIE_ECHOED}
#: What a scenario has to come through, so that none passes for want of something to do.
PASSES: dict[str, set[State]] = {
    "setup": OPENING,
    "collision": OPENING,
    "restart": OPENING,
    "shutdown": CLOSING,
    "shutdown after data": {State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT},
    "shutdown from both": CLOSING - {State.SHUTDOWN_RECEIVED},
    "abort of a setup": OPENING,
}


@pytest.mark.timeout(3_600 if FULL else 300)
@pytest.mark.parametrize(("scenario", "budget"), RUNS, ids=[scenario.name for scenario, _ in RUNS])
def test_every_run_ends_well(scenario: Scenario, budget: Budget) -> None:
    result = Explorer(scenario, budget).run()
    print(result)
    assert result.reached >= {State.ESTABLISHED} | PASSES.get(scenario.name, set())
    # With so many faults there are hundreds of ways to go in the smallest of them.
    assert result.states > 500
    assert result.leaves


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_seeded_bug_is_found(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    seed.plant(monkeypatch)
    with pytest.raises(Violation) as found:
        Explorer(seed.scenario, BUDGET).run()
    print(found.value)
    assert seed.symptom in str(found.value)
