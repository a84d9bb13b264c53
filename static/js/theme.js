// Light or dark as the visitor chose. A classic script at the top of the page, so that it runs before anything is painted.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Storage can be switched off; the system's theme serves then.
  }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
})();
