// What both tabs need of the page.

export const element = id => document.getElementById(id);
export const fast = new URLSearchParams(location.search).has("fast");

export function make(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name);
export const wait = milliseconds => new Promise(resume => setTimeout(resume, milliseconds));
export const count = spikes => spikes.reduce((sum, spike) => sum + spike, 0);

/** One bar a class, which grows as the network gets surer of it. */
export function bars(place, names) {
  place.innerHTML = "";
  for (const name of names) {
    const bar = make("div", name);
    bar.prepend(document.createElement("i"));
    place.append(bar);
  }
}

export function showProbabilities(place, probabilities, prediction) {
  probabilities.forEach((probability, index) => {
    const bar = place.children[index];
    bar.style.setProperty("--share", probability.toFixed(2));
    bar.className = index === prediction ? "best" : "";
  });
}

export const saysLoadingFailed = error => `The network cannot be loaded: ${error.message}. Serve the repository's root, see README.md.`;
