
// Plots: axes with a grid, stepped lines, bars.

const MARGIN = { left: 74, right: 16, top: 10, bottom: 44 };

/** Return the group of a plot in `svg` with the axes drawn; `x` and `y` are {scale, title, format}. */
function axes(svg, width, height, x, y) {
  const bottom = height - MARGIN.bottom;
  for (const value of y.scale.ticks) {
    const at = y.scale.at(value);
    svg.append(
      draw("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at, stroke: "#e6eaee" }),
      draw("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end", class: "soft" }, y.format(value)),
    );
  }
  let last = -Infinity;
  for (const value of x.scale.ticks) {
    const at = x.scale.at(value);
    svg.append(draw("line", { x1: at, x2: at, y1: MARGIN.top, y2: bottom, stroke: "#e6eaee" }));
    const text = x.format(value);
    if (at - last < 7 * text.length + 8) continue;  // no room for this number
    last = at;
    svg.append(draw("text", { x: at, y: bottom + 17, "text-anchor": "middle", class: "soft" }, text));
  }
  svg.append(
    draw("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 6, "text-anchor": "middle" }, x.title),
    draw("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(13 ${(MARGIN.top + bottom) / 2}) rotate(-90)` }, y.title),
  );
}

function frame(width, height, label) {
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

/** Draw a curve whose value stays until the next point. */
function stepped(place, xs, ys, titles) {
  onWidth(place, (width) => {
    const height = 260;
    const svg = frame(width, height, titles.label);
    const x = scale(xs, MARGIN.left, width - MARGIN.right, { zero: true });
    const y = scale(ys, height - MARGIN.bottom, MARGIN.top, { zero: true });
    axes(svg, width, height, { scale: x, title: titles.x, format: titles.format || short }, { scale: y, title: titles.y, format: short });
    let path = `M${x.at(xs[0])} ${y.at(ys[0])}`;
    for (let i = 1; i < xs.length; i++) path += `H${x.at(xs[i])}V${y.at(ys[i])}`;
    svg.append(draw("path", { d: path, fill: "none", stroke: COLOURS[0], "stroke-width": 2.2 }));
    place.replaceChildren(svg);
  });
}

/** Return a table of bars: rows are {label, share, text, low, high, tip}, shares and ends of whiskers in [0, 1]. */
function bars(rows, { width, labelWidth = 150, colour = COLOURS[0] }) {
  const line = 22;
  const room = width - labelWidth - 84;
  const svg = frame(width, rows.length * line + 4, "bars");
  rows.forEach((row, i) => {
    const y = i * line;
    const at = (share) => labelWidth + Math.max(0, Math.min(1, share)) * room;
    const group = draw("g", {},
      draw("rect", { x: 0, y, width, height: line, fill: "transparent" }),
      draw("text", { x: labelWidth - 8, y: y + 15, "text-anchor": "end" }, clipped(row.label, labelWidth - 10)),
      draw("rect", { x: labelWidth, y: y + 4, width: at(row.share) - labelWidth, height: line - 8, fill: row.colour || colour, rx: 2 }),
    );
    if (row.low !== undefined) {
      group.append(draw("path", { d: `M${at(row.low)} ${y + 11}H${at(row.high)}M${at(row.low)} ${y + 7}v8M${at(row.high)} ${y + 7}v8`, stroke: "#1d2530", "stroke-width": 1.2 }));
    }
    group.append(draw("text", { x: at(Math.max(row.share, row.high || 0)) + 7, y: y + 15, class: "soft" }, row.text));
    svg.append(tipped(group, row.tip || `${row.label}: ${row.text}`));
  });
  return svg;
}

/** Return a text cut to about as many pixels, which ends with … then. */
function clipped(text, width) {
  const most = Math.max(3, Math.floor(width / 6.6));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Return the legend of a colouring: its entries, or a ramp between its ends. */
function legend(colours, format = short) {
  const square = (colour) => draw("svg", { width: 12, height: 12 }, draw("rect", { width: 12, height: 12, rx: 3, fill: colour }));
  if (colours.entries) return el("div", { class: "legend" }, ...colours.entries.map(([name, colour]) => el("span", {}, square(colour), name)));
  return el("div", { class: "legend" }, el("span", {}, format(colours.ends[0])), ramp(MANY), el("span", {}, format(colours.ends[1])));
}

function ramp(colours, width = 120) {
  const svg = draw("svg", { width, height: 12 });
  for (let i = 0; i < 24; i++) svg.append(draw("rect", { x: (i * width) / 24, width: width / 24 + 0.5, height: 12, fill: blend(colours, i / 23) }));
  return svg;
}
