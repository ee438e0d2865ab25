// The first tab: a digit is drawn, and what the network does is shown step by step, slowly enough to be seen.

import { bars, colour, count, element, fast, make, saysLoadingFailed, showProbabilities, wait } from "./dom.js";
import { Ink } from "./ink.js";
import { AC, MAC, load } from "./network.js";

const PAUSE = fast ? 0 : 450;  // ms between two steps
const EXAMPLE = [[[0.27, 0.12], [0.72, 0.12], [0.42, 0.9]], [[0.35, 0.5], [0.68, 0.5]]];  // a 7
const DIGITS = [...Array(10).keys()];

let network = null, turn = 0;
const ink = new Ink(element("ink"), read);
const panel = element("digits");

element("read").onclick = read;
element("clear").onclick = () => { ink.clear(); read(); };
element("example").onclick = () => ink.draw(EXAMPLE);
element("sure").oninput = () => { sayThreshold(); read(); };

export async function open() {
  try {
    network = await load("../../saved_models/digits_student");
    element("sure").value = network.threshold;
    sayThreshold();
    reset();
    await read();
  } catch (error) {
    element("answer").textContent = saysLoadingFailed(error);
    panel.dataset.state = "failed";
    throw error;
  }
}

function sayThreshold() {
  element("sure-said").textContent = `${Math.round(100 * element("sure").value)} %`;
}

function reset() {
  element("steps").innerHTML = "";
  for (let step = 1; step <= network.steps; step++) element("steps").append(make("li", `step ${step}`));
  bars(element("classes"), DIGITS);
  element("energy").textContent = "0.00 nJ";
  element("energy-beside").textContent = "";
  for (const id of ["image", "block1", "block2"]) element(id).getContext("2d").clearRect(0, 0, 999, 999);
  element("spikes1").textContent = element("spikes2").textContent = 0;
}

async function read() {
  const mine = ++turn;
  if (!network) return;
  reset();
  const picture = ink.picture();
  panel.dataset.state = "reading";
  if (!picture) {
    element("answer").textContent = "Draw a digit, as large as you like.";
    panel.dataset.state = "ready";
    return;
  }
  paint(element("image"), [picture], 8, 1);
  let last = null;
  for await (const now of network.read(() => picture, Number(element("sure").value), energyOf)) {
    if (mine !== turn) return;
    show(last = now);
    await wait(PAUSE);
    if (mine !== turn) return;
  }
  conclude(last);
}

function show({ step, spikes, probabilities, prediction, energy }) {
  element("steps").children[step - 1].className = "done";
  element("answer").textContent = `Step ${step}: it may be a ${prediction} ...`;
  paint(element("block1"), channels(spikes[0], 8), 8, 4);
  paint(element("block2"), channels(spikes[1], 16), 4, 8);
  spikes.forEach((fired, index) => { element(`spikes${index + 1}`).textContent = count(fired); });
  showProbabilities(element("classes"), probabilities, prediction);
  element("energy").textContent = `${energy.toFixed(2)} nJ`;
}

function conclude({ step, prediction, confidence, sure, energy }) {
  for (const skipped of [...element("steps").children].slice(step)) skipped.className = "skipped";
  const percent = Math.round(100 * confidence);
  const steps = `${step} of ${network.steps} steps`;
  element("answer").textContent = sure ? `A ${prediction}: sure (${percent} %) after ${steps}.` : `Perhaps a ${prediction} (${percent} %): ${steps}, and not sure.`;
  const twin = network.energyOfTwin;
  element("energy-beside").textContent = `Its ANN twin, where nothing is skipped: ${twin.toFixed(2)} nJ, ${(twin / energy).toFixed(1)} times as much.`;
  Object.assign(panel.dataset, { state: "done", prediction, steps: step });
}

/** nJ: pixels that are not 0 into 8 filters, pooled spikes into 16, spikes into 10 classes. */
function energyOf(picture, [first, second]) {
  let macs = 0, acs = 0;
  for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) if (picture[8 * y + x] !== 0) macs += 8 * reached(x, y, 8);
  for (let y = 0; y < 4; y++) for (let x = 0; x < 4; x++) for (let channel = 0; channel < 8; channel++) {
    const of = (dy, dx) => first[8 * (8 * (2 * y + dy) + 2 * x + dx) + channel];
    if (of(0, 0) || of(0, 1) || of(1, 0) || of(1, 1)) acs += 16 * reached(x, y, 4);
  }
  for (const spike of second) acs += 10 * spike;
  return MAC * macs + AC * acs;
}

/** Positions that a 3 x 3 convolution of the same size computes from one pixel; fewer at the border. */
function reached(x, y, length) {
  const along = place => 3 - (place === 0) - (place === length - 1);
  return along(x) * along(y);
}

/** The maps of a layer, one a channel, from `[H * W * C]`. */
function channels(values, number) {
  return Array.from({ length: number }, (_, channel) => values.filter((_, index) => index % number === channel));
}

/** Square maps of so many pixels, so many in a row. */
function paint(canvas, maps, side, inRow) {
  const pen = canvas.getContext("2d");
  const cell = Math.floor(canvas.width / inRow / (side + (inRow > 1)));
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = colour("--spike");
  maps.forEach((map, number) => {
    const left = (number % inRow) * (side + 1) * cell, top = Math.floor(number / inRow) * (side + 1) * cell;
    map.forEach((value, index) => {
      pen.globalAlpha = value || 0.07;
      pen.fillRect(left + (index % side) * cell, top + Math.floor(index / side) * cell, cell - 1, cell - 1);
    });
  });
  pen.globalAlpha = 1;
}
