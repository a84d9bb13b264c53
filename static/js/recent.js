// The searches that were made in this browser: kept here and nowhere else, shown on the start page.
import { later } from "./upload.js";

const PREFIX = "recent-searches:";
// What one account has searched with is not the next one's to see, and nobody's after signing out.
const KEY = PREFIX + (document.body.dataset.account ?? "");
const MOST = 12;
const UPLOAD_MS = 3600 * 1000; // as long as the server keeps an uploaded picture

function read() {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return all.filter((one) => !one.address.includes("q=") || Date.now() - one.at < UPLOAD_MS);
  } catch {
    return [];
  }
}

function forgetOthers() {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX) && key !== KEY) localStorage.removeItem(key);
  } catch {
    // Nothing is kept then.
  }
}

function write(searches) {
  try {
    localStorage.setItem(KEY, JSON.stringify(searches.slice(0, MOST)));
  } catch {
    // Storage is full or switched off: nothing is remembered.
  }
}

async function thumbnail(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const scale = 160 / Math.max(picture.naturalWidth, picture.naturalHeight);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.7);
}

async function remember() {
  const preview = document.querySelector("main[data-results] #preview");
  const address = location.pathname + location.search;
  if (!preview || !location.search) return;
  const name = document.querySelector(".query-name")?.textContent.trim() ?? "";
  try {
    const picture = await thumbnail(preview.getAttribute("href") ?? preview.src);
    const others = read().filter((one) => one.address !== address && one.picture !== picture);
    write([{ address, name, picture, at: Date.now() }, ...others]);
  } catch {
    // The picture has gone meanwhile.
  }
}

function show() {
  const section = document.getElementById("recent");
  if (!section) return;
  const searches = read();
  section.hidden = !searches.length;
  document.documentElement.classList.toggle("has-recent", Boolean(searches.length));
  const item = section.querySelector("template");
  section.querySelector("ul").replaceChildren(...searches.map((one) => {
    const copy = item.content.cloneNode(true);
    const link = copy.querySelector("a");
    // Only addresses of this page: what stands in storage is not believed.
    if (one.address.startsWith("/?")) link.href = one.address;
    if (String(one.picture).startsWith("data:image/jpeg")) copy.querySelector("img").src = one.picture;
    copy.querySelector("img").alt = one.name;
    return copy;
  }));
}

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#recent [data-forget]")) return;
  try {
    localStorage.removeItem(KEY);
  } catch {
    // There was nothing to forget.
  }
  show();
});
// Parts that are tried one after the other are remembered when one of them stays.
let waiting = 0;
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id === "main") remember();
  if (event.detail.target?.id !== "answer") return;
  clearTimeout(waiting);
  waiting = later(remember);
});
forgetOthers();
remember();
show();
