import json

import pytest

from keras_snnkd.errors import FileFormatError
from keras_snnkd.export import _clock, latency
from tests.export.test_micro import STUDENT
from tests.sampling import sampled


@pytest.mark.slow
def test_each_number_of_threads_is_timed_and_all_is_plain_data():
    one, two = latency(STUDENT / "model_dynamic.tflite", threads=[1, 2], rounds=3, seconds=0.01)
    assert (one.threads, two.threads) == (1, 2)
    for found in (one, two):
        assert 0 < found.p50_ms <= found.p95_ms
        assert found.runs >= 3 * 5
        assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


def test_one_disturbed_round_does_not_count(monkeypatch):
    seconds = iter([1.0] * 10 + [50.0] * 5 + [1.0] * 5)
    now = [0.0]

    def run():
        now[0] += next(seconds)

    monkeypatch.setattr(_clock.time, "perf_counter", lambda: now[0])
    ((*rounds,),) = _clock.clock([run], rounds=3, seconds=0)
    assert sorted(float(times.max()) for times in rounds) == [1000, 1000, 50_000]
    assert _clock.percentile(rounds, 95) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("content", sampled([b"this is no model at all", b""], b""))
def test_a_file_that_does_not_run_is_told(content, tmp_path):
    (tmp_path / "bad.tflite").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"bad\.tflite cannot be timed: its runs failed with exit code 1"):
        latency(tmp_path / "bad.tflite", [1], 1, 0.01)


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="must be at least 1, got \\[0\\] and 5"):
        latency(STUDENT / "model_dynamic.tflite", threads=[0])
    with pytest.raises(ValueError, match="must be at least 1"):
        latency(STUDENT / "model_dynamic.tflite", rounds=0)


@pytest.mark.slow
def test_a_saved_model_is_timed_by_tensorflow():
    (found,) = latency(STUDENT / "saved_model", threads=[1, 2], rounds=1, seconds=0.01)
    assert found.threads == 1
    assert found.p50_ms > 0
