// The second tab: a recorded signal of a watch, one sample a time step; what fires, and when the network is sure.

import { bars, colour, count, element, fast, make, saysLoadingFailed, showProbabilities, wait } from "./dom.js";
import { AC, MAC, load } from "./network.js";

const panel = element("wrist");
const signal = element("signal"), raster = element("raster");
const HUES = ["--spike", "--warm", "--third"];  // the three axes

const SURE = 0.9;  // of windows of people that chose nothing, the card has what each confidence costs

let network = null, recorded = null, from = 0, turn = 0;

element("play").onclick = play;
element("next").onclick = () => { from = (from + network.steps) % (recording().values.length - network.steps + 1); play(); };
element("exercise").onchange = () => { from = 0; play(); };
element("wrist-sure").oninput = () => { sayThreshold(); };

const recording = () => recorded.recordings[element("exercise").selectedIndex];

export async function open() {
  if (network) return;
  try {
    [network, recorded] = await Promise.all([load("wrist"), fetch("recordings.json").then(answer => answer.json())]);
    for (const { exercise, person } of recorded.recordings) element("exercise").append(make("option", `${exercise}, person ${person}`));
    bars(element("exercises"), recorded.exercises);
    element("wrist-sure").value = SURE;
    sayThreshold();
    drawSignal(0);
    say("Play two seconds of a recorded exercise.", "ready");
  } catch (error) {
    say(saysLoadingFailed(error), "failed");
    throw error;
  }
}

function say(words, state, more = {}) {
  element("wrist-answer").textContent = words;
  Object.assign(panel.dataset, { state, ...more });
}

function sayThreshold() {
  element("wrist-sure-said").textContent = `${Math.round(100 * element("wrist-sure").value)} %`;
}

async function play() {
  const mine = ++turn;
  const samples = recording().values.slice(from, from + network.steps);
  const pen = raster.getContext("2d");
  pen.clearRect(0, 0, raster.width, raster.height);
  let last = null, fired = 0;
  panel.dataset.state = "reading";
  for await (const now of network.read(step => Float32Array.from(samples[step - 1]), Number(element("wrist-sure").value), energyOf)) {
    if (mine !== turn) return;
    last = now;
    fired += now.spikes.reduce((sum, layer) => sum + count(layer), 0);
    drawSignal(now.step);
    drawSpikes(pen, now);
    showProbabilities(element("exercises"), now.probabilities, now.prediction);
    element("wrist-energy").textContent = `${now.energy.toFixed(2)} nJ`;
    element("wrist-spikes").textContent = fired;
    element("wrist-answer").textContent = `${(now.step / recorded.rate).toFixed(2)} s: it may be ${recorded.exercises[now.prediction]} ...`;
    if (!fast) await wait(1000 / recorded.rate);
    if (mine !== turn) return;
  }
  conclude(last);
}

function conclude({ step, prediction, confidence, sure }) {
  const name = recorded.exercises[prediction], percent = Math.round(100 * confidence);
  const after = `${(step / recorded.rate).toFixed(2)} of ${(network.steps / recorded.rate).toFixed(2)} s`;
  const right = name === recording().exercise ? "It is." : `It is ${recording().exercise}.`;
  const answer = sure ? `${name}: sure (${percent} %) after ${after}.` : `Perhaps ${name} (${percent} %): ${after}, and not sure.`;
  say(`${answer} ${right}`, "done", { prediction, steps: step, first: from });
}

/** nJ of one sample: its channels into the first layer, spikes of that into the second, and of that into the classes. */
function energyOf(sample, [first, second]) {
  return MAC * sample.length * first.length + AC * (count(first) * second.length + count(second) * recorded.exercises.length);
}

/** The window's six channels, acceleration above and rotation below; what the network has not seen yet is pale. */
function drawSignal(seen) {
  const pen = signal.getContext("2d"), { width, height } = signal;
  const samples = recording().values.slice(from, from + network.steps);
  pen.clearRect(0, 0, width, height);
  [[0, 1, 2], [3, 4, 5]].forEach((channels, half) => {
    const reach = 1.1 * Math.max(...samples.flatMap(sample => channels.map(channel => Math.abs(sample[channel]))));
    channels.forEach((channel, number) => {
      pen.strokeStyle = colour(HUES[number]);
      for (const [start, end, alpha] of [[0, seen, 1], [Math.max(seen - 1, 0), samples.length, 0.25]]) {
        pen.globalAlpha = alpha;
        pen.beginPath();
        for (let step = start; step < end; step++) {
          pen.lineTo((step + 0.5) * width / samples.length, (0.25 + 0.5 * half - 0.25 * samples[step][channel] / reach) * height);
        }
        pen.stroke();
      }
    });
  });
  pen.globalAlpha = 1;
}

/** One column of the raster: a dot for each neuron that fires in this step. */
function drawSpikes(pen, { step, spikes }) {
  const neurons = spikes.reduce((sum, layer) => sum + layer.length, 0);
  const across = raster.width / network.steps, down = raster.height / neurons;
  let row = 0;
  spikes.forEach((layer, number) => {
    pen.fillStyle = colour(HUES[number]);
    for (const spike of layer) {
      if (spike) pen.fillRect((step - 1) * across, row * down, Math.max(across - 0.5, 1), Math.max(down, 1));
      row++;
    }
  });
}
