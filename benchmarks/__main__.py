"""Run every benchmark, each as a process of its own: some set the environment, and all want a fresh one."""

import subprocess
import sys

BENCHMARKS = (
    *("bootstrap", "contract", "scan", "false_alarms", "real_streams", "daily_check", "trigger"),
    *("estimates", "ingest", "train", "demo", "serving", "policies", "replay"),
)
for benchmark in BENCHMARKS:
    subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark}"], check=True)
