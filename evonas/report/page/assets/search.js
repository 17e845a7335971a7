
// The search: how its hypervolume grew, whose networks last, which variables matter, what kept networks off the front.

function search(place, data, chip) {
  place.replaceChildren(
    growthPanel(chip),
    strategiesPanel(chip),
    importancePanel(data, chip),
    reasonsPanel(chip),
  );
}

function growthPanel(chip) {
  const found = chip.growth;
  if (!found) return el("div", {}, el("h3", {}, "Hypervolume"), note("Too few networks were measured for a hypervolume."));
  const axesOf = {
    evaluations: ["evaluations", found.evaluations, short],
    sample_steps: ["sample-steps of training", found.sample_steps, short],
    seconds: ["seconds of all workers, added up", found.seconds, short],
  };
  const place = el("div", {});
  const show = (name) => {
    const [title, xs, format] = axesOf[name];
    const plot = el("div", {});
    place.replaceChildren(plot);
    if (Math.max(...xs) > 0) stepped(plot, xs, found.hypervolume, { x: title, y: "hypervolume", label: `hypervolume over ${title}`, format });
    else plot.append(note(`The archive holds no ${title}.`));
  };
  show("evaluations");
  return el("div", {}, el("h3", {}, "Hypervolume"), el("div", { class: "controls" }, menu("over", Object.entries(axesOf).map(([key, [title]]) => [key, title]), "evaluations", show, "growth-axis")), place);
}

function strategiesPanel(chip) {
  const all = chip.strategies.reduce((sum, one) => sum + one.evaluations, 0) || 1;
  const front = chip.strategies.reduce((sum, one) => sum + one.front, 0) || 1;
  const place = el("div", {});
  onWidth(place, (width) => place.replaceChildren(
    note("Of the networks of the front:"),
    bars(chip.strategies.map((one) => ({ label: one.strategy, share: one.front / front, text: `${one.front} (${percent(one.front / front)})` })), { width }),
    note("Of the evaluations:"),
    bars(chip.strategies.map((one) => ({ label: one.strategy, share: one.evaluations / all, text: `${one.evaluations} (${percent(one.evaluations / all)})` })), { width, colour: "#9aa5b1" }),
  ));
  return el("div", {}, el("h3", {}, "Strategies"), place);
}

function percent(share) {
  return `${(100 * share).toFixed(0)} %`;
}

function importancePanel(data, chip) {
  const head = el("h3", {}, "Which variables matter");
  if (!chip.importance.length) return el("div", {}, head, note(data.missing.importance));
  const place = el("div", {});
  let shown = chip.objectives.find((one) => chip.importance.some((found) => found.objective === one.name)).name;
  let width = 0;
  const paint = () => {
    const found = chip.importance.filter((one) => one.objective === shown).sort((a, b) => b.share - a.share).slice(0, 12);
    place.replaceChildren(bars(found.map((one) => ({
      label: one.variable, share: Math.max(0, one.share), low: one.share - one.error, high: one.share + one.error,
      text: percent(Math.max(0, one.share)), tip: `${one.variable}: ${(100 * one.share).toFixed(1)} ± ${(100 * one.error).toFixed(1)} % of what differs in ${one.objective}`,
    })), { width, labelWidth: 170, colour: COLOURS[2] }));
  };
  onWidth(place, (now) => { width = now; paint(); });
  return el("div", {}, head,
    el("div", { class: "controls" }, menu("for", chip.objectives.map((one) => [one.name, one.name]), shown, (name) => { shown = name; paint(); }, "importance-objective")),
    place,
    note("Share of the variance of the objective that goes with one variable alone, with one standard error, among networks trained in full. The search chose these networks: variables that it changed together share what they explain."));
}

function reasonsPanel(chip) {
  const kinds = { rejected: "rejected before training", failed: "failed", infeasible: "measured, kept off the front" };
  const head = el("h3", {}, "Failures and refusals");
  if (!chip.reasons.length) return el("div", {}, head, note("No network was rejected, failed, or was kept off the front by a bound."));
  const most = 12;
  const rows = chip.reasons.slice(0, most).map((one) => el("tr", {}, el("td", { class: "number" }, one.count), el("td", {}, kinds[one.kind]), el("td", {}, one.text)));
  const more = chip.reasons.length - most;
  return el("div", {}, head, el("table", {}, el("tr", {}, el("th", { class: "number" }, "networks"), el("th", {}, "what"), el("th", {}, "why")), ...rows), more > 0 ? note(`and ${more} more reasons`) : null);
}
