// Elements. Text from elsewhere gets into the page here, and here it is only ever text.

const SVG = "http://www.w3.org/2000/svg";

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Make an element: el("p", { class: "dim", onclick }, "text", child). */
export function el(tag, props = {}, ...children) {
  return dressed(document.createElement(tag), props, children);
}

/** Likewise, of a drawing. */
export function svg(tag, props = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), props, children);
}

function dressed(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Put text into a node, if it is another one: what is not touched is not drawn, nor read aloud. */
export function say(node, text) {
  const said = text === null || text === undefined ? "" : String(text);
  if (node.textContent !== said) node.textContent = said;
}

/** Set or take an attribute, if it is another one. */
export function mark(node, name, value) {
  const said = value === null || value === undefined || value === false ? null : String(value);
  if (node.getAttribute(name) === said) return;
  if (said === null) node.removeAttribute(name);
  else node.setAttribute(name, said);
}

/** Fill a <dl> with pairs; a pair without a value is left out. */
export function pairs(list, entries) {
  const there = entries.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const names = there.map(([name]) => name).join("\n");
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    list.replaceChildren(...there.flatMap(([name]) => [el("dt", {}, name), el("dd")]));
  }
  there.forEach(([, value], at) => say(list.children[2 * at + 1], value));
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
