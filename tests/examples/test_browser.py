"""The page of examples/browser in headless Chromium: digits are drawn, and the answer is read and compared with LiteRT's own."""

import functools
import http.server
import json
import pathlib
import queue
import subprocess
import threading

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests import chromium

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "examples/browser"
MODEL = ROOT / "saved_models/digits_student/model_streaming_dynamic.tflite"


def arc(x, y, width, height, start, end, points=16):
    """A part of an ellipse, from one angle to another."""
    angles = np.radians(np.linspace(start, end, points + 1))
    return [[x + width * float(np.cos(angle)), y + height * float(np.sin(angle))] for angle in angles]


STROKES = {
    0: [arc(0.5, 0.5, 0.25, 0.4, -90, 270)],
    1: [[[0.38, 0.28], [0.52, 0.1], [0.52, 0.9]]],
    2: [[*arc(0.5, 0.3, 0.22, 0.2, -170, 30), [0.28, 0.9], [0.75, 0.9]]],
    3: [[*arc(0.48, 0.3, 0.2, 0.2, -150, 90), *arc(0.48, 0.7, 0.23, 0.2, -90, 150)]],
    4: [[[0.6, 0.9], [0.6, 0.1], [0.25, 0.62], [0.78, 0.62]]],
    5: [[[0.7, 0.1], [0.35, 0.1], [0.32, 0.45], *arc(0.5, 0.65, 0.22, 0.24, -120, 140)]],
    6: [[*arc(0.6, 0.5, 0.32, 0.42, -70, -180), *arc(0.5, 0.68, 0.2, 0.2, -180, 180)]],
    7: [[[0.27, 0.12], [0.72, 0.12], [0.42, 0.9]], [[0.35, 0.5], [0.68, 0.5]]],
    8: [[*arc(0.5, 0.3, 0.18, 0.2, 90, 450), *arc(0.5, 0.7, 0.22, 0.2, -90, 270)]],
    9: [[*arc(0.48, 0.32, 0.2, 0.2, 0, 360), [0.68, 0.32], [0.64, 0.9]]],
}
WAIT = 60

DRIVER = """<body><iframe src="/examples/browser/index.html?fast" style="width:900px;height:1000px"></iframe><script type="module">
const strokes = STROKES, frame = document.querySelector("iframe"), answers = {};
const wait = async condition => { while (!condition()) await new Promise(resume => setTimeout(resume, 20)); };
try {
  await new Promise(loaded => { frame.onload = loaded; });
  const page = frame.contentDocument, state = page.getElementById("digits").dataset;
  await wait(() => state.state === "ready" || state.state === "failed");
  const canvas = page.getElementById("ink"), box = canvas.getBoundingClientRect();
  const { Ink } = await import("/examples/browser/ink.js");
  const point = (kind, [x, y]) => canvas.dispatchEvent(new frame.contentWindow.PointerEvent(kind, {
    pointerId: 1, bubbles: true, clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
  canvas.setPointerCapture = () => {};
  for (const [digit, lines] of Object.entries(strokes)) {
    page.getElementById("clear").click();
    await wait(() => state.state === "ready");
    for (const [first, ...more] of lines) {
      point("pointerdown", first);
      more.forEach(place => point("pointermove", place));
      point("pointerup", more.at(-1));
    }
    await wait(() => state.state === "done");
    const pixels = Ink.prototype.picture.call({ canvas, pen: canvas.getContext("2d") });
    answers[digit] = { prediction: Number(state.prediction), steps: Number(state.steps), picture: [...pixels],
      said: page.getElementById("answer").textContent, energy: parseFloat(page.getElementById("energy").textContent),
      spikes: [1, 2].map(layer => Number(page.getElementById("spikes" + layer).textContent)),
      threshold: page.getElementById("sure").value };
  }
  page.getElementById("clear").click();
  await wait(() => state.state === "ready");
  const key = name => canvas.dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown", { key: name }));
  for (const name of [" ", ...Array(11).fill("ArrowDown"), " "]) key(name);
  await wait(() => state.state === "done");
  answers.keys = { prediction: Number(state.prediction) };
  const tab = page.getElementById("tab-digits"), wrist = page.getElementById("wrist"), choice = page.getElementById("exercise");
  tab.dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown", { key: "ArrowRight" }));
  await wait(() => wrist.dataset.state === "ready" || wrist.dataset.state === "failed");
  answers.wrist = { shown: !wrist.hidden && page.getElementById("digits").hidden, windows: [] };
  for (let number = 0; number < choice.length; number++) {
    delete wrist.dataset.steps;
    choice.selectedIndex = number;
    choice.dispatchEvent(new Event("change"));
    await wait(() => wrist.dataset.state === "done" && wrist.dataset.steps);
    answers.wrist.windows.push({ prediction: Number(wrist.dataset.prediction), steps: Number(wrist.dataset.steps),
      said: page.getElementById("wrist-answer").textContent, spikes: Number(page.getElementById("wrist-spikes").textContent),
      energy: parseFloat(page.getElementById("wrist-energy").textContent), threshold: page.getElementById("wrist-sure").value });
  }
} catch (error) { answers.error = String(error); }
await fetch("/answers", { method: "POST", body: JSON.stringify(answers) });
</script></body>"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the page says of each digit that is drawn on it."""
    posted, asked = queue.Queue(), []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

        def do_GET(self):
            if self.path != "/driver.html":
                return super().do_GET()
            content = DRIVER.replace("STROKES", json.dumps(STROKES)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)
            return None

        def do_POST(self):
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/driver.html"
    profile = tmp_path_factory.mktemp("profile")
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # nothing but this server
    flags = ["--headless", "--no-sandbox", "--disable-gpu", rules, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    browser = subprocess.Popen([chromium.BROWSER, *flags, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return posted.get(timeout=WAIT)
    except queue.Empty:
        pytest.fail(f"no answer in {WAIT} s; asked for {asked}")
    finally:
        browser.terminate()
        browser.wait()
        server.shutdown()
        server.server_close()


def by_litert(file, images, threshold):
    """Prediction, and spikes of each layer in each step until it is sure, by the runtime of the edge package's runner."""
    runner = Interpreter(str(file)).get_signature_runner()
    state = {name: np.zeros(details["shape"], "float32") for name, details in runner.get_input_details().items()}
    total, spikes = 0.0, []
    for step, image in enumerate(images, start=1):
        found = runner(**{**state, "image": np.asarray(image, "float32").reshape(state["image"].shape)})
        total = total + found["logits"][0].astype("float64")
        spikes.append([int((found[f"block{n}_neuron_membrane"] == 0).sum()) for n in (1, 2)])
        powers = np.exp(total / step - (total / step).max())
        if (powers / powers.sum()).max() >= threshold:
            break
        state = {name: found.get(name, values) for name, values in state.items()}
    return int(total.argmax()), spikes


@pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("digit", STROKES)
def test_a_drawn_digit_is_read_as_litert_reads_it(digit, answers):
    assert "error" not in answers, answers
    answer = answers[str(digit)]
    prediction, spikes = by_litert(MODEL, 4 * [answer["picture"]], float(answer["threshold"]))
    assert (answer["prediction"], answer["steps"], answer["spikes"]) == (prediction, len(spikes), spikes[-1])
    stopped = answer["steps"] < 4
    assert answer["said"].startswith(f"A {prediction}: sure" if stopped else f"Perhaps a {prediction}")
    assert 0 < answer["energy"] < 5


@pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium")
def test_nine_of_ten_digits_are_read_correctly_most_of_them_before_the_last_step(answers):
    assert sum(answers[str(digit)]["prediction"] == digit for digit in STROKES) >= 9
    assert sum(answers[str(digit)]["steps"] < 4 for digit in STROKES) > 5


@pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium")
def test_keys_draw_too(answers):
    assert answers["keys"]["prediction"] == 1


@pytest.mark.skipif(chromium.BROWSER is None, reason="needs Chromium")
def test_the_recordings_of_the_watch_are_read_as_litert_reads_them(answers):
    assert "error" not in answers, answers
    assert answers["wrist"]["shown"]
    recorded = json.loads((PAGE / "recordings.json").read_text())
    assert len(answers["wrist"]["windows"]) == len(recorded["recordings"]) == 7
    for recording, answer in zip(recorded["recordings"], answers["wrist"]["windows"], strict=True):
        window = recording["values"][:100]
        prediction, spikes = by_litert(PAGE / "wrist/model_streaming_dynamic.tflite", window, float(answer["threshold"]))
        assert (answer["prediction"], answer["steps"], answer["spikes"]) == (prediction, len(spikes), sum(map(sum, spikes))), recording[
            "exercise"
        ]
        assert answer["said"].endswith(
            "It is." if recorded["exercises"][prediction] == recording["exercise"] else f"It is {recording['exercise']}."
        )
        first, second = np.sum(spikes, axis=0)
        assert answer["energy"] == pytest.approx(0.3e-3 * 480 * len(spikes) + 0.1e-3 * (80 * first + 7 * second), abs=0.006)
