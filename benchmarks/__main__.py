"""Run every benchmark."""

from benchmarks import bootstrap, contract, daily_check, estimates, false_alarms, ingest, real_streams, scan, train

for benchmark in (bootstrap, contract, scan, false_alarms, real_streams, daily_check, estimates, ingest, train):
    benchmark.main()
