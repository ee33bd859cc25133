"""Run every benchmark."""

from benchmarks import bootstrap, contract, estimates, false_alarms, ingest, scan, train

for benchmark in (bootstrap, contract, scan, false_alarms, estimates, ingest, train):
    benchmark.main()
