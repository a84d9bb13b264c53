// The part of the query picture that is searched with: drawn, moved and resized by mouse, touch and keyboard. Results
// follow while it moves. All coordinates are pixels of the picture, in which the SVG is drawn.
import { later, say } from "./upload.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 0.04; // of a side of the picture
const STEP = 0.02;
const WAIT_MS = 30;
const CORNERS = { nw: [0, 0], ne: [1, 0], sw: [0, 1], se: [1, 1] };

let box = null; // [left, top, right, bottom]
let size = [1, 1];
let drag = null;
let isAsking = false;
let hasMoved = false; // since it was asked for

const cropper = () => document.getElementById("cropper");
const between = (value, least, most) => Math.min(most, Math.max(least, value));

function setUp() {
  const svg = cropper();
  if (!svg || svg.dataset.ready) return;
  svg.dataset.ready = "true";
  drag = null; // what was drawn on another picture is no part of this one
  hasMoved = false;
  size = [Number(svg.dataset.width), Number(svg.dataset.height)];
  box = null;
  if (svg.dataset.crop) {
    const [x, y, width, height] = svg.dataset.crop.split(",").map(Number);
    box = [x * size[0], y * size[1], (x + width) * size[0], (y + height) * size[1]];
  }
  draw();
  later(() => suggest(svg)); // first the results
}

async function suggest(svg) {
  try {
    const answer = await fetch(`${svg.dataset.regions}${location.search}`);
    const { regions } = await answer.json();
    if (svg.isConnected) regions.forEach((region, number) => drawRegion(svg, region, number + 1));
  } catch {
    // The page is whole without suggestions.
  }
}

function drawRegion(svg, region, number) {
  const [x, y, width, height] = region.map((part, place) => part * size[place % 2]);
  const address = new URL(location.href);
  address.searchParams.set("crop", inShares([x, y, x + width, y + height]));
  const link = element("a", {
    class: "region", href: address.pathname + address.search, "data-crop": address.searchParams.get("crop"),
    "aria-label": svg.dataset.wordsRegion.replace("{number}", number),
  }, svg);
  element("rect", { x, y, width, height }, link);
  element("circle", { cx: x + width / 2, cy: y + height / 2, r: 9 / scale(svg) }, link);
}

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function draw() {
  const svg = cropper();
  const hadFocus = svg.contains(document.activeElement);
  svg.querySelector(".crop")?.remove();
  document.getElementById("crop-start")?.toggleAttribute("hidden", Boolean(box));
  document.getElementById("crop-end")?.toggleAttribute("hidden", !box);
  svg.classList.toggle("has-crop", Boolean(box));
  if (!box) return;
  const [left, top, right, bottom] = box;
  const group = element("g", { class: "crop" }, svg);
  const outside = `M0 0H${size[0]}V${size[1]}H0ZM${left} ${top}V${bottom}H${right}V${top}Z`;
  element("path", { class: "crop-outside", d: outside, "fill-rule": "evenodd" }, group);
  const frame = element("rect", {
    class: "crop-frame", x: left, y: top, width: right - left, height: bottom - top,
    tabindex: 0, role: "application", "aria-label": svg.dataset.wordsBox,
  }, group);
  const handle = (matchMedia("(pointer: coarse)").matches ? 12 : 8) / scale(svg);
  for (const [name, [across, down]] of Object.entries(CORNERS)) {
    element("circle", {
      class: `crop-handle is-${name}`, "data-corner": name, r: handle,
      cx: across ? right : left, cy: down ? bottom : top,
    }, group);
  }
  if (hadFocus) frame.focus({ preventScroll: true });
}

function scale(svg) {
  return svg.getScreenCTM()?.a || 1;
}

function place(event) {
  const svg = cropper();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [between(point.x, 0, size[0]), between(point.y, 0, size[1])];
}

function ordered([x1, y1, x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}

function isLargeEnough([left, top, right, bottom]) {
  return right - left >= LEAST * size[0] && bottom - top >= LEAST * size[1];
}

// What is too small to be a part may still grow: until then the one before is searched with.
function part() {
  return drag && !(box && isLargeEnough(box)) ? drag.before : box;
}

// Edges are rounded, and sizes taken between them: the part never reaches over the picture.
function inShares(edges) {
  const [left, top, right, bottom] = edges.map((edge, place) => Number((edge / size[place % 2]).toFixed(4)));
  return [left, top, right - left, bottom - top].map((one) => Number(one.toFixed(4))).join(",");
}

// Results follow while the part moves: one request after the other, the last one for where it came to rest.
async function search() {
  hasMoved = true;
  if (isAsking) return;
  isAsking = true;
  while (hasMoved && cropper()) {
    if (drag) await new Promise((done) => setTimeout(done, WAIT_MS)); // a key moves it once
    hasMoved = false;
    await ask().catch(() => {}); // upload.js tells that the server cannot be reached
  }
  isAsking = false;
}

async function ask() {
  const address = new URL(location.href);
  for (const name of ["offset", "after"]) address.searchParams.delete(name);
  setCrop(address.searchParams);
  history.replaceState(history.state, "", address);
  carry();
  await htmx.ajax("GET", address.pathname + address.search, {
    source: cropper(), target: "#answer", select: "#answer", swap: "outerHTML",
  });
}

function setCrop(parameters) {
  if (part()) parameters.set("crop", inShares(part())); else parameters.delete("crop");
}

// What stands beside the picture is not swapped, and goes on with the part as it is now.
function carry() {
  for (const link of document.querySelectorAll(".query .chip a")) {
    const address = new URL(link.href);
    setCrop(address.searchParams);
    link.href = address.pathname + address.search;
  }
  for (const form of document.querySelectorAll("#upload, #by-link, .keep-marks")) {
    form.querySelector("input[name=crop]")?.remove();
    if (!part()) continue;
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: "crop", value: inShares(part()) });
    form.append(field);
  }
}

document.addEventListener("pointerdown", (event) => {
  const svg = event.target.closest?.("#cropper");
  if (!svg || event.button !== 0 || event.target.closest("a")) return;
  event.preventDefault();
  const at = place(event);
  const corner = event.target.dataset?.corner;
  if (corner) {
    const [across, down] = CORNERS[corner];
    drag = { kind: "draw", fixed: [across ? box[0] : box[2], down ? box[1] : box[3]], before: box };
  } else if (event.target.classList.contains("crop-frame")) {
    drag = { kind: "move", at, from: box, before: box };
  } else {
    drag = { kind: "draw", fixed: at, before: box };
  }
  svg.setPointerCapture(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  if (!drag || !cropper()) return;
  const [x, y] = place(event);
  if (drag.kind === "move") box = moved(drag.from, x - drag.at[0], y - drag.at[1]);
  else box = ordered([...drag.fixed, x, y]);
  draw();
  if (!isLargeEnough(box)) return;
  drag.isAsked = true;
  search();
});

function finish() {
  if (!drag) return;
  // A click is no box; what was there before stays.
  if (!box || !isLargeEnough(box)) box = drag.before;
  if (drag.isAsked) search();
  drag = null;
  draw();
  cropper()?.querySelector(".crop-frame")?.focus({ preventScroll: true }); // arrow keys go on from here
}
document.addEventListener("pointerup", finish);
document.addEventListener("pointercancel", finish);

function moved([left, top, right, bottom], across, down) {
  const x = between(across, -left, size[0] - right);
  const y = between(down, -top, size[1] - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

function resized([left, top, right, bottom], across, down) {
  return [
    left, top,
    between(right + across, left + LEAST * size[0], size[0]),
    between(bottom + down, top + LEAST * size[1], size[1]),
  ];
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  if (!event.target.classList?.contains("crop-frame")) return;
  const direction = DIRECTIONS[event.key];
  if (direction) {
    event.preventDefault();
    const by = (event.altKey ? STEP / 4 : STEP);
    box = (event.shiftKey ? resized : moved)(box, direction[0] * by * size[0], direction[1] * by * size[1]);
    draw();
    search();
  } else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") {
    event.preventDefault();
    box = null;
    draw();
    document.getElementById("crop-start").focus();
    search();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("#crop-start")) {
    box = [0.2 * size[0], 0.2 * size[1], 0.8 * size[0], 0.8 * size[1]];
    draw();
    cropper().querySelector(".crop-frame").focus();
    search();
  }
  const region = event.target.closest("a.region, #crop-end");
  if (region && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    const [x, y, width, height] = region.dataset.crop?.split(",").map(Number) ?? [];
    box = region.dataset.crop
      ? [x * size[0], y * size[1], (x + width) * size[0], (y + height) * size[1]] : null;
    draw();
    search();
    if (region.id === "crop-end") document.getElementById("crop-start").focus(); // the button that was pressed is gone
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "main") setUp();
  if (event.detail.target.id === "answer") say(document.querySelector("#answer h1").textContent.trim());
});
document.addEventListener("htmx:load", setUp);
setUp();
