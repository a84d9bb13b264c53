// Keys for what is done often, and the sheet that lists them.
const sheet = () => document.getElementById("shortcuts");

function focusHit(by) {
  const links = [...document.querySelectorAll(".answer .tile-link")];
  const at = links.indexOf(document.activeElement?.closest?.("li")?.querySelector(".tile-link"));
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

function press(selector) {
  const target = document.querySelector(selector);
  if (target?.matches("details")) {
    target.open = !target.open;
    if (target.open) target.querySelector("input, select, a")?.focus();
  } else target?.click();
}

function focusWords() {
  const field = document.getElementById("id_words");
  const panel = field?.closest("details");
  if (panel) panel.open = true;
  field?.focus();
}

function inHit(selector) {
  if (document.querySelector("main[aria-busy]")) return; // what the key means is about to change
  document.activeElement?.closest?.(".tile")?.querySelector(selector)?.click();
}

const KEYS = {
  "?": () => sheet().showModal(),
  "/": () => focusWords(),
  u: () => document.getElementById("id_picture")?.click(),
  c: () => (document.querySelector(".crop-frame") ? document.querySelector(".crop-frame").focus() : press("#crop-start")),
  f: () => press("details[data-panel=filters]"),
  v: () => press("details[data-panel=beside]"),
  j: () => focusHit(1),
  k: () => focusHit(-1),
  "+": () => inHit(".tile-mark[data-sign='+']"),
  "-": () => inHit(".tile-mark[data-sign='-']"),
  s: () => inHit(".tile-similar"),
  x: () => inHit("input[name=chosen]"),
};

// Who speaks to the browser, or often touches a key by mistake, switches them off.
const OFF = "single-keys-are-off";
function areOn() {
  try {
    return !localStorage.getItem(OFF);
  } catch {
    return true;
  }
}
const box = () => document.querySelector("[data-single-keys]");
document.addEventListener("change", (event) => {
  if (event.target !== box()) return;
  try {
    if (box().checked) localStorage.removeItem(OFF); else localStorage.setItem(OFF, "1");
  } catch {
    box().checked = true; // nothing can be remembered
  }
});
box().checked = areOn();

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input:not([type=checkbox], [type=file]), select, textarea")) return;
  const action = KEYS[event.key];
  if (!action || !areOn()) return;
  event.preventDefault();
  action();
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-shortcuts]")) sheet().showModal();
  const dialog = event.target.closest?.("#shortcuts");
  if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) dialog.close();
});

// What can be done with results is told once, to whoever is here for the first time.
const HINT = "hint-was-read";
function hint() {
  const text = document.getElementById("hint");
  try {
    if (text) text.hidden = Boolean(localStorage.getItem(HINT));
  } catch {
    // Where nothing can be remembered, it would be told for ever.
  }
}
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-dismiss]")) return;
  try {
    localStorage.setItem(HINT, "1");
  } catch {
    // It comes again then.
  }
  document.getElementById("hint").hidden = true;
});
document.addEventListener("htmx:afterSettle", hint);
hint();
