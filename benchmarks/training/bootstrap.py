"""The gates' interval, 1,000 resamples of 100,000 rows by day, beside a plain numpy loop."""

import sys

from benchmarks.harness.measuring import Case, Goal, judged, measured


def main() -> None:
    """Measure and print; what is counted is the bootstrap alone, after imports."""

    def case(name: str, way: str, metric: str) -> Case:
        return Case(name, [sys.executable, "-m", "benchmarks.training.resampling", way, metric], inside=True)

    costs = measured(
        "bootstrap",
        [
            case("numpy loop, mean absolute error", "numpy", "mean_absolute_error"),
            case("evergreen, mean absolute error", "evergreen", "mean_absolute_error"),
            case("evergreen, area under the ROC curve", "evergreen", "roc_auc"),
        ],
    )
    judged(*(Goal(f"wall seconds, {name}", cost.wall_s, 2) for name, cost in list(costs.items())[1:]))


if __name__ == "__main__":
    main()
