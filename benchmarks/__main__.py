"""Run every benchmark, each as a process of its own: some set the environment, and all want a fresh one."""

import subprocess
import sys

BENCHMARKS = (
    "training.bootstrap",
    "ingestion.contract",
    "monitoring.scan",
    "monitoring.false_alarms",
    "monitoring.detectors",
    "monitoring.real_streams",
    "monitoring.daily_check",
    "monitoring.trigger",
    "monitoring.estimates",
    "commands.startup",
    "commands.deploy",
    "commands.fleet",
    "ingestion.ingest",
    "training.train",
    "training.demo",
    "serving.load",
    "serving.row_latency",
    "first_try.run",
    "replay.rules",
    "replay.drafted_windows",
    "replay.drafted",
    "replay.early_labels",
    "replay.policies",
    "replay.replay",
    "ui.pages",
)
for benchmark in BENCHMARKS:
    subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark}"], check=True)
