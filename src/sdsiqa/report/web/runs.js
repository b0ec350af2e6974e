// The table of runs: sorted, filtered, grouped. A click on a row shows its scores.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const text = (value) => (value === null || value === undefined ? "" : String(value));
const fixed = (value, digits) => (value === null ? "NaN" : value.toFixed(digits).replace("-", "−"));

const COLUMNS = [
  { key: "label", head: "method", isText: true },
  { key: "ablation", head: "ablation", isText: true },
  { key: "group", head: "benchmark", isText: true },
  { key: "trained_on", head: "trained on", isText: true },
  { key: "split", head: "split" },
  { key: "seed", head: "seed" },
  { key: "n", head: "n" },
  { key: "srcc", head: "SRCC", digits: 4 },
  { key: "plcc", head: "PLCC (raw)", digits: 4 },
  { key: "plcc_fit", head: "PLCC (logistic 4)", digits: 4 },
  { key: "krcc", head: "KRCC", digits: 4 },
  { key: "rmse", head: "RMSE (quality 0 to 1)", digits: 4 },
  { key: "minutes", head: "minutes", digits: 1 },
];
const order = { key: "srcc", direction: -1 };
let chosenRun = null;

function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  if (content !== undefined) made.textContent = content;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// a column of words that says the same of all runs gives way on a phone
function shared(key) {
  const isSame = ["ablation", "group", "trained_on"].includes(key) && data.runs.every((run) => run[key] === data.runs[0][key]);
  return isSame ? " same" : "";
}

// numbers before words, missing values last in either direction
function compare(a, b) {
  const [x, y] = [a[order.key], b[order.key]];
  if (x === null || x === "") return y === null || y === "" ? 0 : 1;
  if (y === null || y === "") return -1;
  const [p, q] = [Number(x), Number(y)];
  const sign = Number.isNaN(p) || Number.isNaN(q) ? String(x).localeCompare(String(y), "en", { numeric: true }) : p - q;
  return sign * order.direction || a.place - b.place;
}

function wanted(run) {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const own = [run.label, run.method, run.ablation, run.group, run.trained_on, `split ${run.split}`, `seed ${run.seed}`].join(" ").toLowerCase();
  return (
    words.every((word) => own.includes(word)) &&
    ["group", "method", "ablation"].every((key) => [text(run[key]), ""].includes(byId(`filter-${key}`).value))
  );
}

function row(run) {
  const made = element("tr", undefined, { class: run === chosenRun ? "run chosen" : "run", tabindex: 0, "data-place": run.place });
  for (const { key, digits, isText } of COLUMNS) {
    const value = digits === undefined ? text(run[key]) : key === "minutes" && run[key] === null ? "" : fixed(run[key], digits);
    const cell = element("td", value, { class: `${isText ? "text" : value === "NaN" ? "fault" : ""}${shared(key)}` });
    if (run.fault && value === "NaN") cell.title = run.fault;
    made.append(cell);
  }
  made.addEventListener("click", () => choose(run));
  made.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(run); });
  return made;
}

function mean(runs, key) {
  const values = runs.map((run) => run[key]);
  return values.includes(null) ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function groupRow(name, runs) {
  const made = element("tr", undefined, { class: "group" });
  for (const { key, digits, isText } of COLUMNS) {
    let value = "";
    if (key === "label") value = `${name} (${runs.length})`;
    else if (digits && key !== "minutes") value = `⌀ ${fixed(mean(runs, key), digits)}`;
    made.append(element("td", value, { class: (isText ? "text" : "") + shared(key) }));
  }
  return made;
}

function showRuns() {
  const runs = data.runs.filter(wanted).sort(compare);
  byId("count").textContent = `${runs.length} of ${data.runs.length} runs`;
  const rows = [];
  if (byId("grouped").checked) {
    const groups = new Map();
    for (const run of runs) groups.set(run.ablation, [...(groups.get(run.ablation) || []), run]);
    const sorted = [...groups].sort(([, a], [, b]) => (mean(b, "srcc") ?? -2) - (mean(a, "srcc") ?? -2));
    for (const [name, members] of sorted) rows.push(groupRow(name, members), ...members.map(row));
  } else rows.push(...runs.map(row));
  document.querySelector("#runs tbody").replaceChildren(...rows);
  for (const cell of document.querySelectorAll("#runs th")) {
    const isKey = cell.dataset.key === order.key;
    cell.setAttribute("aria-sort", isKey ? (order.direction > 0 ? "ascending" : "descending") : "none");
  }
}

function choose(run) {
  chosenRun = run;
  for (const made of document.querySelectorAll("#runs tr.run")) made.classList.toggle("chosen", Number(made.dataset.place) === run.place);
  showScatter(run);
}

function setUpRuns() {
  for (const wide of document.querySelectorAll(".wide")) {
    const mark = () => wide.classList.toggle("more", wide.scrollLeft + wide.clientWidth < wide.scrollWidth - 1);
    wide.addEventListener("scroll", mark, { passive: true });
    window.addEventListener("resize", mark);
    new ResizeObserver(mark).observe(wide.firstElementChild);
  }
  data.runs.forEach((run, place) => { run.place = place; });
  const head = element("tr");
  for (const { key, head: name, isText } of COLUMNS) {
    const cell = element("th", name, { class: (isText ? "text" : "") + shared(key), "data-key": key, tabindex: 0, scope: "col" });
    const sort = () => {
      order.direction = order.key === key ? -order.direction : isText || key === "split" || key === "seed" ? 1 : -1;
      order.key = key;
      showRuns();
    };
    cell.addEventListener("click", sort);
    cell.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    head.append(cell);
  }
  document.querySelector("#runs thead").replaceChildren(head);
  for (const key of ["group", "method", "ablation"]) {
    const values = [...new Set(data.runs.map((run) => text(run[key])))].sort();
    byId(`filter-${key}`).replaceChildren(element("option", "all", { value: "" }), ...values.map((value) => element("option", value, { value })));
    byId(`filter-${key}`).addEventListener("change", showRuns);
  }
  byId("search").addEventListener("input", showRuns);
  byId("grouped").addEventListener("change", showRuns);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("overview").textContent = data.overview;
  for (const heading of document.querySelectorAll("main > section > h2")) {
    byId("contents").append(element("a", heading.textContent, { href: `#${heading.parentElement.id}` }));
  }
  showRuns();
}
