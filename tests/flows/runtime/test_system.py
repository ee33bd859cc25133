"""What `evergreen up` says of its parts."""

from dataclasses import replace

from evergreen.settings import Settings
from flows.runtime.system import _mlflow_address


def test_the_store_of_models_is_named_without_its_password():
    settings = replace(Settings.read(), tracking_uri="postgresql://me:secret@there/mlflow")
    assert _mlflow_address(settings, None) == "no server was started; the store is postgresql://me:***@there/mlflow"
