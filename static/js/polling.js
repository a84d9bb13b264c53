// Pages that look after themselves: an answer in which what is shown is not leaves it as it is, until the next one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const asker = event.detail.requestConfig?.elt;
  if (event.detail.xhr.status >= 400 && asker?.getAttribute("hx-trigger")?.startsWith("every")) {
    event.detail.shouldSwap = false;
  }
});
