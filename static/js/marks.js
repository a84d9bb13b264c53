// More like this, less like that: one listener for all results, of which a page may have a thousand.
document.addEventListener("click", (event) => {
  const mark = event.target.closest?.("a[data-sign]");
  if (!mark || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (document.querySelector("main[aria-busy]")) return; // an address without the mark before would take that off
  // It says that the address follows; a mark of its own would have to be made known to htmx.
  const source = document.getElementById("marks");
  htmx.ajax("GET", mark.getAttribute("href"), { source, target: "#main", select: "#main", swap: "outerHTML" });
});
