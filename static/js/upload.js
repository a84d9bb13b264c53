// What the visitor sees while a picture is on its way: the picture itself at once, progress, then results or a reason.
let blobUrl = ""; // of the picture that is on its way
let addressBefore = null;

// What scripts say, in the language of the page: the page carries it.
export function words(name, values = {}) {
  const text = document.querySelector(`#words > [data-name="${name}"]`)?.textContent ?? "";
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

export function showPreview(file) {
  forget();
  clearErrors();
  blobUrl = URL.createObjectURL(file);
  addressBefore = address();
  show(blobUrl);
  // A kind of picture that this browser cannot show may still be one that the server reads.
  if (preview()) preview().onerror = takeBack;
}

export function refuse(reason) {
  const item = document.createElement("p");
  item.textContent = reason;
  document.getElementById("form-errors").replaceChildren(item);
}

// What nobody waits for, when the pictures of the page are there.
export function later(what) {
  return setTimeout(what, 800);
}

export function say(text) {
  document.getElementById("status").textContent = text;
}

const preview = () => document.getElementById("preview");

// Beside results the picture stands in an SVG, which has an `href` and no `src`.
function attribute() {
  return preview() instanceof SVGElement ? "href" : "src";
}

function address() {
  return preview()?.getAttribute(attribute());
}

function show(url) {
  const picture = preview();
  if (!picture) return; // a search by words shows none
  if (url) picture.setAttribute(attribute(), url); else picture.removeAttribute(attribute());
  picture.toggleAttribute("hidden", !url);
}

function clearErrors() {
  document.getElementById("form-errors")?.replaceChildren();
}

function takeBack() {
  if (preview()) preview().onerror = null;
  show(addressBefore);
  forget();
}

function forget() {
  if (blobUrl) URL.revokeObjectURL(blobUrl);
  blobUrl = "";
}

// So that the same file can be chosen again; what else was chosen stays.
function emptyFiles() {
  for (const field of document.querySelectorAll("#id_picture, #id_camera")) field.value = "";
}

function isUpload(event) {
  // Where htmx swaps, `elt` is the target, and the form is found in the request.
  return ["upload", "by-link"].includes((event.detail.requestConfig?.elt ?? event.detail.elt).id);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (["main", "answer"].includes(event.detail.target.id)) event.detail.target.setAttribute("aria-busy", "true");
  if (!isUpload(event)) return;
  say(words("searching"));
  // How far the server is with fetching a link nobody knows.
  if (event.detail.elt.id === "by-link") document.getElementById("progress")?.removeAttribute("value");
});

document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = document.getElementById("progress");
  if (bar && isUpload(event) && event.detail.lengthComputable) bar.value = event.detail.loaded / event.detail.total;
});

document.addEventListener("htmx:beforeSwap", (event) => {
  // A form that is refused shows its reasons and leaves the rest of the page as it was.
  if (event.detail.xhr.status === 422 && isUpload(event)) {
    event.detail.target = document.getElementById("form-errors");
    event.detail.selectOverride = "#form-errors";
    event.detail.swapOverride = "outerHTML";
    takeBack();
  }
});

document.addEventListener("htmx:beforeSwap", (event) => {
  // Where there is nothing more to add to the results, because the picture is no longer kept, the page says so itself.
  if (event.detail.xhr.status >= 400 && ["hits", "answer"].includes(event.detail.target.id)) {
    event.detail.target = document.getElementById("main");
    event.detail.selectOverride = "#main";
    event.detail.swapOverride = "outerHTML";
  }
});

document.addEventListener("htmx:afterRequest", (event) => {
  for (const busy of document.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
  // A request that was broken off made room for the next, whose file stands in the form already.
  if (isUpload(event) && event.detail.xhr.status) emptyFiles();
});

document.addEventListener("htmx:sendError", () => {
  takeBack();
  emptyFiles();
  refuse(words("unreachable"));
});

document.addEventListener("htmx:afterSwap", (event) => {
  const heading = document.querySelector("#main[data-results] h1");
  if (event.detail.target.id !== "main" || !heading) return;
  // The server's preview takes its place: to decode a photo of 12 megapixels again takes longer than to fetch that.
  if (isUpload(event)) forget();
  say(heading.textContent.trim());
  // A menu that changed the results keeps the focus.
  if (!document.activeElement?.closest("#refine")) heading.focus({ preventScroll: true });
  scrollTo({ top: 0 });
});
