"use strict";
/* The page of sdsiqa app: every address is below its own, on this machine. */
const byId = (id) => document.getElementById(id);
const state = { about: null, rows: [], sort: { key: null, down: false }, chosen: null, turn: 0 };

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("sdsiqa app does not answer any more; start the command again");
  }
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(content?.error ?? `sdsiqa app answers with status ${answer.status}; load the page again`);
  return content;
}

function make(tag, facts = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...inside);
  return element;
}

function complain(sentence) {
  const list = byId("faults").querySelector("ul");
  if (list.lastElementChild?.textContent !== sentence) list.append(make("li", { textContent: sentence }));
  byId("faults").hidden = false;
}

/* --- adding pictures --- */

const suffixed = (name) => state.about.suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
const hidden = (path) => path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

let queue = Promise.resolve();
function add(files) {
  queue = queue.then(() => send(files)).catch((error) => complain(error.message));
  return queue;
}

async function send(files) {
  const progress = byId("progress");
  let first = null;
  for (const [number, { file, name }] of files.entries()) {
    progress.hidden = false;
    progress.textContent = files.length > 1 ? `scoring ${number + 1} of ${files.length}: ${name}` : `scoring ${name}`;
    try {
      if (state.rows.length >= state.about.most) {
        throw new Error(`${state.about.most} pictures are held, which is the most; ${files.length - number} were left out`);
      }
      if (file.size > state.about.largest) {
        throw new Error(`${name}: has ${(file.size / 2 ** 20).toFixed(1)} MiB; at most ${state.about.largest / 2 ** 20} MiB are taken; shrink it`);
      }
      const body = await file.arrayBuffer().catch(() => { throw new Error(`${name}: cannot be read, or is a folder`); });
      const row = await ask(`pictures?name=${encodeURIComponent(name)}`, { method: "POST", body });
      state.rows.push(row);
      first ??= row;
      fill();
      if (first === row) choose(row);
    } catch (error) {
      complain(error.message);
      if (error.message.includes("which is the most") || error.message.includes("does not answer")) break;
    }
  }
  progress.hidden = true;
}

async function inFolder(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed)).catch(() => null);
    return file ? [{ file, name: entry.fullPath.slice(1) }] : [];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a call gives a hundred at most
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)).catch(() => []);
    if (!some.length) break;
    for (const inner of some) found.push(...await inFolder(inner));
  }
  return found;
}

/* In a folder, other files are passed over, as `sdsiqa score` does; what is dropped itself is always tried. */
function pictures(found, folder) {
  const wanted = found.filter(({ name }) => suffixed(name) && !hidden(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!wanted.length) complain(`${folder}: no pictures in it; looked for ${state.about.suffixes.join(" ")}`);
  return wanted;
}

async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null); // before the first wait: the list is emptied then
  const files = items.map((item) => item.getAsFile());
  const found = [];
  for (const [place, entry] of entries.entries()) {
    if (entry?.isDirectory) found.push(...pictures(await inFolder(entry), entry.name));
    else if (files[place]) found.push({ file: files[place], name: files[place].name });
  }
  return add(found);
}

/* --- the table --- */

const valueOf = (row, key) => (key === "pixels" ? row.size[0] * row.size[1] : row[key]);

function fill() {
  const { key, down } = state.sort;
  const rows = [...state.rows];
  if (key) {
    rows.sort((a, b) => {
      const [x, y] = [valueOf(a, key), valueOf(b, key)];
      const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return down ? -order : order;
    });
  }
  byId("pictures").tBodies[0].replaceChildren(...rows.map(rowOf));
  byId("table").hidden = !state.rows.length;
  byId("count").textContent = `${state.rows.length} of at most ${state.about.most}.`;
}

function rowOf(row) {
  row.element ??= (() => {
    const picture = make("img", { src: `pictures/${row.key}/thumbnail`, alt: "" });
    const line = make("tr", { tabIndex: 0 },
      make("td", {}, picture), make("td", { className: "text", textContent: row.name }),
      make("td", { className: "score", textContent: row.shown }), make("td", { textContent: `${row.size[0]} × ${row.size[1]}` }));
    line.addEventListener("click", () => choose(row));
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(row); });
    return line;
  })();
  row.element.classList.toggle("chosen", row === state.chosen);
  return row.element;
}

function sortBy(head) {
  const { key } = head.dataset;
  state.sort = { key, down: state.sort.key === key ? !state.sort.down : key !== "name" };
  for (const other of document.querySelectorAll("#pictures th[data-key]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending");
  fill();
}

/* --- one picture --- */

async function choose(row) {
  state.chosen = row;
  fill();
  byId("chosen").hidden = false;
  byId("name").textContent = row.name;
  byId("score").querySelector("strong").textContent = row.shown;
  byId("maps").replaceChildren();
  byId("scale").hidden = true;
  byId("before").src = `pictures/${row.key}/jpeg/0/part`;
  byId("slider").value = 0;
  distort();
  try {
    const maps = await ask(`pictures/${row.key}/explained`);
    if (state.chosen !== row) return;
    byId("maps").replaceChildren(...maps.map((map) => make("figure", {},
      make("img", { src: map.image, alt: map.name }), make("figcaption", { textContent: `${map.name}: ${map.range}` }))));
    byId("scale").hidden = maps.length < 2;
  } catch (error) {
    complain(error.message);
  }
}

const kind = () => byId("kind").value;
const sliderOf = () => state.about.sliders[kind()];
const strengthAt = (step) => (step ? String(sliderOf().strengths[step - 1]) : "as it is");

/* Another picture or kind: a new curve, whose points come one by one. */
async function distort() {
  const row = state.chosen;
  const turn = ++state.turn;
  byId("label").textContent = sliderOf().label;
  byId("slider").max = sliderOf().strengths.length;
  byId("slider").value = Math.min(byId("slider").value, byId("slider").max);
  row.curves ??= {};
  const curve = row.curves[kind()] ??= { 0: row };
  move();
  try {
    for (let step = 1; step <= sliderOf().strengths.length; step += 1) {
      if (turn !== state.turn) return;
      curve[step] ??= await ask(`pictures/${row.key}/${kind()}/${step}/score`);
      if (turn === state.turn) show();
    }
  } catch (error) {
    if (turn === state.turn) complain(error.message);
  }
}

/* The slider has another place. */
function move() {
  const row = state.chosen;
  const step = Number(byId("slider").value);
  const place = `pictures/${row.key}/${kind()}/${step}`;
  byId("whole").src = `${place}/whole`;
  byId("after").src = `${place}/part`;
  byId("after").hidden = step === 0;
  byId("slider").setAttribute("aria-valuetext", strengthAt(step));
  show();
  const curve = row.curves[kind()];
  const turn = state.turn;
  if (!curve[step]) {
    ask(`${place}/score`).then((facts) => { curve[step] ??= facts; if (turn === state.turn) show(); }, (error) => complain(error.message));
  }
}

function show() {
  const step = Number(byId("slider").value);
  const facts = state.chosen.curves[kind()][step];
  byId("at").textContent = `${strengthAt(step)}: score ${facts ? facts.shown : "…"}`;
  draw(step);
}

function svg(tag, facts, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(facts)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function draw(now) {
  const curve = state.chosen.curves[kind()];
  const count = sliderOf().strengths.length;
  const scores = Object.values(curve).map((facts) => facts.score);
  const low = Math.min(0, 20 * Math.floor(Math.min(...scores) / 20));
  const high = Math.max(100, 20 * Math.ceil(Math.max(...scores) / 20));
  const x = (step) => 40 + (step / count) * 365;
  const y = (score) => 215 - ((score - low) / (high - low)) * 200;
  const parts = [];
  for (let tick = low; tick <= high; tick += 20) {
    parts.push(svg("line", { class: "grid", x1: 40, x2: 405, y1: y(tick), y2: y(tick) }));
    parts.push(svg("text", { x: 33, y: y(tick) + 4, "text-anchor": "end" }, tick));
  }
  for (let step = 0; step <= count; step += 1) {
    parts.push(svg("text", { x: x(step), y: 232, "text-anchor": "middle" }, step ? strengthAt(step) : "none"));
  }
  parts.push(svg("text", { x: 222, y: 252, "text-anchor": "middle" }, sliderOf().label));
  parts.push(svg("line", { class: "axis", x1: 40, x2: 405, y1: y(low), y2: y(low) }));
  const steps = Object.keys(curve).map(Number).sort((a, b) => a - b);
  parts.push(svg("polyline", { class: "line", points: steps.map((step) => `${x(step)},${y(curve[step].score)}`).join(" ") }));
  for (const step of steps) {
    const point = svg("circle", { cx: x(step), cy: y(curve[step].score), r: step === now ? 6 : 4, class: step === now ? "now" : "", "data-step": step });
    point.append(svg("title", {}, `${strengthAt(step)}: ${curve[step].shown}`));
    point.addEventListener("click", () => { byId("slider").value = step; move(); });
    parts.push(point);
  }
  byId("curve").replaceChildren(...parts);
  byId("caption").textContent = steps.length > count ? "score at each strength" : `score at each strength; ${steps.length - 1} of ${count} so far`;
}

/* --- wiring --- */

function listen() {
  const drop = byId("drop");
  let depth = 0;
  addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; drop.classList.add("over"); });
  addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) drop.classList.remove("over"); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    drop.classList.remove("over");
    dropped(event.dataTransfer).catch((error) => complain(error.message));
  });
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("choose-folder").addEventListener("click", () => byId("folder").click());
  byId("files").addEventListener("change", (event) => {
    add([...event.target.files].map((file) => ({ file, name: file.name })));
    event.target.value = "";
  });
  byId("folder").addEventListener("change", (event) => {
    const found = [...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
    add(pictures(found, found[0]?.name.split("/")[0] ?? "the folder"));
    event.target.value = "";
  });
  byId("dismiss").addEventListener("click", () => {
    byId("faults").querySelector("ul").replaceChildren();
    byId("faults").hidden = true;
  });
  byId("clear").addEventListener("click", async () => {
    state.turn += 1;
    await ask("pictures", { method: "DELETE" }).catch((error) => complain(error.message));
    Object.assign(state, { rows: [], chosen: null });
    byId("chosen").hidden = true;
    fill();
  });
  for (const head of document.querySelectorAll("#pictures th[data-key]")) {
    head.addEventListener("click", () => sortBy(head));
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sortBy(head); });
  }
  byId("kind").addEventListener("change", () => { byId("slider").value = 0; distort(); });
  byId("slider").addEventListener("input", move);
  byId("strength").addEventListener("submit", (event) => event.preventDefault());
}

async function start() {
  state.about = await ask("about");
  const { about } = state;
  byId("about").textContent = `${about.model} trained on ${about.benchmark} (${about.checkpoint}) scores pictures from 0 to 100; higher is better.`;
  byId("limits").textContent = `Up to ${about.most} pictures of at most ${about.largest / 2 ** 20} MiB and ${about.pixels / 1e6} million pixels. They stay on this machine.`;
  byId("kind").append(...Object.entries(about.sliders).map(([name, slider]) => make("option", { value: name, textContent: slider.label.split(",")[0].replace(" quality", "") })));
  listen();
  state.rows = await ask("pictures");
  fill();
  if (state.rows.length) choose(state.rows[0]);
}

start().catch((error) => complain(error.message));
