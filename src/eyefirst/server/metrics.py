"""What Prometheus is told."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where several processes of one service keep their numbers together; prometheus_client reads it too."""
ROUTES = (
    *("/v1/saliency", "/v1/plan", "/v1/crop", "/v1/render", "/v1/cutout", "/v1/faces", "/v1/text", "/v1/image"),
    *("/healthz", "/readyz", "/metrics"),
)
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


def route_of(path: str) -> str:
    """One of a few labels, whatever is asked for: labels made of user text would fill the memory."""
    return next((r for r in ROUTES if path == r or path.startswith(f"{r}/")), "other")


class Metrics:
    """Counters of one service."""

    def __init__(self, held: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter("eyefirst_requests", "Requests answered.", ["route", "status"], registry=self._registry)
        self.seconds = Histogram(
            "eyefirst_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.jobs = Gauge(
            "eyefirst_jobs", "Jobs that run or wait.", registry=self._registry, multiprocess_mode="livesum"
        )
        self.pictures = Counter("eyefirst_pictures", "Pictures looked at.", registry=self._registry)
        self.found = Counter(
            "eyefirst_found", "Plans and results that had been made before.", ["what"], registry=self._registry
        )
        self._held = held

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        self.jobs.set(self._held())
        folder = os.environ.get(FOLDER)
        if not folder:
            return generate_latest(self._registry)
        for file in glob.glob(os.path.join(folder, "gauge_live*.db")):
            number = re.search(r"_(\d+)\.db$", file)
            if number and not os.path.exists(f"/proc/{number[1]}") and os.path.isdir("/proc/self"):
                multiprocess.mark_process_dead(int(number[1]), folder)  # type: ignore[no-untyped-call]
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)
