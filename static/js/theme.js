// What has to be known before anything is painted: light or dark, and whether there are recent searches. So this is a
// classic script at the top of the page.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
    // Their place is kept from the start, so that nothing moves when recent.js shows them.
    const isRecent = (key) => key.startsWith("recent-searches:") && localStorage.getItem(key) !== "[]";
    root.classList.toggle("has-recent", Object.keys(localStorage).some(isRecent));
  } catch {
    // Storage can be switched off; the system's theme serves then.
  }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
})();
