"""A linear estimator: what a diagnosis tries instead of the model file's own (imports skrub when it is called)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def linear(model: "Model") -> Any:
    """An unfitted linear estimator behind encoders chosen by type, for any features."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from skrub import tabular_pipeline

    return tabular_pipeline(Ridge() if model.task == "regression" else LogisticRegression())


def source(model: "Model") -> str:
    """The same as lines of a model file."""
    name = "Ridge" if model.task == "regression" else "LogisticRegression"
    return (
        "def estimator():\n"
        f"    from sklearn.linear_model import {name}\n"
        "    from skrub import tabular_pipeline\n\n"
        f"    return tabular_pipeline({name}())"
    )
