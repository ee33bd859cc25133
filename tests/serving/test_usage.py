"""What another process of this machine reads of a running service: its requests by model, and nothing of a dead one."""

from serving import usage
from serving.process import metrics_folder
from tests.serving.counting_worker import counting


def test_requests_errors_and_latency_of_a_model_are_read_without_asking_the_service(tmp_path):
    with counting(tmp_path):
        folder = metrics_folder.current(tmp_path)
        assert folder is not None
        found = usage.read(folder, "toy")
        assert usage.read(folder, "nobody") == usage.Usage()
    assert found.requests == {200: 3, 400: 1, 500: 1}
    assert (found.total, found.refused, found.failed) == (5, 1, 1)
    assert found.rows == {"7": 12}
    assert (found.within(0.5), found.within(0.8), found.within(1.0)) == (0.005, 0.25, float("inf"))


def test_a_service_that_was_killed_does_not_run(tmp_path):
    with counting(tmp_path) as worker:
        worker.kill()
        worker.wait()
        assert metrics_folder.current(tmp_path) is None


def test_where_no_service_ever_ran_there_is_none(tmp_path):
    assert metrics_folder.current(tmp_path) is None
