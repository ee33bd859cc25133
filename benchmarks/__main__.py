"""Run every benchmark."""

from benchmarks import train

train.main()
