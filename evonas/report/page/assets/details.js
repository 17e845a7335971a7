
// The chosen network: what it is, what it costs, what it sent, how long it takes, and whether it fits.

/** Return a number with its noun. */
function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function about(place, data, chip, row) {
  const rows = data.rows;
  const marks = [chip.front.includes(row) ? "on the front" : chip.feasible[row] ? "not on the front" : "breaks a bound or cannot run", ...(chip.tied.includes(row) ? ["tied with the best"] : [])];
  const table = el("table", {}, ...chip.objectives.map((one) => el("tr", {}, el("th", {}, one.name), el("td", { class: "number" }, withError(one, row)))));
  if (rows.parameters[row] !== null && !chip.objectives.some((one) => one.name === "parameters")) {
    table.append(el("tr", {}, el("th", {}, "parameters"), el("td", { class: "number" }, rows.parameters[row].toLocaleString("en-US"))));
  }
  const genotype = data.variables.filter((one) => one.values[row] !== null).map((one) => el("div", {}, el("span", {}, one.name), el("code", {}, String(one.levels ? one.levels[one.values[row]] : one.values[row]))));
  place.replaceChildren(
    el("h3", {}, "Network ", el("code", { id: "chosen-key" }, rows.key[row])),
    el("p", { class: "note" }, `Slot ${rows.slot[row]}, proposed by ${rows.strategies[rows.strategy[row]]}, ${counted(rows.epochs[row], "epoch")}; ${marks.join(", ")}.`),
    table,
    el("details", { open: genotype.length <= 60 ? "" : null }, el("summary", {}, `Genotype, ${counted(genotype.length, "variable")}`), el("div", { class: "genotype" }, ...genotype)),
  );
}

function withError(objective, row) {
  const error = objective.errors && objective.errors[row];
  return amount(objective.values[row], objective.unit) + (error ? ` ± ${amount(error, objective.unit)}` : "");
}

/** Draw a network and its cost. */
function whole(data, chip, row) {
  const network = data.networks[row];
  const cost = chip.costs[row] || null;
  byId("network-title").textContent = `Network ${data.rows.key[row]}${cost ? ` on ${chip.name}` : ""}`;
  const drawn = byId("network");
  if (!network) {
    drawn.replaceChildren(note(data.missing.network));
    byId("costs").replaceChildren();
    return;
  }
  const joules = {};
  if (cost) for (const [layer, terms] of Object.entries(cost.joules)) joules[layer] = Object.values(terms).reduce((sum, one) => sum + one, 0);
  const svg = networkDrawing(network, joules);
  const hasJoules = Object.keys(joules).length > 0;
  drawn.replaceChildren(...[
    el("div", { class: "legend" }, el("span", {}, "line width: synaptic events and multiply-accumulates"), ...(hasJoules ? [el("span", {}, "colour: joules of the layer, none "), ramp(HEAT, 80), el("span", {}, amount(Math.max(...Object.values(joules)), "J"))] : []), el("span", {}, "dashed: feedback, delays"), el("span", {}, "dashed violet box: analog layer"), el("span", {}, "τ in ms, θ threshold")),
    note(pathText(network)),
    fitted(svg, el("div", { class: "scroll" }, svg)),
    network.knowsConstants ? null : note(data.missing.constants || "Constants of neurons are not known."),
  ].filter(Boolean));
  const parts = [];
  if (cost) parts.push(...energy(cost), ...time(cost));
  else parts.push(note("The run names no chip: no energy, time or fit is known. evonas front DIR --html --profiles NAME,NAME shows some."));
  parts.splice(cost ? 3 : 0, 0, ...spikes(network));
  if (cost) parts.push(...fit(cost));
  byId("costs").replaceChildren(...parts.filter(Boolean));
}

function energy(cost) {
  const head = el("h3", {}, "Energy by layer and term");
  if (!cost.energy) return [head, note(`There is none: ${cost.why}`, "warning")];
  const place = el("div", {});
  const terms = [...new Set(Object.values(cost.joules).flatMap(Object.keys))];
  const sums = terms.map((term) => Object.values(cost.joules).reduce((sum, one) => sum + (one[term] || 0), 0));
  const kept = terms.map((term, i) => [term, sums[i]]).filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]).map(([term]) => term);
  onWidth(place, (width) => place.replaceChildren(stacked(cost.joules, kept, width)));
  const legendOf = { entries: kept.map((term, i) => [term.replaceAll("_", " "), COLOURS[i % COLOURS.length]]) };
  return [head, el("div", {}, el("p", {}, cost.energy, ` Scope: ${cost.scope}.`), legend(legendOf)), el("div", {}, place, note(cost.leftOut))];
}

/** Return bars of layers, each the sum of its terms. */
function stacked(joules, terms, width) {
  const layers = Object.keys(joules);
  const line = 20;
  const label = 118;
  const sums = layers.map((layer) => terms.reduce((sum, term) => sum + (joules[layer][term] || 0), 0));
  const most = Math.max(...sums) || 1;
  const room = width - label - 70;
  const svg = frame(width, layers.length * line + 4, "energy by layer and term");
  layers.forEach((layer, i) => {
    const y = i * line;
    let x = label;
    const group = draw("g", { "data-layer": layer }, draw("rect", { x: 0, y, width, height: line, fill: "transparent" }), draw("text", { x: label - 8, y: y + 14, "text-anchor": "end" }, clipped(layer, label - 10)));
    terms.forEach((term, k) => {
      const size = ((joules[layer][term] || 0) / most) * room;
      if (size > 0) group.append(draw("rect", { x, y: y + 3, width: size, height: line - 6, fill: COLOURS[k % COLOURS.length] }));
      x += size;
    });
    group.append(draw("text", { x: x + 6, y: y + 14, class: "soft small" }, amount(sums[i], "J")));
    const lines = terms.filter((term) => joules[layer][term]).map((term) => `${term.replaceAll("_", " ")}: ${amount(joules[layer][term], "J")}`);
    svg.append(tipped(group, [layer, ...lines].join("\n")));
  });
  return svg;
}

function spikes(network) {
  const layers = network.layers.filter((layer) => layer.sends);
  const head = el("h3", {}, "Spikes by layer and time step");
  if (!layers.length) return [head, note("No layer of this network sends spikes.")];
  const place = el("div", {});
  onWidth(place, (width) => place.replaceChildren(heatMap(layers, network, width)));
  const each = network.stepsPerColumn > 1 ? ` A column is ${network.stepsPerColumn} time steps.` : "";
  const isAnalog = layers.some((layer) => layer.kind === "analog");
  return [head, el("div", {}, el("p", { class: "note" }, `Colour: share of the neurons of a layer that fire in a time step, mean of ${network.samples.toLocaleString("en-US")} samples; numbers: spikes a sample.${each}${isAnalog ? " Of analog layers: outputs other than zero." : ""}`), place)];
}

function heatMap(layers, network, width) {
  const line = 20;
  const label = 118;
  const columns = Math.max(...layers.map((layer) => layer.spikes.length));
  const room = width - label - 60;
  const cell = Math.min(64, room / columns);
  const neurons = (layer) => layer.shape[0] * layer.shape[1] * layer.shape[2];
  const rate = (layer, i) => layer.spikes[i] / neurons(layer) / Math.min(network.stepsPerColumn, network.steps - i * network.stepsPerColumn);
  const most = Math.max(...layers.flatMap((layer) => layer.spikes.map((_, i) => rate(layer, i)))) || 1;
  const svg = frame(width, (layers.length + 1) * line + 4, "spikes by layer and time step");
  layers.forEach((layer, k) => {
    const y = k * line;
    svg.append(draw("text", { x: label - 8, y: y + 14, "text-anchor": "end" }, clipped(layer.name, label - 10)));
    layer.spikes.forEach((count, i) => {
      const share = rate(layer, i) / most;
      const box = draw("g", {}, draw("rect", { x: label + i * cell, y: y + 1, width: Math.max(1, cell - 1), height: line - 2, fill: heat(share) }));
      if (cell >= 34) box.append(draw("text", { x: label + (i + 0.5) * cell, y: y + 14, "text-anchor": "middle", class: share > 0.6 ? "small on-dark" : "small" }, short(count)));
      svg.append(tipped(box, `${layer.name}, time step ${i * network.stepsPerColumn + 1}\n${short(count)} a sample, ${(100 * rate(layer, i)).toFixed(1)} % of ${neurons(layer).toLocaleString("en-US")} neurons`));
    });
    svg.append(draw("text", { x: label + columns * cell + 6, y: y + 14, class: "soft small" }, short(layer.total)));
  });
  const y = layers.length * line + 14;
  const every = Math.ceil(30 / cell);
  for (let i = 0; i < columns; i += every) svg.append(draw("text", { x: label + (i + 0.5) * cell, y, "text-anchor": "middle", class: "soft small" }, i * network.stepsPerColumn + 1));
  svg.append(draw("text", { x: label + columns * cell + 6, y, class: "soft small" }, "in all"));
  return svg;
}

function time(cost) {
  const found = cost.latency;
  const parts = found.parts.length > 1 ? el("div", {}) : null;
  if (parts) {
    const most = Math.max(...found.parts) || 1;
    onWidth(parts, (width) => {
      const cell = Math.min(46, (width - 20) / found.parts.length);
      const svg = frame(width, 62, "latency by part");
      found.parts.forEach((seconds, i) => {
        const height = (seconds / most) * 40;
        svg.append(tipped(draw("rect", { x: i * cell, y: 44 - height, width: Math.max(1, cell - 2), height: Math.max(1, height), fill: COLOURS[5] }), `${found.of} ${i + 1}: ${amount(seconds, "s")}`));
      });
      svg.append(draw("text", { x: 0, y: 58, class: "soft small" }, `by ${found.of}`));
      parts.replaceChildren(svg);
    });
  }
  return [el("h3", {}, "Latency"), el("p", {}, found.sentence), parts, note(found.leftOut)];
}

function fit(cost) {
  const found = cost.fit;
  const rules = (kind, texts) => texts.map((text) => el("li", { class: kind }, text));
  const kept = rules("kept", found.kept);
  return [
    el("h3", {}, `Fit on ${found.profile}: ${found.verdict}`),
    el("ul", { class: "rules" }, ...rules("broken", found.violations), ...rules("unchecked", found.unchecked), ...kept.slice(0, 6)),
    kept.length > 6 ? el("details", {}, el("summary", {}, `${kept.length - 6} more limits are kept`), el("ul", { class: "rules" }, ...kept.slice(6))) : null,
  ];
}
