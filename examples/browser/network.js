// The student: one time step a call. Its state, the membrane potentials, goes in and comes out with each call.

import { Tensor, loadAndCompile, loadLiteRt } from "@litertjs/core";

const RUNTIME = "litert/litert_wasm_compat_internal.js";
const MAC = 0.3e-3, AC = 0.1e-3;  // nJ, of 8-bit arithmetic; M. Horowitz, ISSCC 2014
const SHAPES = { image: [8, 8, 1], block1_neuron_membrane: [8, 8, 8], block2_neuron_membrane: [4, 4, 16] };

const size = shape => shape.reduce((product, length) => product * length, 1);

export async function load(folder) {
  const file = fetch(`${folder}/model_streaming_dynamic.tflite`).then(answer => answer.arrayBuffer());
  const card = await fetch(`${folder}/card.json`).then(answer => answer.json());
  await loadLiteRt(RUNTIME);
  const model = await loadAndCompile(new Uint8Array(await file), { accelerator: "wasm" });
  return new Network(model, card);
}

class Network {
  constructor(model, card) {
    const [[name, runner]] = Object.entries(model.signatures);
    this.runner = runner;
    this.steps = Number(name.match(/mean_of_(\d+)_steps/)[1]);
    this.threshold = card.anytime.threshold;
    this.energyOfTwin = card.targets.find(target => target.path === "model_streaming_dynamic.tflite").energy.twin_dense;
  }

  /** What each step does, until the answer is as sure as `threshold`, or until the last step. */
  async *read(picture, threshold) {
    let state = Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, new Float32Array(size(shape))]));
    state.image = picture;
    const total = new Float64Array(10);
    let energy = 0;
    for (let step = 1; step <= this.steps; step++) {
      const after = await this.step(state);
      after.logits.forEach((logit, index) => { total[index] += logit; });
      const spikes = [after.block1_neuron_membrane, after.block2_neuron_membrane].map(fired);
      energy += energyOf(picture, spikes);
      const probabilities = softmax(total.map(sum => sum / step));
      const prediction = probabilities.indexOf(Math.max(...probabilities));
      const sure = probabilities[prediction] >= threshold;
      yield { step, spikes, probabilities, prediction, confidence: probabilities[prediction], energy, sure };
      if (sure) return;
      state = { ...after, image: picture };
    }
  }

  async step(state) {
    const given = Object.fromEntries(Object.entries(SHAPES).map(([name, shape]) => [name, new Tensor(state[name], [1, ...shape])]));
    const found = await this.runner.run(given);
    const values = {};
    for (const [name, tensor] of Object.entries(found)) {
      values[name] = Float32Array.from(await tensor.data());
      tensor.delete();
    }
    for (const tensor of Object.values(given)) tensor.delete();
    return values;
  }
}

/** 1 where a neuron fired: its potential was set back to exactly 0. */
function fired(membrane) {
  return Uint8Array.from(membrane, potential => potential === 0 ? 1 : 0);
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

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, logit => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map(power => power / sum);
}
