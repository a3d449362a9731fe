from deployments.contracts.chat import Usage
from serve_app.services.metrics import Metrics, exposition, gauges


def test_samples_are_summed_over_replicas() -> None:
    one, two = Metrics(), Metrics()
    one.turn("m", "finished", Usage(3, 5, 1))
    two.turn("m", "finished", Usage(10, 20, 0))
    two.request("/api/chat", "POST", 200, 0.03)
    with one.running("m"):
        text = exposition([one.snapshot(), two.snapshot()]).decode()
    assert 'polyphony_tokens_total{kind="completion",model="m"} 25.0' in text
    assert 'polyphony_turns_total{model="m",outcome="finished"} 2.0' in text
    assert 'polyphony_turns_running{model="m"} 1.0' in text
    assert 'polyphony_http_request_seconds_bucket{le="0.05",route="/api/chat"} 1.0' in text
    assert 'polyphony_http_request_seconds_bucket{le="0.025",route="/api/chat"} 0.0' in text


def test_gauges_read_elsewhere_are_exposed() -> None:
    family = gauges("polyphony_engine_running", "Running.", [((("model", "m"),), 2.0)])
    assert 'polyphony_engine_running{model="m"} 2.0' in exposition([[family]]).decode()
