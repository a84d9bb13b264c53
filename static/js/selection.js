// Several hits at once: how many are chosen, all, none, and a range with Shift.
let last = null;

const boxes = () => [...document.querySelectorAll(".tile-select input")];

function count() {
  const form = document.getElementById("selection");
  if (!form) return;
  const n = boxes().filter((box) => box.checked).length;
  form.querySelector(".selection-count").textContent = String(n);
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.(".tile-select input");
  if (box) {
    if (event.shiftKey && last && last !== box) {
      const all = boxes();
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const one of all.slice(from, to + 1)) one.checked = box.checked;
    }
    last = box;
    count();
  }
  const button = event.target.closest?.("[data-choose]");
  if (button) {
    for (const one of boxes()) one.checked = button.dataset.choose === "all";
    count();
  }
});
document.addEventListener("htmx:afterSettle", count);
addEventListener("pageshow", count);
