// Further results, and the ways back to them: by a key, from a result, from signing in.
import { say, words } from "./upload.js";

let [nBefore, hadFocus] = [0, false];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "hits") return;
  nBefore = event.detail.target.children.length;
  hadFocus = Boolean(document.activeElement?.closest("#more"));
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "hits") return;
  const fresh = [...event.detail.target.children].slice(nBefore);
  say(words("more", { n: fresh.length }));
  if (hadFocus) fresh[0]?.querySelector("a")?.focus({ preventScroll: true });
  hadFocus = false;
  rememberShown(fresh.length);
});

// Who opens a result and comes back finds all that was shown, where it was.
const MOST_SHOWN = 1000;
function rememberShown(nFresh) {
  const here = new URL(location.href);
  if (here.searchParams.has("offset")) return;
  const next = document.querySelector("#more a[hx-get]");
  const before = Number(here.searchParams.get("shown")) || nBefore;
  const n = next ? Number(new URL(next.href).searchParams.get("offset")) : before + nFresh;
  if (n > MOST_SHOWN) return;
  here.searchParams.set("shown", n);
  history.replaceState(history.state, "", here);
}

// Who signs in now comes back to this search, and not to the page that it began on.
document.addEventListener("htmx:pushedIntoHistory", (event) => {
  const link = document.getElementById("sign-in");
  if (link) link.search = new URLSearchParams({ next: event.detail.path }).toString();
});
