// The page: what the network does is shown step by step, slowly enough to be seen.

import { Ink } from "./ink.js";
import { load } from "./network.js";

const PAUSE = 450;  // ms between two steps
const EXAMPLE = [[[0.27, 0.12], [0.72, 0.12], [0.42, 0.9]], [[0.35, 0.5], [0.68, 0.5]]];  // a 7
const element = id => document.getElementById(id);
const pause = new URLSearchParams(location.search).has("fast") ? 0 : PAUSE;

let network = null, turn = 0;
const ink = new Ink(element("ink"), read);

element("read").onclick = read;
element("clear").onclick = () => { ink.clear(); read(); };
element("example").onclick = () => ink.draw(EXAMPLE);
element("sure").oninput = () => { sayThreshold(); read(); };

try {
  network = await load("../../saved_models/digits_student");
  element("sure").value = network.threshold;
  sayThreshold();
  reset();
  await read();
} catch (error) {
  element("answer").textContent = `The network cannot be loaded: ${error.message}. Serve the repository's root, see README.md.`;
  document.body.dataset.state = "failed";
  throw error;
}

function sayThreshold() {
  element("sure-said").textContent = `${Math.round(100 * element("sure").value)} %`;
}

function reset() {
  element("steps").innerHTML = "";
  for (let step = 1; step <= network.steps; step++) element("steps").append(make("li", `step ${step}`));
  element("classes").innerHTML = "";
  for (let digit = 0; digit < 10; digit++) {
    const column = make("div", digit);
    column.prepend(document.createElement("i"));
    element("classes").append(column);
  }
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
  document.body.dataset.state = "reading";
  if (!picture) {
    element("answer").textContent = "Draw a digit, as large as you like.";
    document.body.dataset.state = "ready";
    return;
  }
  paint(element("image"), [picture], 8, 1);
  let last = null;
  for await (const now of network.read(picture, Number(element("sure").value))) {
    if (mine !== turn) return;
    show(last = now);
    await new Promise(resume => setTimeout(resume, pause));
    if (mine !== turn) return;
  }
  conclude(last);
}

function show({ step, spikes, probabilities, prediction, energy }) {
  element("steps").children[step - 1].className = "done";
  element("answer").textContent = `Step ${step}: it may be a ${prediction} ...`;
  paint(element("block1"), channels(spikes[0], 8), 8, 4);
  paint(element("block2"), channels(spikes[1], 16), 4, 8);
  spikes.forEach((fired, index) => { element(`spikes${index + 1}`).textContent = fired.reduce((sum, spike) => sum + spike, 0); });
  probabilities.forEach((probability, digit) => {
    const column = element("classes").children[digit];
    column.firstChild.style.height = `${Math.round(80 * probability)}%`;
    column.className = digit === prediction ? "best" : "";
  });
  element("energy").textContent = `${energy.toFixed(2)} nJ`;
}

function conclude({ step, prediction, confidence, sure, energy }) {
  for (const skipped of [...element("steps").children].slice(step)) skipped.className = "skipped";
  const percent = Math.round(100 * confidence);
  const steps = `${step} of ${network.steps} steps`;
  element("answer").textContent = sure ? `A ${prediction}: sure (${percent} %) after ${steps}.` : `Perhaps a ${prediction} (${percent} %): ${steps}, and not sure.`;
  const twin = network.energyOfTwin;
  element("energy-beside").textContent = `Its ANN twin, where nothing is skipped: ${twin.toFixed(2)} nJ, ${(twin / energy).toFixed(1)} times as much.`;
  Object.assign(document.body.dataset, { state: "done", prediction, steps: step });
}

/** The maps of a layer, one a channel, from `[H * W * C]`. */
function channels(values, count) {
  return Array.from({ length: count }, (_, channel) => values.filter((_, index) => index % count === channel));
}

/** Square maps of so many pixels, so many in a row. */
function paint(canvas, maps, side, inRow) {
  const pen = canvas.getContext("2d");
  const cell = Math.floor(canvas.width / inRow / (side + (inRow > 1)));
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--spike");
  maps.forEach((map, number) => {
    const left = (number % inRow) * (side + 1) * cell, top = Math.floor(number / inRow) * (side + 1) * cell;
    map.forEach((value, index) => {
      pen.globalAlpha = value || 0.07;
      pen.fillRect(left + (index % side) * cell, top + Math.floor(index / side) * cell, cell - 1, cell - 1);
    });
  });
  pen.globalAlpha = 1;
}

function make(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
