
// The front: every network in two objectives, those of the front on top.

/** Return what networks can be placed and coloured by: {name, unit, log, values, levels?, errors?, direction?}. */
function columnsOf(data, chip) {
  const rows = data.rows;
  const found = chip.objectives.map((one) => ({ ...one, levels: null }));
  found.push({ name: "parameters", unit: "", log: true, values: rows.parameters, levels: null });
  found.push({ name: "slot", unit: "", log: false, values: rows.slot, levels: null });
  found.push({ name: "epochs", unit: "", log: false, values: rows.epochs, levels: null });
  const known = new Set();
  return found.filter((one) => one.values.some((value) => value !== null) && !known.has(one.name) && known.add(one.name));
}

/** Draw the front; `state` is {x, y, colour, partly, chosen}, `choose(row)` is called with the network clicked. */
function scatter(place, data, chip, state, choose) {
  const columns = columnsOf(data, chip);
  if (!columns.length) {
    place.replaceChildren(note("No network has been measured."));
    return;
  }
  const x = columns.find((one) => one.name === state.x) || columns[0];
  const y = columns.find((one) => one.name === state.y) || columns[0];
  const colours = colouring(colourColumn(data, columns, state.colour));
  const isFront = new Set(chip.front);
  const isTied = new Set(chip.tied);
  const rows = [...data.rows.slot.keys()].filter((row) => x.values[row] !== null && y.values[row] !== null
    && (!x.log || x.values[row] > 0) && (!y.log || y.values[row] > 0)
    && (state.partly || data.rows.rung[row] === data.top || row === state.chosen));
  rows.sort((a, b) => isFront.has(a) - isFront.has(b));
  const width = place.clientWidth;
  if (!width) return;
  const height = Math.max(320, Math.min(560, width * 0.62));
  const svg = frame(width, height, `Networks: ${y.name} over ${x.name}`);
  const at = {
    x: scale(rows.map((row) => x.values[row]), MARGIN.left, width - MARGIN.right, { log: x.log }),
    y: scale(rows.map((row) => y.values[row]), height - MARGIN.bottom, MARGIN.top, { log: y.log }),
  };
  axes(svg, width, height, axis(x, at.x), axis(y, at.y));
  const inside = (value, objective, position) => (objective.log && value <= 0 ? null : position.at(value));
  svg.append(staircase(rows.filter((row) => isFront.has(row)), x, y, at));
  for (const row of rows) {
    const [cx, cy] = [at.x.at(x.values[row]), at.y.at(y.values[row])];
    const isBest = isFront.has(row);
    const group = draw("g", { class: "point", "data-row": row, onclick: () => choose(row), opacity: isBest ? 1 : chip.feasible[row] ? 0.34 : 0.18 });
    if (isBest) group.append(...whiskers(row, x, y, at, cx, cy, inside));
    if (isTied.has(row)) group.append(draw("circle", { cx, cy, r: 10, fill: "none", stroke: "#1d2530", "stroke-width": 1.2, "stroke-dasharray": "3 2" }));
    group.append(draw("circle", { cx, cy, r: isBest ? 6 : 3.6, fill: colours.of(row), stroke: isBest ? "#fff" : "none" }));
    svg.append(tipped(group, () => pointText(data, chip, row)));
  }
  place.replaceChildren(svg, legend(colours));
  place.mark = () => {  // moves the ring alone: thousands of points stay as they are
    svg.querySelector(".ring")?.remove();
    const row = state.chosen;
    if (!rows.includes(row)) return false;
    svg.append(draw("circle", { class: "ring", cx: at.x.at(x.values[row]), cy: at.y.at(y.values[row]), r: 14, fill: "none", stroke: "#1f6feb", "stroke-width": 2.5, "pointer-events": "none" }));
    return true;
  };
  place.mark();
}

function colourColumn(data, columns, name) {
  if (name === "strategy") return { levels: data.rows.strategies, values: data.rows.strategy };
  const variable = data.variables.find((one) => `variable ${one.name}` === name);
  return variable || columns.find((one) => one.name === name) || columns[0];
}

function axis(column, position) {
  const unit = column.unit ? ` [${column.unit}]` : "";
  const format = (value) => (column.unit.startsWith("J") || column.unit.startsWith("s/") ? amount(value, column.unit.split("/")[0]) : short(value));
  const better = column.direction ? (column.direction === "min" ? ", less is better" : ", more is better") : "";
  return { scale: position, title: `${column.name}${unit}${better}`, format };
}

function whiskers(row, x, y, at, cx, cy, inside) {
  const lines = [];
  for (const [column, position, isX] of [[x, at.x, true], [y, at.y, false]]) {
    const error = column.errors && column.errors[row];
    if (!error) continue;
    const ends = [-error, error].map((one) => inside(column.values[row] + one, column, position));
    if (ends.includes(null)) continue;
    const d = isX ? `M${ends[0]} ${cy}H${ends[1]}` : `M${cx} ${ends[0]}V${ends[1]}`;
    lines.push(draw("path", { d, stroke: "#5c6773", "stroke-width": 1.2, class: "error" }));
  }
  return lines;
}

/** Return the line along what no network of the front beats in these two axes; nothing where an axis is no objective. */
function staircase(rows, x, y, at) {
  if (!x.direction || !y.direction || x === y) return draw("g");
  const [sx, sy] = [x.direction === "min" ? 1 : -1, y.direction === "min" ? 1 : -1];
  const sorted = [...rows].sort((a, b) => sx * (x.values[a] - x.values[b]) || sy * (y.values[a] - y.values[b]));
  let path = "";
  let best = Infinity;
  for (const row of sorted) {
    if (sy * y.values[row] >= best) continue;
    best = sy * y.values[row];
    const [px, py] = [at.x.at(x.values[row]), at.y.at(y.values[row])];
    path += path ? `H${px}V${py}` : `M${px} ${py}`;
  }
  return draw("path", { d: path || "M0 0", fill: "none", stroke: "#9aa5b1", "stroke-width": 1.5 });
}

function pointText(data, chip, row) {
  const lines = chip.objectives.map((one) => `${one.name}: ${amount(one.values[row], one.unit)}${one.errors && one.errors[row] ? ` ± ${amount(one.errors[row], one.unit)}` : ""}`);
  const rows = data.rows;
  return [rows.key[row], ...lines, `slot ${rows.slot[row]}, ${rows.strategies[rows.strategy[row]]}, ${rows.epochs[row]} epochs`].join("\n");
}
