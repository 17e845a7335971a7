
// Scales: from values to pixels and colours.

/** Return {at, ticks, log}: `at(value)` in pixels between `from` and `to`; a logarithmic scale takes positive values only. */
function scale(values, from, to, { log = false, zero = false } = {}) {
  let known = values.filter((value) => value !== null && Number.isFinite(value) && (!log || value > 0));
  if (!known.length) known = log ? [1, 10] : [0, 1];
  const turn = log ? Math.log10 : (value) => value;
  let low = Infinity;
  let high = -Infinity;
  for (const value of known) {
    low = Math.min(low, turn(value));
    high = Math.max(high, turn(value));
  }
  if (zero && !log) low = Math.min(low, 0);
  const span = high - low || (log ? 1 : Math.abs(high) || 1);
  const room = high === low ? span / 2 : 0.05 * span;
  high += room;
  if (!(zero && low === 0)) low -= room;
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  return { at, log, ticks: log ? decades(low, high) : steps(low, high) };
}

function steps(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let count = Math.ceil(low / step); count * step <= high + 1e-12 * step; count++) found.push(Number((count * step).toPrecision(12)));
  return found;
}

function decades(low, high) {
  const factors = high - low > 3 ? [1] : high - low > 1 ? [1, 3] : [1, 2, 3, 5, 7];
  const found = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9) found.push(value);
    }
  }
  return found;
}

const COLOURS = ["#1f6feb", "#d9480f", "#2b8a3e", "#9c36b5", "#c2255c", "#0b7285", "#8d6708", "#5f3dc4", "#495057", "#66a80f"];
const NONE = "#b4bcc5";

// dark to bright, readable in grey and by colour-blind people (values of matplotlib's viridis)
const MANY = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#e2d21c"];
// little to much
const HEAT = ["#f1f4f8", "#ffe3b0", "#fdb863", "#f0772e", "#c92a2a", "#7a0c2e"];

/** Return the colour at a fraction between 0 and 1 of a list of colours. */
function blend(colours, fraction) {
  const place = Math.max(0, Math.min(1, fraction)) * (colours.length - 1);
  const [low, high] = [Math.floor(place), Math.ceil(place)];
  const part = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mixed = [0, 1, 2].map((i) => Math.round(part(colours[low], i) + (place - low) * (part(colours[high], i) - part(colours[low], i))));
  return `rgb(${mixed.join(",")})`;
}

function heat(fraction) {
  return blend(HEAT, fraction);
}

/** Return {of(row), entries | ends}: the colour of each row by a column {levels, values, log}. */
function colouring(column) {
  if (column.levels) {
    const numbers = new Map();
    for (const value of column.values) if (value !== null) numbers.set(value, (numbers.get(value) || 0) + 1);
    const places = [...numbers.keys()].sort((a, b) => numbers.get(b) - numbers.get(a));
    const colours = new Map(places.slice(0, COLOURS.length).map((place, i) => [place, COLOURS[i]]));
    const entries = [...colours].map(([place, colour]) => [column.levels[place], colour]);
    if (places.length > COLOURS.length) entries.push([`${places.length - COLOURS.length} others`, NONE]);
    if (column.values.includes(null)) entries.push(["not there", NONE]);
    return { of: (row) => colours.get(column.values[row]) || NONE, entries };
  }
  const position = scale(column.values, 0, 1, { log: column.log });
  const known = column.values.filter((value) => value !== null);
  const ends = known.length ? [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] : [0, 0];
  const of = (row) => (column.values[row] === null ? NONE : blend(MANY, position.at(column.values[row])));
  return { of, ends };
}
