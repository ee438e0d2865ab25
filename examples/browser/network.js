// A streaming file: one time step a call. Its state, the membrane potentials, goes in and comes out with each call.

import { Tensor, loadAndCompile, loadLiteRt } from "@litertjs/core";

const RUNTIME = "litert/litert_wasm_compat_internal.js";
const FILE = "model_streaming_dynamic.tflite";
const INPUT = "image";
let runtime = null;

export const MAC = 0.3e-3, AC = 0.1e-3;  // nJ, of 8-bit arithmetic; M. Horowitz, ISSCC 2014

export async function load(folder) {
  const file = fetch(`${folder}/${FILE}`).then(answer => answer.ok ? answer.arrayBuffer() : Promise.reject(new Error(`${folder}: ${answer.status}`)));
  const card = await fetch(`${folder}/card.json`).then(answer => answer.json());
  await (runtime ??= loadLiteRt(RUNTIME));
  return new Network(await loadAndCompile(new Uint8Array(await file), { accelerator: "wasm" }), card);
}

class Network {
  constructor(model, card) {
    const [[name, runner]] = Object.entries(model.signatures);
    this.runner = runner;
    this.steps = Number(name.match(/mean_of_(\d+)_steps/)[1]);
    this.threshold = card.anytime?.threshold ?? 1;
    this.card = card;
    this.energyOfTwin = card.targets.find(target => target.path === FILE)?.energy?.twin_dense ?? null;
    this.shapes = Object.fromEntries(runner.getInputDetails().map(({ name, shape }) => [name, [...shape]]));
    this.layers = Object.keys(this.shapes).filter(name => name !== INPUT).sort();  // block1_neuron_membrane, block2_...
  }

  /**
   * What each step does, until the answer is as sure as `threshold`, or until the last step.
   * `inputAt(step)` is what the network sees in a step, from 1; `energyOf(input, spikes)` what the step costs, in nJ.
   */
  async *read(inputAt, threshold, energyOf) {
    let state = Object.fromEntries(this.layers.map(name => [name, new Float32Array(size(this.shapes[name]))]));
    let total = null, energy = 0;
    for (let step = 1; step <= this.steps; step++) {
      const input = inputAt(step);
      const { logits, ...after } = await this.call({ ...state, [INPUT]: input });
      total = total ? total.map((sum, index) => sum + logits[index]) : Float64Array.from(logits);
      const spikes = this.layers.map(name => fired(after[name]));
      energy += energyOf(input, spikes);
      const probabilities = softmax(total.map(sum => sum / step));
      const prediction = probabilities.indexOf(Math.max(...probabilities));
      const sure = probabilities[prediction] >= threshold;
      yield { step, spikes, probabilities, prediction, confidence: probabilities[prediction], energy, sure };
      if (sure) return;
      state = after;
    }
  }

  async call(values) {
    const given = Object.fromEntries(Object.entries(values).map(([name, array]) => [name, new Tensor(array, this.shapes[name])]));
    const found = await this.runner.run(given);
    const result = {};
    for (const [name, tensor] of Object.entries(found)) {
      result[name] = Float32Array.from(await tensor.data());
      tensor.delete();
    }
    for (const tensor of Object.values(given)) tensor.delete();
    return result;
  }
}

const size = shape => shape.reduce((product, length) => product * length, 1);

/** 1 where a neuron fired: its potential was set back to exactly 0. */
function fired(membrane) {
  return Uint8Array.from(membrane, potential => potential === 0 ? 1 : 0);
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, logit => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map(power => power / sum);
}
