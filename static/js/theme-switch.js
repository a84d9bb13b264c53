// The button in the header that switches between light and dark.
const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
}

function show() {
  const button = document.getElementById("theme-switch");
  button.setAttribute("aria-label", isDark() ? button.dataset.toLight : button.dataset.toDark);
}

document.getElementById("theme-switch").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Not remembered then; this page still follows.
  }
  show();
});
systemIsDark.addEventListener("change", show);
show();
