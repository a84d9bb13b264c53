// A hit seen large: next and previous by key and swipe, beside the query, laid over it, and why the two are alike.
import { words } from "./upload.js";

const box = () => document.getElementById("lightbox");
// Those of one encoder, where several stand side by side, or of one group of duplicates.
const tiles = () => [...(current?.closest(".beside > section, .twins") ?? document).querySelectorAll("#answer .tile")];
let current = null;
let start = null;

function open(tile) {
  current = tile;
  const link = tile.querySelector(".tile-link");
  const small = tile.querySelector("img");
  const large = box().querySelector(".of-hit img");
  // The thumbnail is there already; the picture takes its place when it has been read.
  large.src = small.currentSrc || small.src;
  large.alt = small.alt;
  const whole = new Image();
  whole.src = link.dataset.picture;
  whole.decode().then(() => { if (current === tile) large.src = whole.src; }, () => {});
  // A duplicate stands beside the one that is to be kept, a result beside the query.
  if (link.dataset.beside) Object.assign(box().querySelector(".of-query img"), { src: link.dataset.beside, alt: link.dataset.besideName });
  box().querySelector(".lightbox-title").textContent = tile.querySelector(".tile-label").textContent;
  box().querySelector(".lightbox-facts").replaceChildren(...facts(tile));
  box().querySelector("a.lightbox-page").setAttribute("href", link.dataset.page ?? link.getAttribute("href"));
  const at = tiles().indexOf(tile);
  box().querySelector("[data-step='-1']").disabled = at === 0;
  box().querySelector("[data-step='1']").disabled = at === tiles().length - 1 && !more();
  if (view() === "why") explain();
  if (!box().open) box().showModal();
}

function facts(tile) {
  const copy = tile.querySelector(".tile-facts").cloneNode(true);
  const actions = document.createElement("p");
  actions.className = "lightbox-actions";
  for (const link of tile.querySelectorAll(".tile-mark, .tile-similar")) {
    const again = link.cloneNode(true);
    again.className = "button is-small is-secondary";
    if (!again.textContent.trim()) again.append(link.title);
    actions.append(again);
  }
  return [copy, actions];
}

const view = () => box().dataset.view;
const more = () => document.querySelector("#more a[hx-get]");

function show(name) {
  box().dataset.view = name;
  for (const button of box().querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === name));
  }
  // The blend belongs to the overlay alone.
  box().querySelector(".of-hit img").style.opacity = name === "overlay" ? box().querySelector("input[type=range]").value : "";
  if (name === "why") explain();
}

async function explain() {
  const place = box().querySelector(".lightbox-why");
  const tile = current;
  const link = tile.querySelector(".tile-link");
  place.textContent = words("explaining");
  const address = new URL(link.href + "why/", location.href);
  address.search = location.search;
  const encoder = tile.closest("[data-encoder]")?.dataset.encoder;
  if (encoder) address.searchParams.set("encoder", encoder);
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (current === tile) place.replaceChildren(page.querySelector("#why") ?? words("unreachable"));
  } catch {
    if (current === tile) place.textContent = words("unreachable");
  }
}

function step(by) {
  const all = tiles();
  const next = all[all.indexOf(current) + by];
  if (next) open(next);
  else if (by > 0 && more()) {
    const waiting = current;
    document.addEventListener("htmx:afterSettle", () => { if (current === waiting) step(1); }, { once: true });
    more().click();
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#answer .tile-link");
  if (link && box() && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    open(link.closest("li"));
    return;
  }
  const target = event.target.closest?.("#lightbox [data-show], #lightbox [data-step], #lightbox [data-close]");
  if (!target) {
    if (event.target === box()) box().close(); // beside its content
    if (event.target.closest?.("#lightbox .lightbox-actions a")) box().close();
    return;
  }
  if (target.dataset.show) show(target.dataset.show);
  else if (target.dataset.step) step(Number(target.dataset.step));
  else box().close();
});

document.addEventListener("keydown", (event) => {
  if (!box()?.open || event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input")) return;
  const views = { 1: "single", 2: "side", 3: "overlay", 4: "difference", w: "why" };
  if (event.key === "ArrowRight") step(1);
  else if (event.key === "ArrowLeft") step(-1);
  else if (box().querySelector(`[data-show="${views[event.key]}"]`)) show(views[event.key]);
  else return;
  event.preventDefault();
});

document.addEventListener("input", (event) => {
  if (event.target.matches("#lightbox input[type=range]")) {
    box().querySelector(".of-hit img").style.opacity = event.target.value;
  }
});

document.addEventListener("pointerdown", (event) => {
  start = event.target.closest?.("#lightbox .lightbox-stage") && event.pointerType === "touch"
    ? [event.clientX, event.clientY] : null;
});
document.addEventListener("pointerup", (event) => {
  if (!start) return;
  const [across, down] = [event.clientX - start[0], event.clientY - start[1]];
  start = null;
  if (Math.abs(across) > 50 && Math.abs(across) > 1.5 * Math.abs(down)) step(across < 0 ? 1 : -1);
});

document.addEventListener("close", (event) => {
  if (event.target !== box()) return;
  current?.querySelector(".tile-link")?.focus({ preventScroll: true });
  current?.scrollIntoView({ block: "nearest" });
}, true);
