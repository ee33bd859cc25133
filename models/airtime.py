"""Minutes in the air of a flight, from what the schedule knows. The label is known at landing."""

from evergreen import Call, Gates, Model, Policy, Training, expect
from evergreen.nycflights import flights

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["minute_of_day", "weekday", "distance", "seats"]


def estimator():
    # Imported here, so that a command that trains nothing starts without scikit-learn.
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    return make_pipeline(
        make_column_transformer((encode, CATEGORIES), remainder="passthrough"),
        HistGradientBoostingRegressor(max_iter=70, learning_rate=0.13, categorical_features=[0, 1, 2]),
    )


model = Model(
    name="airtime",
    purpose="Minutes in the air, so that crews and gates can be planned when the schedule is made.",
    owner="flight planning",
    task="regression",
    source=Call(function=flights, start="2013-01-01", batch="7d", lookback="2d"),  # late rows, corrections
    key="flight_id",
    time="departs",
    target="air_time",
    label_delay="12h",  # known at landing; the longest flight takes 11.6 hours
    features=dict.fromkeys(CATEGORIES, "category") | dict.fromkeys(NUMBERS, "number"),
    contract=[
        expect("column_values_to_be_in_set", "origin", value_set=["EWR", "JFK", "LGA"]),
        expect("column_values_to_be_between", "distance", min_value=10, max_value=5500),
        expect("column_mean_to_be_between", "distance", min_value=700, max_value=1400),  # in miles, not kilometres
        expect("column_values_to_be_between", "minute_of_day", min_value=0, max_value=1439),
        expect("column_values_to_be_between", "weekday", min_value=0, max_value=6),
        expect("column_values_to_be_between", "air_time", min_value=15, max_value=800),
        expect("column_mean_to_be_between", "air_time", min_value=100, max_value=220),
        expect("column_values_to_not_be_null", "dest"),
        expect("column_values_to_not_be_null", "seats", mostly=0.6, warn=True),
    ],
    estimator=estimator,
    metric="mean_absolute_error",
    slices=["origin", "carrier"],
    training=Training(window="42d", half_life="14d", holdout="7d", refit=True),
    gates=Gates(floor=40.0, margin=0.03),
    policy=Policy(every="7d"),
)
