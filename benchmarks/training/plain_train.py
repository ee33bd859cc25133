"""What `evergreen train late` is measured against: the same training as one plain script.

It reads the same Delta table, splits alike, fits the same estimator and the dummy, scores both on
the holdout with a block bootstrap, draws the same picture, keeps the same things in MLflow,
registers, refits on all rows and registers again. It has no gates, no leakage test, no reload in
a fresh process, no locks, no retries, no events and no record of the code and the lock.

    python -m benchmarks.training.plain_train HOME AS_OF
"""

import json
import os
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
HOME, AS_OF = Path(sys.argv[1]), sys.argv[2]
os.environ["MPLCONFIGDIR"] = str(HOME / "cache" / "matplotlib")
os.environ["SKB_DATA_DIRECTORY"] = str(HOME / "cache" / "skrub")

import mlflow  # noqa: E402
import mlflow.sklearn  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from deltalake import DeltaTable  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from mlflow.entities import Dataset, DatasetInput  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from scipy.stats import t as student  # noqa: E402
from sklearn.compose import make_column_transformer  # noqa: E402
from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.metrics import log_loss, precision_recall_curve, roc_curve  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OrdinalEncoder  # noqa: E402
from skrub import TableReport  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["minute_of_day", "weekday", "distance", "seats"]
NUMBERS += ["temp", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
FEATURES = CATEGORIES + NUMBERS
COLUMNS = ["flight_id", "departs", *FEATURES, "late"]
DAY = pd.Timedelta(days=1)
PACKAGES = ["joblib", "mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl"]
REQUIREMENTS = [f"{name}=={version(name)}" for name in PACKAGES]
TRUSTED = [
    "functools.partial",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
]


def estimator():
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=200)
    return make_pipeline(
        make_column_transformer((encode, CATEGORIES), remainder="passthrough"),
        HistGradientBoostingClassifier(learning_rate=0.06, categorical_features=[0, 1, 2], random_state=0),
    )


def read():
    rows = DeltaTable(HOME / "lake" / "late" / "rows").to_pandas(columns=COLUMNS)
    known = rows["late"].notna() & (rows["departs"] + DAY <= pd.Timestamp(AS_OF, tz="UTC"))
    return rows[known].astype({"late": "int64"}).sort_values(["departs", "flight_id"], ignore_index=True)


def fit(rows):
    age = (rows["departs"].max() - rows["departs"]) / (120 * DAY)
    return estimator().fit(rows[FEATURES], rows["late"], histgradientboostingclassifier__sample_weight=0.5**age)


def gain(loss, over, blocks):
    """The mean by which `over` is beaten, with its interval from a bootstrap of days."""
    number = np.unique(blocks, return_inverse=True)[1]
    sums = np.column_stack([np.bincount(number, over - loss), np.bincount(number)])
    count = len(sums)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=1000) @ sums
    error = (drawn[:, 0] / drawn[:, 1]).std(ddof=1) * np.sqrt(count / (count - 1))
    return float((over - loss).mean()), float(student.ppf(0.975, count - 1) * error)


def importance(model, rows):
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:1000])
    part = rows.iloc[chosen].reset_index(drop=True)
    shuffled = [part] + [part.assign(**{f: part[f].sample(frac=1, random_state=0).array}) for f in FEATURES]
    probabilities = np.split(model.predict_proba(pd.concat(shuffled)[FEATURES])[:, 1], len(shuffled))
    scores = [log_loss(part["late"], probability) for probability in probabilities]
    return dict(sorted(zip(FEATURES, np.array(scores[1:]) - scores[0], strict=True), key=lambda item: -item[1]))


def draw(truth, probability, importances, slices):
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    axes = figure.subplots(2, 3)
    groups = np.array_split(np.argsort(probability), 10)
    axes[0][0].plot([probability[g].mean() for g in groups], [truth[g].mean() for g in groups], marker="o")
    axes[0][0].axline((0, 0), slope=1)
    axes[0][1].plot(*roc_curve(truth, probability)[:2])
    precision, recall, _ = precision_recall_curve(truth, probability)
    axes[0][2].plot(recall, precision)
    axes[1][0].barh(list(importances)[::-1], list(importances.values())[::-1])
    axes[1][1].scatter([score for _, score in slices[::-1]], [name for name, _ in slices[::-1]])
    axes[1][2].axis("off")
    for axis, title in zip(
        axes.flat, ["calibration", "ROC", "precision and recall", "importance", "slices", ""], strict=True
    ):
        axis.set(title=title)
    return figure


def store(model, example):
    return mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(example, model.predict(example)),
        input_example=example,
        pip_requirements=REQUIREMENTS,
        serialization_format="skops",
        skops_trusted_types=TRUSTED,
        registered_model_name="late",
    )


def record(rows, tags):
    mlflow.log_params({"seed": 0, "window": "None"})
    mlflow.log_metric("training_rows", len(rows))
    digest = sha256(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()).hexdigest()[:16]
    facts = tags | {"rows": str(len(rows)), "until": rows["departs"].max().isoformat(), "digest": digest}
    mlflow.set_tags(facts)
    # Not mlflow.data.from_pandas and log_input: they walk over every value, 10 s of CPU here.
    source = json.dumps({"uri": str(HOME / "lake" / "late" / "rows")})
    dataset = Dataset("late rows", digest, "delta", source, None, json.dumps(facts))
    mlflow.MlflowClient().log_inputs(mlflow.active_run().info.run_id, [DatasetInput(dataset)])
    mlflow.log_text(Path(__file__).read_text(), "script.py")


def judge(model, train, holdout):
    truth, block = holdout["late"].to_numpy(), holdout["departs"].dt.floor("D")
    probability = model.predict_proba(holdout[FEATURES])[:, 1]
    base = DummyClassifier(strategy="prior").fit(train[FEATURES], train["late"]).predict_proba(holdout[FEATURES])[:, 1]
    losses = [-np.log(np.clip(np.where(truth == 1, p, 1 - p), 1e-15, 1)) for p in (probability, base)]
    over, reach = gain(*losses, block)
    cells = [(f"{c} {v}", i) for c in ("origin", "carrier") for v, i in holdout.groupby(c).indices.items()]
    slices = sorted(((name, losses[0][rows].mean()) for name, rows in cells), key=lambda item: item[1])
    figure = draw(truth, probability, importance(model, holdout), slices)
    mlflow.log_figure(figure, "judged.png", save_kwargs={"dpi": 80})
    scores = {"log_loss/challenger": losses[0].mean(), "log_loss/dummy": losses[1].mean()}
    mlflow.log_metrics(scores)
    mlflow.log_text(json.dumps({**scores, "gain": over, "reach": reach}), "verdict.json")
    mlflow.log_text(f"# late\n\ngain over the dummy {over:.4f} +- {reach:.4f}\n", "card.md")
    return scores["log_loss/challenger"]


def train():
    mlflow.set_tracking_uri(f"sqlite:///{HOME}/mlflow.db")
    mlflow.create_experiment("late", artifact_location=(HOME / "artifacts" / "late").as_uri())
    mlflow.set_experiment("late")
    rows = read()
    end = rows["departs"].max() + pd.Timedelta(1, "us")
    train, holdout = rows[rows["departs"] < end - 22 * DAY], rows[rows["departs"] >= end - 21 * DAY]
    holdout = holdout.reset_index(drop=True)
    client = mlflow.MlflowClient()
    with mlflow.start_run(run_name="late"):
        model = fit(train)
        record(train, {"kind": "training"})
        page = TableReport(
            train.iloc[:: len(train) // 20_000], plot_distributions=False, compute_associations=False, verbose=0
        )
        mlflow.log_text(page.html(), "data.html")
        client.set_registered_model_alias(
            "late", "challenger", store(model, train[FEATURES].tail(5)).registered_model_version
        )
        score = judge(model, train, holdout)
    with mlflow.start_run(run_name="refit"):
        again = fit(rows)
        record(rows, {"kind": "refit"})
        apart = np.abs(again.predict_proba(holdout[FEATURES]) - model.predict_proba(holdout[FEATURES])).mean()
        mlflow.log_metric("disagreement", apart)
        client.set_registered_model_alias(
            "late", "champion", store(again, rows[FEATURES].tail(5)).registered_model_version
        )
    print(json.dumps({"rows": len(train), "holdout": len(holdout), "log_loss": score}))


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as Evergreen does: two spin when a core is shared
        train()
