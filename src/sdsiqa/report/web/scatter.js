// Score against opinion of one run: hover, click, zoom; the chosen point's image and numbers beside it.
const COLOURS = 7; // --kind-0 to --kind-6 of the style sheet, which has them for light and dark
const MARGIN = { left: 52, right: 12, top: 10, bottom: 38 };
const pictures = {};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
let view = null; // what the canvas shows: run, points, ranges, hidden kinds, chosen point

function pointsOf(run) {
  const images = data.images[run.benchmark];
  const [slope, offset] = images.line;
  return data.sets[run.set].map((place, i) => {
    const score = run.score[i];
    const kind = images.distortion === null ? "" : images.distortions[images.distortion[place]];
    return {
      place, score, kind, image: images.name[place], content: images.content === null ? "" : images.content[place],
      level: images.level === null ? -1 : images.level[place], mos: images.mos[place], quality: images.quality[place],
      predicted: score === null ? null : slope * score + offset, error: score === null ? null : score - images.quality[place],
    };
  });
}

function rangeOf(values) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  const margin = 0.04 * (high - low) || 0.5;
  return [low - margin, high + margin];
}

function showScatter(run) {
  const points = pointsOf(run);
  const good = points.filter((point) => point.score !== null).sort((a, b) => Math.abs(b.error) - Math.abs(a.error));
  const kinds = [...new Set(points.map((point) => point.kind))].sort();
  const colours = new Map(kinds.map((kind, i) => [kind, `kind-${i % COLOURS}`]));
  const whole = good.length ? { x: rangeOf(good.map((p) => p.predicted)), y: rangeOf(good.map((p) => p.mos)) } : { x: [0, 1], y: [0, 1] };
  view = { run, good, kinds, colours, hidden: new Set(), whole, x: whole.x, y: whole.y, chosen: null, hovered: null, drag: null };
  const missing = points.length - good.length;
  byId("caption").textContent = `${run.label} · ${run.group} · split ${run.split || "none"}${run.seed === "" ? "" : `, seed ${run.seed}`}` + (missing ? ` · ${missing} scores not finite` : "");
  byId("legend").replaceChildren(...(kinds.length > 1 ? kinds.map(legendButton) : []));
  byId("worst").replaceChildren(...good.slice(0, 30).map(worstItem));
  byId("detail").replaceChildren(element("p", good.length ? "No point is chosen." : run.fault || "No finite scores.", { class: "hint" }));
  draw();
}

function legendButton(kind) {
  const button = element("button", undefined, { type: "button", "aria-pressed": "true" });
  button.append(element("i", undefined, { style: `background:var(--${view.colours.get(kind)})` }), kind || "none");
  button.addEventListener("click", () => {
    if (!view.hidden.delete(kind)) view.hidden.add(kind);
    button.setAttribute("aria-pressed", String(!view.hidden.has(kind)));
    draw();
  });
  return button;
}

function worstItem(point) {
  const item = element("li");
  const button = element("button", `${fixed(point.error, 3)}  ${point.image}`, { type: "button", "data-place": point.place });
  button.addEventListener("click", () => choosePoint(point));
  item.append(button);
  return item;
}

function ticks([low, high], most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const made = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) made.push(Number(value.toPrecision(10)));
  return made;
}

function place(point) {
  const canvas = byId("scatter"), width = canvas.clientWidth - MARGIN.left - MARGIN.right, height = canvas.clientHeight - MARGIN.top - MARGIN.bottom;
  return [
    MARGIN.left + ((point.predicted - view.x[0]) / (view.x[1] - view.x[0])) * width,
    MARGIN.top + (1 - (point.mos - view.y[0]) / (view.y[1] - view.y[0])) * height,
  ];
}

function shown() {
  return view.good.filter((point) => !view.hidden.has(point.kind));
}

function draw() {
  const canvas = byId("scatter"), ratio = window.devicePixelRatio || 1, [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const brush = canvas.getContext("2d");
  brush.scale(ratio, ratio);
  brush.clearRect(0, 0, width, height);
  if (!view) return;
  brush.font = "11px system-ui, DejaVu Sans, sans-serif";
  drawAxes(brush, width, height);
  brush.save();
  brush.beginPath();
  brush.rect(MARGIN.left, MARGIN.top, width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom);
  brush.clip();
  const some = shown(), size = Math.min(4, Math.max(2, 14 * some.length ** -0.3));
  brush.globalAlpha = Math.min(0.85, Math.max(0.25, 3 * some.length ** -0.25));
  const shades = new Map([...view.colours].map(([kind, name]) => [kind, colour(name)]));
  for (const point of some) dot(brush, place(point), size, shades.get(point.kind));
  brush.globalAlpha = 1;
  drawFit(brush);
  for (const [point, name] of [[view.hovered, "faint"], [view.chosen, "ink"]]) {
    if (!point) continue;
    brush.strokeStyle = colour(name);
    brush.lineWidth = 2;
    brush.beginPath();
    brush.arc(...place(point), 7, 0, 2 * Math.PI);
    brush.stroke();
  }
  if (view.drag) {
    const { from, to } = view.drag;
    brush.strokeStyle = colour("accent");
    brush.lineWidth = 1;
    brush.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
  }
  brush.restore();
}

function dot(brush, [x, y], size, colour) {
  brush.fillStyle = colour;
  brush.beginPath();
  brush.arc(x, y, size, 0, 2 * Math.PI);
  brush.fill();
}

function drawAxes(brush, width, height) {
  const [across, up] = data.images[view.run.benchmark].axes;
  brush.strokeStyle = colour("line");
  brush.fillStyle = colour("ink");
  brush.textAlign = "center";
  for (const value of ticks(view.x, 8)) {
    const [x] = place({ predicted: value, mos: 0 });
    line(brush, x, MARGIN.top, x, height - MARGIN.bottom);
    brush.fillText(text(value), x, height - MARGIN.bottom + 14);
  }
  brush.fillText(across, (MARGIN.left + width - MARGIN.right) / 2, height - 6);
  brush.textAlign = "right";
  for (const value of ticks(view.y, 8)) {
    const [, y] = place({ predicted: 0, mos: value });
    line(brush, MARGIN.left, y, width - MARGIN.right, y);
    brush.fillText(text(value), MARGIN.left - 6, y + 4);
  }
  brush.save();
  brush.translate(12, height / 2);
  brush.rotate(-Math.PI / 2);
  brush.textAlign = "center";
  brush.fillText(up, 0, 0);
  brush.restore();
}

function line(brush, x1, y1, x2, y2) {
  brush.beginPath();
  brush.moveTo(x1, y1);
  brush.lineTo(x2, y2);
  brush.stroke();
}

// the logistic with four parameters maps scores to quality; both axes are on the authors' scale
function drawFit(brush) {
  if (!view.run.fit || !view.good.length) return;
  const [high, low, middle, wide] = view.run.fit, [slope, offset] = data.images[view.run.benchmark].line;
  const scores = view.good.map((point) => point.score);
  const first = scores.reduce((a, b) => Math.min(a, b)), last = scores.reduce((a, b) => Math.max(a, b));
  brush.strokeStyle = colour("ink");
  brush.lineWidth = 1.6;
  const labels = view.good.map((point) => point.mos);
  const least = labels.reduce((a, b) => Math.min(a, b)), most = labels.reduce((a, b) => Math.max(a, b));
  brush.beginPath();
  for (let i = 0; i <= 200; i++) {
    const score = first + ((last - first) * i) / 200;
    const quality = low + (high - low) / (1 + Math.exp(Math.min(60, Math.max(-60, -(score - middle) / wide))));
    const mos = slope * quality + offset;
    // the logistic is monotone: what lies outside the opinions is at its ends
    if (mos >= least && mos <= most) brush.lineTo(...place({ predicted: slope * score + offset, mos }));
  }
  brush.stroke();
}
