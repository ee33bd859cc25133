"""Whether a flight arrives more than 15 minutes late. The label is known a day later."""

from evergreen import Call, Gates, Model, Policy, Training, expect
from evergreen.nycflights import flights

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["minute_of_day", "weekday", "distance", "seats"]
WEATHER = ["temp", "wind_speed", "wind_gust", "precip", "pressure", "visib"]  # three hours before


def estimator():
    # Imported here, so that a command that trains nothing starts without scikit-learn.
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    return make_pipeline(
        make_column_transformer((encode, CATEGORIES), remainder="passthrough"),
        HistGradientBoostingClassifier(learning_rate=0.06, categorical_features=[0, 1, 2]),
    )


model = Model(
    name="late",
    purpose="Warns passengers with a connection that their flight is likely to arrive late.",
    owner="passenger services",
    task="classification",
    source=Call(function=flights, start="2013-01-01", batch="28d", lookback="2d"),
    key="flight_id",
    time="departs",
    target="late",
    label_delay="1d",
    features=dict.fromkeys(CATEGORIES, "category") | dict.fromkeys(NUMBERS + WEATHER, "number"),
    contract=[
        expect("column_values_to_be_in_set", "origin", value_set=["EWR", "JFK", "LGA"]),
        expect("column_values_to_be_in_set", "late", value_set=[0, 1]),
        expect("column_values_to_be_between", "distance", min_value=10, max_value=5500),
        expect("column_values_to_be_between", "minute_of_day", min_value=0, max_value=1439),
        expect("column_values_to_be_between", "temp", min_value=-30, max_value=120),
        expect("column_values_to_be_between", "pressure", min_value=950, max_value=1070),
        expect("column_values_to_not_be_null", "temp", mostly=0.9, warn=True),
    ],
    estimator=estimator,
    metric="log_loss",
    slices=["origin", "carrier"],
    training=Training(holdout="21d", half_life="120d"),
    gates=Gates(margin=0.03),  # of log loss: three weeks of flights tell no finer
    policy=Policy(every="28d"),
)
