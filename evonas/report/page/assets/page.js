
// The page: what is chosen, and what is drawn anew when that changes.

const data = JSON.parse(byId("content").textContent);
const state = { chip: 0, x: null, y: null, colour: "strategy", partly: false, chosen: null, every: false, kept: new Map() };

function chip() {
  return data.chips[state.chip];
}

function choose(row) {
  state.chosen = row;
  history.replaceState(null, "", `#${data.rows.key[row]}`);
  drawChosen();
}

/** Draw what depends on the chosen network. */
function drawChosen() {
  for (const card of document.querySelectorAll(".card")) card.classList.toggle("chosen", Number(card.dataset.row) === state.chosen);
  if (!byId("front").mark?.()) drawFront();
  if (state.chosen !== null) {
    about(byId("about"), data, chip(), state.chosen);
    whole(data, chip(), state.chosen);
  }
  byId("parallel").paint?.();
}

function drawFront() {
  scatter(byId("front"), data, chip(), state, choose);
}

/** Draw everything that depends on the chip. */
function drawChip() {
  const now = chip();
  byId("summary").textContent = now.summary;
  byId("cards").replaceChildren(...now.cards.map((card) => el("button", { class: "card", "data-row": card.row, onclick: () => choose(card.row) }, el("b", {}, card.title), el("code", {}, data.rows.key[card.row]), el("span", {}, card.sentence))));
  for (const sentence of now.nearest) byId("cards").append(note(sentence));
  const columns = columnsOf(data, now);
  const names = columns.map((one) => one.name);
  const costly = columns.find((one) => one.direction === "min" && one.unit.startsWith("J")) || columns.find((one) => one.direction === "min") || columns.at(-1);
  if (!names.includes(state.y)) state.y = names[0] || null;
  if (!names.includes(state.x)) state.x = costly ? (costly.name === state.y ? names.find((name) => name !== state.y) : costly.name) : null;
  frontControls(names);
  byId("front-note").textContent = [now.ties, "Bars: one sampling error. Dashed rings: networks that tie with the best. Faint: dominated."].filter(Boolean).join(" ");
  search(byId("search"), data, now);
  drawParallel();
  drawFront();
  if (state.chosen === null || now.front.length) state.chosen = state.chosen ?? first(now);
  drawChosen();
}

/** Return the network that is shown at first: the one of the address, that of the last card's pick, or the usual one. */
function first(now) {
  const wanted = data.rows.key.lastIndexOf(location.hash.slice(1));
  if (wanted >= 0) return wanted;
  const card = now.cards.find((one) => one.title === "Picked") || now.cards.find((one) => one.title.startsWith("Cheapest")) || now.cards[0];
  return card ? card.row : data.rows.slot.length ? 0 : null;
}

function frontControls(names) {
  const axes = names.map((name) => [name, name]);
  const colours = [["strategy", "strategy"], ...axes, ...data.variables.map((one) => [`variable ${one.name}`, one.name])];
  const again = (key) => (value) => { state[key] = value; drawFront(); };
  byId("front-controls").replaceChildren(
    menu("across", axes, state.x, again("x"), "front-x"),
    menu("up", axes, state.y, again("y"), "front-y"),
    menu("colour", colours, state.colour, again("colour"), "front-colour"),
    ...(data.rows.rung.some((rung) => rung !== data.top) ? [tick("partly trained ones too", state.partly, (value) => { state.partly = value; drawFront(); drawParallel(); })] : []),
  );
}

function drawParallel() {
  byId("parallel-controls").replaceChildren(tick("all variables", state.every, (value) => { state.every = value; drawParallel(); }));
  parallel(byId("parallel"), data, chip(), state);
}

function start() {
  byId("notes").replaceChildren(...data.notes.map((text) => note(text, "warning")));
  if (data.chips.length > 1) {
    const select = byId("chip");
    select.append(...data.chips.map((one, i) => el("option", { value: i }, one.name)));
    select.addEventListener("change", () => { state.chip = Number(select.value); drawChip(); });
  } else {
    byId("chip-choice").remove();
  }
  drawChip();
  onWidth(byId("front"), drawFront);
  onWidth(byId("parallel"), () => byId("parallel").paint());
}

start();
