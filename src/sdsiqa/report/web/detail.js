// What a person does to the scatter, and the image behind a point.

// pictures are the largest part of the page: a benchmark's are read when the first of them is wanted
function stored(which, benchmark, place) {
  const name = `${which}-${benchmark}`;
  if (!(name in pictures)) {
    const block = byId(name);
    pictures[name] = block ? JSON.parse(block.textContent) : null;
  }
  return pictures[name] && pictures[name][place];
}

// screen pixels for each pixel of an image: whole, so that nothing is smoothed
const perPixel = () => Math.max(1, Math.round(window.devicePixelRatio || 1));

function picture(coded, alt) {
  return element("img", undefined, { src: `data:image/webp;base64,${coded}`, alt });
}

// a whole image is at most as large as it is stored; a part shows each pixel as a square of screen pixels
function fitPictures() {
  for (const part of document.querySelectorAll("#detail .part img")) {
    part.style.width = `${(Number(part.dataset.width) * perPixel()) / (window.devicePixelRatio || 1)}px`;
  }
}

function picturesOf(benchmark, point) {
  const whole = stored("whole", benchmark, point.place), part = stored("parts", benchmark, point.place);
  if (!whole && !part) return element("div", "image not here", { class: "absent" });
  const made = element("div", undefined, { class: "pictures" });
  const [coded, left, top, wide, high, width, height] = part || [];
  const isAll = part && wide === width && high === height;
  if (part) {
    const shown = element("figure", undefined, { class: "part" }), image = picture(coded, point.image);
    image.dataset.width = wide;
    shown.append(image, element("figcaption", isAll ? `${width} × ${height} pixels, whole, at 1:1` : `${wide} × ${high} pixels at 1:1`));
    made.append(shown);
  }
  if (whole && !isAll) {
    const shown = element("figure", undefined, { class: "whole" }), frame = element("div", undefined, { class: "frame" });
    frame.append(picture(whole, part ? "" : point.image));
    if (part) {
      const box = element("div", undefined, { class: "box" });
      const share = (length, all) => `${(100 * length) / all}%`;
      Object.assign(box.style, { left: share(left, width), top: share(top, height), width: share(wide, width), height: share(high, height) });
      frame.append(box);
    }
    const size = part ? `whole (${width} × ${height}), shrunk; the frame is the part at 1:1` : "whole, shrunk; parts at 1:1 are here for the largest errors";
    shown.append(frame, element("figcaption", size));
    made.append(shown);
  }
  return made;
}

function choosePoint(point) {
  view.chosen = point;
  const images = data.images[view.run.benchmark];
  const list = element("dl");
  const digits = Math.max(Math.abs(point.mos), Math.abs(point.predicted)) >= 10 ? 2 : 3;
  const facts = [
    ["image", point.image],
    [images.opinion, fixed(point.mos, digits)],
    [`score (as ${images.opinion})`, fixed(point.predicted, digits)],
    ["score", fixed(point.score, 4)],
    ["quality", fixed(point.quality, 4)],
    ["error", fixed(point.error, 4)],
    ["distortion", point.kind || "–"],
    ["level", point.level < 0 ? "–" : point.level],
    ["content", point.content || "–"],
  ];
  for (const [name, value] of facts) list.append(element("dt", name), element("dd", text(value)));
  byId("detail").replaceChildren(picturesOf(view.run.benchmark, point), list);
  fitPictures();
  for (const button of document.querySelectorAll("#worst button")) {
    button.classList.toggle("chosen", Number(button.dataset.place) === point.place);
  }
  draw();
}

function nearest([x, y]) {
  let best = null, least = 15 ** 2;
  for (const point of shown()) {
    const [px, py] = place(point), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}

function back([x, y]) {
  const canvas = byId("scatter"), width = canvas.clientWidth - MARGIN.left - MARGIN.right, height = canvas.clientHeight - MARGIN.top - MARGIN.bottom;
  return [
    view.x[0] + ((x - MARGIN.left) / width) * (view.x[1] - view.x[0]),
    view.y[0] + (1 - (y - MARGIN.top) / height) * (view.y[1] - view.y[0]),
  ];
}

function setUpScatter() {
  const canvas = byId("scatter");
  const where = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    if (!view) return;
    view.drag = { from: where(event), to: where(event) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!view) return;
    if (view.drag) view.drag.to = where(event);
    view.hovered = nearest(where(event));
    canvas.title = view.hovered ? `${view.hovered.image}  ${fixed(view.hovered.error, 3)}` : "";
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!view || !view.drag) return;
    const { from, to } = view.drag;
    view.drag = null;
    if (Math.abs(from[0] - to[0]) > 12 && Math.abs(from[1] - to[1]) > 12) {
      const [a, b] = [back(from), back(to)];
      view.x = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
      view.y = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
    } else {
      const point = nearest(where(event));
      if (point) choosePoint(point);
    }
    draw();
  });
  canvas.addEventListener("dblclick", () => {
    if (!view) return;
    [view.x, view.y] = [view.whole.x, view.whole.y];
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!view || !step || !shown().length) return;
    event.preventDefault();
    const some = shown(), now = some.indexOf(view.chosen);
    choosePoint(some[now < 0 ? 0 : (now + step + some.length) % some.length]);
  });
  canvas.addEventListener("pointercancel", () => { // a finger that scrolls the page
    if (!view) return;
    view.drag = null;
    draw();
  });
  window.addEventListener("resize", () => {
    fitPictures();
    draw();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

setUpRuns();
setUpScatter();
const firstRow = document.querySelector("#runs tr.run");
if (firstRow) choose(data.runs[Number(firstRow.dataset.place)]);
