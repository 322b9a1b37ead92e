"""Thumbnails on a local cluster of three nodes, one of which is killed in the middle.

    python -m tests.integrations.lose_a_node ALBUM OUT

Prints [how many thumbnails there were when it was killed, the rows of the Parquet file] as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from eyefirst.albums.thumbnails import ThumbnailSettings
from eyefirst.geometry import Size
from eyefirst.integrations.ray_data import make_thumbnails

ENOUGH = 60


def main(album: str, out: Path) -> None:
    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    doomed = cluster.add_node(**node)
    cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    killed: list[int] = []

    def kill_when_some_are_made() -> None:
        while (made := len(list(out.glob("*.webp")))) < ENOUGH:
            time.sleep(0.02)
        cluster.remove_node(doomed, allow_graceful=False)
        killed.append(made)

    killer = threading.Thread(target=kill_when_some_are_made, daemon=True)
    killer.start()
    settings = ThumbnailSettings(sizes=(Size(48, 48), Size(64, 32)), format="webp")
    made = make_thumbnails(album, str(out), settings, actors=3)
    made.write_parquet(f"{out}/rows")
    killer.join()
    rows = ray.data.read_parquet(f"{out}/rows").select_columns(["path", "status", "plan"]).take_all()
    ray.shutdown()
    cluster.shutdown()
    print(json.dumps([killed[0], rows]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
