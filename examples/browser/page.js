// Two tabs, each with its network, which is loaded when the tab is opened first.

import * as digits from "./digits.js";
import { element } from "./dom.js";
import * as wrist from "./wrist.js";

const TABS = { digits, wrist };
const buttons = Object.keys(TABS).map(name => element(`tab-${name}`));

function choose(name) {
  for (const button of buttons) {
    const chosen = button.id === `tab-${name}`;
    button.setAttribute("aria-selected", chosen);
    button.tabIndex = chosen ? 0 : -1;
    element(button.getAttribute("aria-controls")).hidden = !chosen;
  }
  return TABS[name].open();
}

buttons.forEach((button, index) => {
  button.onclick = () => choose(button.getAttribute("aria-controls"));
  button.onkeydown = ({ key }) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!steps) return;
    const next = buttons[(index + steps + buttons.length) % buttons.length];
    next.focus();
    next.click();
  };
});

await choose(location.hash === "#wrist" ? "wrist" : "digits");
