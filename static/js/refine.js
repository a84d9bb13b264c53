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
  if (panel) panel.open = true;
});

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
