"""A folder of awkward and hostile files through `eyefirst thumbnails`: `python -m benchmarks.hard_files FOLDER`.

The folder holds folders of files by kind, and manifest.csv with the columns `file` and `expected`: "decodes",
"must be refused ..." or words that allow either.
The command runs in a process that may use so much memory and time, and the table says what became of each kind.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path


def run(folder: Path, files: list[str], gigabytes: float, seconds: float) -> tuple[dict[str, dict[str, object]], float]:
    """The rows of the command by file, and how many seconds it took. Raises TimeoutExpired."""
    most = int(gigabytes * 2**30)
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "eyefirst", "thumbnails", "-", "-o", out, "-s", "320x320", "--jsonl"],
            input="\n".join(str(folder / f) for f in files),
            text=True,
            capture_output=True,
            timeout=seconds,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
        )
        spent = time.perf_counter() - started
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(rows) == len(files), ran.stderr[-2000:]
    return {str(Path(r["picture"]).relative_to(folder)): r for r in rows}, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of address space")
    parser.add_argument("--seconds", type=float, default=300.0)
    arguments = parser.parse_args()
    with (arguments.folder / "manifest.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    rows, spent = run(arguments.folder, [r["file"] for r in listed], arguments.gigabytes, arguments.seconds)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    surprises = []
    for entry in listed:
        row = rows[entry["file"]]
        error = row["error"]
        outcome = error["code"] if isinstance(error, dict) else "made"
        kinds[Path(entry["file"]).parts[0]][outcome] += 1
        unlike = (
            entry["expected"] == "decodes" if outcome != "made" else entry["expected"].startswith("must be refused")
        )
        if unlike:
            reason = error["reason"] if isinstance(error, dict) else "made"
            surprises.append(f"- `{entry['file']}`: expected {entry['expected']}, was: {reason}")
    print("| folder | files | made | refused, by code |\n|---|---|---|---|")
    for kind, outcomes in sorted(kinds.items()):
        refused = ", ".join(f"{code} {n}" for code, n in sorted(outcomes.items()) if code != "made") or "-"
        print(f"| {kind} | {outcomes.total()} | {outcomes['made']} | {refused} |")
    print(f"\n{len(listed)} files in {spent:.0f} s, within {arguments.gigabytes:g} GB of address space.\n")
    print("\n".join(["Not as the manifest expected:", *surprises] if surprises else ["All as the manifest expected."]))


if __name__ == "__main__":
    main()
