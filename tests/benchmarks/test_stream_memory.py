"""A stream needs no more memory the longer it is."""

from pathlib import Path

import numpy as np

from benchmarks import stream_memory
from keras_snnkd.edge import Runner

FILE = Path(__file__).parents[2] / "saved_models" / "digits_student" / "model_streaming_dynamic.tflite"


def test_a_stream_takes_no_more_memory_the_longer_it_is(capsys):
    assert stream_memory.main([str(FILE), "--samples", "3000"]) == 0
    assert "3,000 samples, memory" in capsys.readouterr().out


def test_one_that_keeps_its_frames_is_found_out(monkeypatch, capsys):
    kept = []

    class Hoarder(Runner):
        def step(self, frame):
            kept.append(np.ones(1 << 14))  # 128 KiB a step: more than the process has freed before, and would take again
            return super().step(frame)

    monkeypatch.setattr(stream_memory, "Runner", Hoarder)
    assert stream_memory.main([str(FILE), "--samples", "1000"]) == 1
