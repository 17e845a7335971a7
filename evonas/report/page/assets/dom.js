
// Elements and texts. Whatever comes from files becomes a text node or an attribute of a drawing: never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element with attributes, `on…` handlers and children: elements or texts. */
function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Return an SVG element, as `el` does. */
function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

function note(text, kind = "note") {
  return text ? el("p", { class: kind }, text) : null;
}

/** Return a menu; `options` are [value, text] pairs, and `choose(value)` is called with what is chosen. */
function menu(label, options, value, choose, id) {
  const select = el("select", { id, onchange: (event) => choose(event.target.value) });
  for (const [key, text] of options) select.append(el("option", { value: key, selected: key === value ? "" : null }, text));
  return el("label", {}, `${label} `, select);
}

function tick(label, checked, choose) {
  return el("label", {}, el("input", { type: "checkbox", checked: checked ? "" : null, onchange: (event) => choose(event.target.checked) }), ` ${label}`);
}

/** Show a text beside the pointer as long as it is over the element. */
function tipped(element, text) {
  const tip = byId("tip");
  const move = (event) => {
    tip.textContent = typeof text === "function" ? text() : text;
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const top = event.clientY + 16 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${top}px`;
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerleave", () => { tip.hidden = true; });
  return element;
}

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"], [1e-15, "f"]];

/** Return a number with the prefix of its unit; of units without prefixes the number alone. */
function amount(value, unit = "") {
  if (value === null || value === undefined) return "none";
  const [base, per] = unit.split("/");
  const ending = per ? ` a ${per}` : "";
  if (base === "fraction") return `${(100 * value).toFixed(1)} %`;
  if (base !== "J" && base !== "s") return `${short(value)}${base ? ` ${base}` : ""}${ending}`;
  if (value === 0) return `0 ${base}${ending}`;
  const [size, prefix] = PREFIXES.find(([size]) => Math.abs(value) >= size * 0.9995) || PREFIXES.at(-1);
  return `${short(value / size)} ${prefix}${base}${ending}`;
}

/** Return a number in three digits, whole numbers with separators. */
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-3) return value.toExponential(1).replace("e+", "e");
  return size >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

function shape([channels, height, width]) {
  return height === 1 && width === 1 ? String(channels) : `${channels}×${height}×${width}`;
}

/** Call `act` when the width of an element has changed. */
function onWidth(element, act) {
  let known = 0;
  new ResizeObserver(() => {
    const width = element.clientWidth;
    if (width && Math.abs(width - known) > 1) {
      known = width;
      act(width);
    }
  }).observe(element);
}
