"""The process in which atheris runs a target: ``python -m tools.fuzz.guided TARGET FINDINGS SEED CORPUS [OPTION ...]``.

libFuzzer, which atheris drives, ends its process when it is done, and it has to see the code imported.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["pysctpstack.wire", "pysctpstack.core"]):
    from tools.fuzz.targets import find
from tools.fuzz.target import Findings


def main(name: str, findings_directory: str, seed: str, *options: str) -> None:
    target = find(name)
    findings = Findings(target, Path(findings_directory))
    seeds = target.seeds() or [b""]

    def run(data: bytes) -> None:
        try:
            target.run(data)
        except Exception as error:
            # Saved, and on with the search: libFuzzer would end here.
            findings.add(data, error)

    def mutate(data: bytes, max_size: int, chance: int) -> bytes:
        random = Random(chance)
        if random.random() < 0.1:
            return bytes(atheris.Mutate(data, max_size))
        return target.mutate(bytes(data), random.choice(seeds), max_size, random)

    arguments = [sys.argv[0], f"-seed={seed}", f"-max_len={target.max_size}", *options]
    if target.structured:
        atheris.Setup(arguments, run, custom_mutator=mutate)
    else:
        atheris.Setup(arguments, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
