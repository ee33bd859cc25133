"""What cases of gates change of an evidence that passes every one."""

import math

from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.slices import Slice

NAN = math.nan
UNKNOWN = Interval.unknown()


GAIN = Interval(2.0, 1.0, 3.0)


def part(value="a", rows=500, challenger=8.0, champion=10.0, gain=GAIN):
    return Slice("group", value, rows, challenger, champion, gain)


FIRST = {"champion": None, "over_champion": None, "champion_calibration": None, "signature_changes": None}
ALONE = FIRST | {"earlier_over_champion": {}, "earlier_over_challenger": {}}

EXACT = {"champion": Interval(0.0, 0.0, 0.0)}
CARRIED = {"carried": Interval(0.5, 0.2, 0.8), "carried_judgings": 3}
COUNTED = {"calibration": 0.2}  # and by a metric that counts it, it is better than the champion
UNSURE = {"over_champion": Interval(1.0, -0.1, 2.1)}
UNDECIDED = {"over_dummy": Interval(1.0, -0.5, 2.5)}
WORSE = {"over_dummy": Interval(-1.0, -2.0, 0.0)}
TOLD = CARRIED | {"over_champion": Interval(1.0, -0.5, 2.5)}  # one holdout alone is too short to tell
STRICT = {"undecided": "champion"}
BETTER = {"undecided": "better"}
LESS = CARRIED | {"over_champion": Interval(-0.05, -0.5, 0.4)}
