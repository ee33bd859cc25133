"""Run every benchmark."""

from benchmarks import bootstrap, contract, estimates, ingest, train

for benchmark in (bootstrap, contract, estimates, ingest, train):
    benchmark.main()
