"""The benchmarks' own arithmetic is tested with the small model of the packages' tests."""

from tests.evergreen.conftest import toy

__all__ = ["toy"]
