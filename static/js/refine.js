// The panels above the results: one open at a time, still open after the results were changed, closed by Escape.
let opened = "";

document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details.panel")) return;
  if (event.target.open) {
    opened = event.target.dataset.panel;
    for (const other of document.querySelectorAll("details.panel[open]")) if (other !== event.target) other.open = false;
  } else if (opened === event.target.dataset.panel && event.target.isConnected) opened = "";
}, true);

document.addEventListener("htmx:afterSwap", (event) => {
  if (!opened || !["main", "answer"].includes(event.detail.target.id)) return;
  const panel = document.querySelector(`details.panel[data-panel="${opened}"]`);
  if (!panel) return;
  panel.open = true;
  const field = focused && document.getElementById(focused);
  if (field && panel.contains(field)) field.focus({ preventScroll: true });
});

// What had the focus in a panel has it again: while the panel was closed, nothing in it could take it.
let focused = "";
document.addEventListener("htmx:beforeSwap", (event) => {
  focused = ["main", "answer"].includes(event.detail.target.id) && document.activeElement?.closest("details.panel[open]")
    ? document.activeElement.id : "";
});

// Years are typed digit by digit, and each makes a date: it counts when the field is left, or Enter is pressed.
let typed = null;
const isDate = (event) => event.target.matches?.("#refine input[type=date]");
document.addEventListener("keydown", (event) => {
  if (!isDate(event)) return;
  if (event.key === "Enter") settle();
  else if (event.key !== "Tab" && event.key !== "Escape") typed ??= { field: event.target, changed: false };
}, true);
document.addEventListener("pointerdown", settle, true);
document.addEventListener("focusout", (event) => {
  if (isDate(event)) settle();
}, true);
document.addEventListener("change", (event) => {
  if (typed?.field !== event.target) return;
  event.stopPropagation();
  typed.changed = true;
}, true);
function settle() {
  const { field, changed } = typed ?? {};
  typed = null;
  if (changed && field.isConnected) field.dispatchEvent(new Event("change", { bubbles: true }));
}

// Its event comes later, perhaps when the results have been changed already.
function close(panel) {
  panel.open = false;
  opened = "";
}

// Not at a click: Enter in a field of a panel clicks the form's button.
document.addEventListener("pointerdown", (event) => {
  const panel = document.querySelector("details.panel[open]");
  if (panel && event.target.isConnected && !panel.contains(event.target)) close(panel);
});

document.addEventListener("keydown", (event) => {
  const panel = document.querySelector("details.panel[open]");
  if (event.key !== "Escape" || !panel) return;
  close(panel);
  panel.querySelector("summary").focus();
});
