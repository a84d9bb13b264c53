// Pages that look after themselves: an answer in which what is shown is not leaves it as it is, until the next one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const asker = event.detail.requestConfig?.elt;
  if (event.detail.xhr.status >= 400 && asker?.getAttribute("hx-trigger")?.startsWith("every")) {
    event.detail.shouldSwap = false;
  }
});

// How far a wide table was scrolled, by its id: what takes its place would begin at its edge.
let scrolled = {};
document.addEventListener("htmx:beforeSwap", () => {
  scrolled = Object.fromEntries([...document.querySelectorAll(".table-frame[id]")].map((one) => [one.id, one.scrollLeft]));
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, left] of Object.entries(scrolled)) document.getElementById(id)?.scrollTo({ left });
});
