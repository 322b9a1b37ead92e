"""How many random changes to the core the tests notice: `python -m benchmarks.mutation --count 50`.

cosmic-ray makes the changes (operators, constants, conditions) in a copy of the working tree, one at a time, and runs
the unit, property and golden tests of the core on each. A change that all tests pass is printed: it is a place to look.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = ("geometry.py", "numeric.py", "boxes.py", "plan.py", "cut.py", "handler.py", "framing", "tools/planning.py")
TESTS = (
    "tests/unit/test_geometry.py",
    "tests/unit/test_doors.py",
    "tests/unit/test_boxes.py",
    "tests/unit/test_plan.py",
    "tests/unit/test_framing.py",
    "tests/unit/test_framing_score.py",
    "tests/unit/test_framing_judge.py",
    "tests/unit/test_handler.py",
    "tests/unit/test_crop.py",
    "tests/property",
    "tests/golden",
    "tests/server/test_one_cut.py",
)
TIMEOUT_SECONDS = 900
"""A change that is stopped counts as noticed, so the limit is far above what a busy machine needs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="changes that are tried, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        survivors, tried = mutate(Path(made) / "tree", arguments.count, arguments.seed)
    for diff in survivors:
        print(diff, "\n")
    print(f"{len(survivors)} of {tried} changes went unnoticed ({len(survivors) / max(tried, 1):.0%})")


def mutate(tree: Path, count: int, seed: int) -> tuple[list[str], int]:
    """Copy the working tree, try so many changes there; return the differences that no test noticed, and how many."""
    from cosmic_ray.work_db import WorkDB, use_db  # noqa: PLC0415 - installed by `make mutate` alone
    from cosmic_ray.work_item import TestOutcome  # noqa: PLC0415

    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    modules = ", ".join(f'"src/eyefirst/{module}"' for module in MODULES)
    test_command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {' '.join(TESTS)}"
    (tree / "mutation.toml").write_text(
        f"[cosmic-ray]\nmodule-path = [{modules}]\ntimeout = {TIMEOUT_SECONDS}\nexcluded-modules = []\n"
        f'test-command = "{test_command}"\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    ray = [sys.executable, "-m", "cosmic_ray.cli"]
    subprocess.run([*ray, "init", "mutation.toml", "session.sqlite"], cwd=tree, check=True)
    session = str(tree / "session.sqlite")
    with use_db(session, WorkDB.Mode.open) as db:
        # a type's union and an annotation are never run
        items = [i for i in db.work_items if "BitOr" not in i.mutations[0].operator_name]
        sample = random.Random(seed).sample(items, min(count, len(items)))
        db.clear()
        db.add_work_items(sample)
    subprocess.run([*ray, "exec", "mutation.toml", "session.sqlite"], cwd=tree, check=True)
    with use_db(session, WorkDB.Mode.open) as db:
        results = [result for _, result in db.results]
    return [r.diff or "" for r in results if r.test_outcome is TestOutcome.SURVIVED], len(results)


if __name__ == "__main__":
    main()
