
// Parallel coordinates: every network is a line across objectives and variables. Dragging on an axis keeps what is there.

const AXIS = { top: 64, bottom: 26, side: 60, pitch: 104 };

/** Draw all networks; `state` is {every, kept: Map of axis name to [low, high] in [0, 1], chosen}. */
function parallel(place, data, chip, state) {
  const columns = parallelColumns(data, chip, state.every);
  const rows = [...data.rows.slot.keys()].filter((row) => data.rows.rung[row] === data.top || state.partly);
  const isFront = new Set(chip.front);
  rows.sort((a, b) => isFront.has(a) - isFront.has(b));
  const canvas = el("canvas", { role: "img", "aria-label": "parallel coordinates of all networks" });
  const box = el("div", { class: "scroll" }, canvas);
  const count = el("p", { class: "note" });
  place.replaceChildren(box, count);
  const positions = columns.map((column) => axisPositions(column));
  const paint = () => {
    const width = Math.max(place.clientWidth, 2 * AXIS.side + (columns.length - 1) * AXIS.pitch);
    const height = 360;
    const dense = window.devicePixelRatio || 1;
    canvas.width = width * dense;
    canvas.height = height * dense;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(dense, dense);
    const x = (i) => AXIS.side + (columns.length > 1 ? (i * (width - 2 * AXIS.side)) / (columns.length - 1) : 0);
    const y = (share) => height - AXIS.bottom - share * (height - AXIS.top - AXIS.bottom);
    const isKept = (row) => columns.every((column, i) => {
      const range = state.kept.get(column.name);
      const at = positions[i].of[row];
      return !range || (at !== null && at >= range[0] && at <= range[1]);
    });
    const kept = rows.filter(isKept);
    pen.lineJoin = "round";
    const line = (row, colour, thickness) => {
      pen.strokeStyle = colour;
      pen.lineWidth = thickness;
      pen.beginPath();
      let isDown = false;
      columns.forEach((_, i) => {
        const at = positions[i].of[row];
        if (at === null) isDown = false;
        else if (isDown) pen.lineTo(x(i), y(at));
        else { pen.moveTo(x(i), y(at)); isDown = true; }
      });
      pen.stroke();
    };
    const faint = Math.max(0.04, Math.min(0.35, 40 / rows.length));
    for (const row of kept) line(row, isFront.has(row) ? "rgba(217,72,15,0.85)" : `rgba(31,111,235,${faint})`, isFront.has(row) ? 1.6 : 1);
    if (state.chosen !== null && rows.includes(state.chosen)) line(state.chosen, "#1d2530", 2.6);
    columns.forEach((column, i) => axisOf(pen, column, positions[i], x(i), y, state.kept.get(column.name), i));
    count.textContent = `${kept.length.toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} networks; orange: front, black: the chosen one. Drag along an axis to keep a range, click it to keep all. What a network does not have breaks its line.`;
    state.geometry = { x, y, height };
  };
  dragged(canvas, columns, state, paint);
  paint();
  place.paint = paint;
}

/** Return the objectives, and the variables that matter most for any of them, or all that vary. */
function parallelColumns(data, chip, every) {
  const best = new Map();
  for (const one of chip.importance) best.set(one.variable, Math.max(best.get(one.variable) || 0, one.share));
  const varying = data.variables.filter((one) => new Set(one.values).size > 1);
  const sorted = [...varying].sort((a, b) => (best.get(b.name) || 0) - (best.get(a.name) || 0));
  const chosen = every ? varying : sorted.slice(0, 9);
  return [...chip.objectives.map((one) => ({ ...one, levels: null })), ...chosen];
}

/** Return {of: share of the axis for each row, ends}: levels are spread evenly, numbers between their ends. */
function axisPositions(column) {
  if (column.levels) {
    const last = column.levels.length - 1;
    return { of: column.values.map((value) => (value === null ? null : last ? value / last : 0.5)), marks: column.levels.map((text, i) => [last ? i / last : 0.5, text]) };
  }
  const turn = column.log ? Math.log10 : (value) => value;
  const usable = (value) => value !== null && (!column.log || value > 0);
  let low = Infinity;
  let high = -Infinity;
  for (const value of column.values) if (usable(value)) [low, high] = [Math.min(low, turn(value)), Math.max(high, turn(value))];
  const of = column.values.map((value) => (usable(value) ? (high > low ? (turn(value) - low) / (high - low) : 0.5) : null));
  const back = (value) => amount(column.log ? 10 ** value : value, (column.unit || "").split("/")[0] === "J" ? "J" : "");
  return { of, marks: Number.isFinite(low) ? [[0, back(low)], [1, back(high)]] : [] };
}

function axisOf(pen, column, positions, x, y, range, index) {
  pen.strokeStyle = "#5c6773";
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x, y(0));
  pen.lineTo(x, y(1));
  pen.stroke();
  if (range) {
    pen.fillStyle = "rgba(255, 212, 59, 0.45)";
    pen.fillRect(x - 7, y(range[1]), 14, y(range[0]) - y(range[1]));
  }
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillStyle = "#1d2530";
  pen.fillText(clipped(column.name, 108), x, index % 2 ? 14 : 32);
  pen.fillStyle = "#5c6773";
  pen.font = "11px system-ui, sans-serif";
  const most = 8;
  const marks = positions.marks.length > most ? positions.marks.filter((_, i) => i % Math.ceil(positions.marks.length / most) === 0) : positions.marks;
  for (const [share, text] of marks) {
    const isEnd = !column.levels;
    pen.fillText(clipped(text, 84), x, isEnd ? (share ? y(1) - 6 : y(0) + 14) : y(share) - 3);
  }
}

/** Let a pointer drag ranges on the axes. */
function dragged(canvas, columns, state, paint) {
  let from = null;
  const found = (event) => {
    const rect = canvas.getBoundingClientRect();
    const { x, y } = state.geometry;
    const at = event.clientX - rect.left;
    const nearest = columns.map((_, i) => Math.abs(x(i) - at)).reduce((best, distance, i, all) => (distance < all[best] ? i : best), 0);
    const share = (y(0) - (event.clientY - rect.top)) / (y(0) - y(1));
    return { name: columns[nearest].name, isNear: Math.abs(x(nearest) - at) < 30, share };
  };
  canvas.addEventListener("pointerdown", (event) => {
    const one = found(event);
    if (one.isNear) {
      from = one;
      canvas.setPointerCapture(event.pointerId);
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!from) return;
    const to = found(event);
    const ends = [Math.min(from.share, to.share), Math.max(from.share, to.share)];
    if (ends[1] - ends[0] < 0.02) state.kept.delete(from.name);
    else state.kept.set(from.name, ends);
    from = null;
    paint();
  });
}
