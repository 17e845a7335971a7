
// The drawing of a network, from the data at the top to the readout at the bottom: cells are boxes with their nodes.

const NODE = { width: 150, head: 36, line: 15, gap: 14, fall: 40 };
const LANE = 14;
const CELL = { side: 14, head: 38, foot: 12, fall: 46 };

/** Return the drawing; `joules` maps layers to joules, empty where there is no price. */
function networkDrawing(network, joules) {
  const nodes = nodesOf(network);
  const cells = cellsOf(nodes, network.edges);
  const size = placed(cells);
  const lanes = routed(nodes, network.edges, size);
  const width = size.right + lanes.right + lanes.left;
  const most = Math.max(0, ...Object.values(joules));
  const colour = (name) => (most ? heat(Math.sqrt((joules[name] || 0) / most)) : "#9aa5b1");
  const largest = Math.max(1, ...network.edges.map(operations));
  const svg = frame(width, size.bottom + 8, "network");
  const all = draw("g", { transform: `translate(${lanes.left} 0)` });
  svg.append(draw("defs", {}, draw("marker", { id: "back", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, orient: "auto", markerUnits: "userSpaceOnUse" }, draw("path", { d: "M0 0L8 4L0 8z", fill: "#5c6773" }))), all);
  for (const cell of cells) if (cell.name) all.append(cellBox(cell));
  for (const line of lanes.lines) {
    const thickness = operations(line.edge) ? 1 + 7 * Math.sqrt(operations(line.edge) / largest) : 1;
    const path = draw("path", {
      d: line.path, fill: "none", stroke: colour(line.target.name), "stroke-width": thickness, "stroke-linecap": "round", class: line.isBack ? "edge back" : "edge",
      "stroke-dasharray": line.isBack || line.edge.delay ? "6 4" : null, "marker-end": line.isBack ? "url(#back)" : null, opacity: 0.82,
    });
    all.append(tipped(path, edgeText(line.edge)));
  }
  for (const node of nodes) all.append(nodeBox(node, colour(node.name), joules, network));
  for (const cell of cells) if (cell.name) all.append(cellTitle(cell));  // above the lines that enter a cell
  return svg;
}

/** Make a drawing as wide as there is room for, within bounds in which its texts can be read. */
function fitted(svg, place) {
  const [width, height] = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  onWidth(place, (room) => {
    const factor = Math.max(0.85, Math.min(1.2, room / width));
    svg.setAttribute("width", width * factor);
    svg.setAttribute("height", height * factor);
  });
  return place;
}

/** Return the layers that data pass, cell by cell, with their resolutions and channels. */
function pathText(network) {
  const steps = [`data ${shape(inputShape(network))}`];
  let last = null;
  for (const layer of network.layers) {
    const name = layer.name.includes("/") ? layer.name.slice(0, layer.name.indexOf("/")) : layer.name;
    const text = `${name} ${shape(layer.shape)}`;
    if (name === last) steps[steps.length - 1] = text;
    else steps.push(text);
    last = name;
  }
  return steps.join(" → ");
}

function operations(edge) {
  return edge.events + edge.macs;
}

/** Return the nodes: the data first, then every layer with the edges into it. */
function nodesOf(network) {
  const input = { name: "input", cell: "", index: -1, lines: [], head: 26 };
  const layers = network.layers.map((layer, index) => {
    const cut = layer.name.indexOf("/");
    return { ...layer, index, cell: cut < 0 ? "" : layer.name.slice(0, cut), own: layer.name.slice(cut + 1), lines: network.edges.filter((edge) => edge.target === index), head: NODE.head };
  });
  return [input, ...layers];
}

/** Group nodes into cells, and give cells and their nodes ranks: one more than what they read. */
function cellsOf(nodes, edges) {
  const cells = new Map();
  for (const node of nodes) {
    const key = node.cell || `\u0000${node.name}`;
    if (!cells.has(key)) cells.set(key, { name: node.cell, nodes: [], rank: 0 });
    node.box = cells.get(key);
    node.box.nodes.push(node);
    node.rank = 0;
  }
  for (const node of nodes) {
    for (const edge of node.lines) {
      for (const source of edge.sources) {
        const from = nodes[source + 1];
        if (source >= node.index) continue;  // feedback
        if (from.box === node.box) node.rank = Math.max(node.rank, from.rank + 1);
        else node.box.rank = Math.max(node.box.rank, from.box.rank + 1);
      }
    }
  }
  return [...cells.values()];
}

/** Give every cell and node its place, ranks from top to bottom; return the ends of all. */
function placed(cells) {
  for (const cell of cells) {
    const rows = [];
    for (const node of cell.nodes) (rows[node.rank] ||= []).push(node);
    cell.rows = rows.filter(Boolean);
    const side = cell.name ? CELL.side : 0;
    cell.width = Math.max(...cell.rows.map((row) => row.length * (NODE.width + NODE.gap) - NODE.gap)) + 2 * side;
    let y = cell.name ? CELL.head : 0;
    for (const row of cell.rows) {
      const wide = row.length * (NODE.width + NODE.gap) - NODE.gap;
      row.forEach((node, i) => {
        node.line = row;
        node.x = (cell.width - wide) / 2 + i * (NODE.width + NODE.gap);
        node.y = y;
        node.height = node.head + NODE.line * node.lines.length + (node.lines.length ? 4 : 0);
      });
      y += Math.max(...row.map((node) => node.height)) + NODE.fall;
    }
    cell.height = y - NODE.fall + (cell.name ? CELL.foot : 0);
  }
  const ranks = [];
  for (const cell of cells) (ranks[cell.rank] ||= []).push(cell);
  const gap = 2 * NODE.gap;
  const widths = ranks.map((rank) => rank.reduce((sum, cell) => sum + cell.width + gap, -gap));
  const right = Math.max(...widths.filter((width) => width !== undefined));
  let bottom = 2;
  ranks.forEach((rank, i) => {
    let x = (right - widths[i]) / 2;
    for (const cell of rank) {
      Object.assign(cell, { x, y: bottom });
      for (const node of cell.nodes) Object.assign(node, { x: node.x + x, y: node.y + bottom });
      x += cell.width + gap;
    }
    bottom += Math.max(...rank.map((cell) => cell.height)) + CELL.fall;
  });
  return { right, bottom: bottom - CELL.fall };
}

/** Return the paths of all edges: straight down, round what lies between, or bent backwards. */
function routed(nodes, edges, size) {
  const lines = [];
  const lanes = new Map();  // what runs in it -> position
  const taken = { left: [], right: [] };  // the spans of each lane, from the drawing outwards
  const lane = (key, side, top, bottom) => {
    if (!lanes.has(key)) {
      const free = taken[side].findIndex((spans) => spans.every(([from, to]) => bottom < from - 8 || top > to + 8));
      const place = free < 0 ? taken[side].push([]) - 1 : free;
      taken[side][place].push([top, bottom]);
      lanes.set(key, side === "right" ? size.right + LANE * (place + 1) : -LANE * (place + 1));
    }
    return lanes.get(key);
  };
  for (const node of nodes) {
    node.lines.forEach((edge, i) => {
      const tx = node.x + (NODE.width * (i + 1)) / (node.lines.length + 1);
      edge.sources.forEach((index, k) => {
        const from = nodes[index + 1];
        const sx = from.x + NODE.width / 2 + (from.box === node.box ? 0 : 6 * (k - (edge.sources.length - 1) / 2));
        const [sy, ty] = [from.y + from.height, node.y];
        const isBack = index >= node.index;
        let path;
        if (isBack) {
          const ends = [from.y + from.height / 2, node.y + 14 + (from === node ? 0 : 8)];
          const out = from === node ? from.x + NODE.width + 26 : lane(`back ${from.name} ${node.name}`, "right", Math.min(...ends), Math.max(...ends));
          const [x0, x1] = [from.x + NODE.width, node.x + NODE.width];
          path = `M${x0} ${ends[0]}C${out} ${ends[0]} ${out} ${ends[0]} ${out} ${(ends[0] + ends[1]) / 2}S${out} ${ends[1]} ${x1 + 2} ${ends[1]}`;
        } else if (from.box === node.box ? node.rank - from.rank > 1 : node.box.rank - from.box.rank > 1 || from.rank + 1 < from.box.rows.length || node.rank > 0) {
          const out = lane(`${from.name} ${node.box.name || node.name}`, tx > size.right / 2 ? "right" : "left", sy, node.box.y + node.box.height);
          const below = Math.max(...from.line.map((one) => one.y + one.height));
          path = `M${sx} ${sy}V${below}C${sx} ${below + 24} ${out} ${below + 4} ${out} ${below + 30}V${ty - 30}C${out} ${ty - 2} ${tx} ${ty - 20} ${tx} ${ty}`;
        } else {
          const bend = Math.min(30, (ty - sy) / 2);
          path = `M${sx} ${sy}C${sx} ${sy + bend} ${tx} ${ty - bend} ${tx} ${ty}`;
        }
        lines.push({ edge, path, target: node, isBack });
      });
    });
  }
  const isLooped = lines.some((line) => line.isBack);
  return { lines, left: LANE * taken.left.length + 8, right: Math.max(LANE * taken.right.length, isLooped ? 30 : 0) + 8 };
}

function cellBox(cell) {
  return draw("rect", { x: cell.x, y: cell.y, width: cell.width, height: cell.height, rx: 10, fill: "#f6f8fa", stroke: "#c3cad3" });
}

function cellTitle(cell) {
  const shapes = [...new Set(cell.nodes.map((node) => shape(node.shape)))];
  const [channels, height, width] = cell.nodes[0].shape;
  const title = shapes.length === 1 ? `${cell.name} · ${channels} channels, ${height}×${width}` : cell.name;
  return draw("text", { x: cell.x + CELL.side, y: cell.y + 16, class: "soft strong halo" }, clipped(title, cell.width - 2 * CELL.side));
}

function nodeBox(node, colour, joules, network) {
  if (node.index < 0) {
    return draw("g", {},
      draw("rect", { x: node.x, y: node.y, width: NODE.width, height: node.height, rx: 13, fill: "#1d2530" }),
      draw("text", { x: node.x + NODE.width / 2, y: node.y + 17, "text-anchor": "middle", class: "strong on-dark", fill: "#fff" }, `data · ${shape(inputShape(network))}`),
    );
  }
  const isAnalog = node.kind === "analog";
  const box = draw("g", { class: isAnalog ? "node analog" : "node", "data-layer": node.name },
    draw("rect", { x: node.x, y: node.y, width: NODE.width, height: node.height, rx: 6, fill: "#fff", stroke: isAnalog ? "#9c36b5" : "#8b96a3", "stroke-width": isAnalog ? 2 : 1.2, "stroke-dasharray": isAnalog ? "5 3" : null }),
    draw("rect", { x: node.x, y: node.y, width: 7, height: node.height, rx: 3, fill: colour }),
    draw("text", { x: node.x + 14, y: node.y + 15, class: "strong" }, clipped(node.cell ? `${node.own} ${shape(node.shape)}` : `${node.own} ${shape(node.shape)}`, NODE.width - 18)),
    draw("text", { x: node.x + 14, y: node.y + 29, class: "soft small" }, clipped(neuronText(node), NODE.width - 4)),
  );
  node.lines.forEach((edge, i) => {
    const text = draw("text", { x: node.x + 14, y: node.y + node.head + 10 + NODE.line * i, class: "small" }, clipped(`${edge.delay ? "⟲ " : ""}${operationText(edge)} ← ${sourcesText(edge, network, node)}`, NODE.width - 6));
    box.append(text);
  });
  return tipped(box, layerText(node, joules));
}

function inputShape(network) {
  const fed = network.edges.find((edge) => edge.sources.length === 1 && edge.sources[0] === -1);
  return fed ? fed.inShape : [0, 1, 1];
}

/** Return the kind of a neuron and its constants in a few words. */
function neuronText(layer) {
  const known = layer.constants;
  const parts = [layer.kind.replaceAll("_", " ").replace("integrate and fire", "IF")];
  if (known.tau_mem_ms !== undefined) parts.push(`τ ${constant(known.tau_mem_ms)}`);
  if (known.tau_syn_ms !== undefined) parts.push(`τs ${constant(known.tau_syn_ms)}`);
  if (known.tau_adapt_ms !== undefined) parts.push(`τa ${constant(known.tau_adapt_ms)}`);
  if (known.v_th !== undefined) parts.push(`θ ${constant(known.v_th)}`);
  return parts.join(" ");
}

function constant(value) {
  return Array.isArray(value) ? (value[0] === value[1] ? short(value[0]) : `${short(value[0])}–${short(value[1])}`) : short(value);
}

function operationText(edge) {
  const name = edge.operation.replaceAll("_", " ");
  const kernel = edge.kernel > 1 ? ` ${edge.kernel}×${edge.kernel}` : "";
  const isDepthwise = edge.operation === "conv" && edge.groups > 1;
  return `${isDepthwise ? "depthwise " : ""}${name}${kernel}${edge.stride > 1 ? ` /${edge.stride}` : ""}`;
}

function sourcesText(edge, network, node) {
  const names = edge.sources.map((index) => (index < 0 ? "data" : network.layers[index].name));
  const own = node.cell ? `${node.cell}/` : "";
  const cells = new Set(names.map((name) => name.slice(0, Math.max(0, name.indexOf("/")))));
  const [cell] = cells;
  if (names.length > 1 && cells.size === 1 && cell && cell !== node.cell) {  // a concatenation of nodes of one cell
    return `${cell}: ${names.map((name) => name.slice(cell.length + 1).replace("node", "")).join(", ")}`;
  }
  return names.map((name) => (own && name.startsWith(own) ? name.slice(own.length) : name)).join(" + ");
}

function edgeText(edge) {
  const counts = [`${short(edge.events)} synaptic events`, ...(edge.macs ? [`${short(edge.macs)} multiply-accumulates`] : [])];
  return [`${edge.name}: ${operationText(edge)}, ${shape(edge.inShape)} to ${shape(edge.outShape)}`, `${edge.weights.toLocaleString("en-US")} weights, inputs ${edge.element}${edge.delay ? `, ${edge.delay} steps late` : ""}`, `${counts.join(", ")} a sample`].join("\n");
}

function layerText(layer, joules) {
  const lines = [`${layer.name}: ${layer.kind.replaceAll("_", " ")}, ${shape(layer.shape)}`];
  const named = { tau_mem_ms: "membrane time constant [ms]", tau_syn_ms: "synaptic time constant [ms]", tau_adapt_ms: "adaptation time constant [ms]", v_th: "threshold", beta: "threshold step", reset: "reset" };
  for (const [name, value] of Object.entries(layer.constants)) lines.push(`${named[name] || name}: ${typeof value === "string" ? value : constant(value)}`);
  if (layer.sends) lines.push(`${short(layer.total)} ${layer.kind === "analog" ? "outputs other than zero" : "spikes"} a sample`);
  if (joules[layer.name] !== undefined) lines.push(amount(joules[layer.name], "J/sample"));
  return lines.join("\n");
}
