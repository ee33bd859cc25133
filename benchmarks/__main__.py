"""Run every benchmark."""

from benchmarks import bootstrap, contract, ingest, train

for benchmark in (bootstrap, contract, ingest, train):
    benchmark.main()
