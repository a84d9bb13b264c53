// What the visitor sees while a picture is on its way: the picture itself at once, progress, then results or a reason.
let blobUrl = ""; // of the picture that is on its way
let shownUrl = ""; // of the one whose results are on the page
let srcBefore = null;

export function showPreview(file) {
  forget();
  clearErrors();
  const preview = document.getElementById("preview");
  blobUrl = URL.createObjectURL(file);
  srcBefore = preview.getAttribute("src");
  preview.src = blobUrl;
  preview.hidden = false;
  // A kind of picture that this browser cannot show may still be one that the server reads.
  preview.onerror = takeBack;
}

export function refuse(reason) {
  const item = document.createElement("p");
  item.textContent = reason;
  document.getElementById("form-errors").replaceChildren(item);
}

function clearErrors() {
  document.getElementById("form-errors")?.replaceChildren();
}

function takeBack() {
  const preview = document.getElementById("preview");
  if (!preview) return;
  preview.onerror = null;
  if (srcBefore) preview.src = srcBefore;
  else preview.removeAttribute("src");
  preview.hidden = !srcBefore;
  forget();
}

function forget() {
  if (blobUrl) URL.revokeObjectURL(blobUrl);
  blobUrl = "";
}

function say(words) {
  document.getElementById("status").textContent = words;
}

function isUpload(event) {
  // Where htmx swaps, `elt` is the target, and the form is found in the request.
  return (event.detail.requestConfig?.elt ?? event.detail.elt).id === "upload";
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target.id === "main") event.detail.target.setAttribute("aria-busy", "true");
  if (isUpload(event)) say("Searching…");
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
  if (event.detail.xhr.status >= 400 && event.detail.target.id === "hits") {
    event.detail.target = document.getElementById("main");
    event.detail.selectOverride = "#main";
    event.detail.swapOverride = "outerHTML";
  }
});

document.addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("main").removeAttribute("aria-busy");
  if (isUpload(event)) document.getElementById("upload")?.reset();
});

document.addEventListener("htmx:sendError", () => {
  takeBack();
  refuse("The server cannot be reached. Try again in a moment.");
});

document.addEventListener("htmx:afterSwap", (event) => {
  const heading = document.querySelector("#main[data-results] h1");
  if (event.detail.target.id !== "main" || !heading) return;
  const preview = document.getElementById("preview");
  // The picture is on this machine: shown from here, it does not blink.
  if (blobUrl && preview && isUpload(event)) {
    preview.src = blobUrl;
    if (shownUrl) URL.revokeObjectURL(shownUrl);
    shownUrl = blobUrl;
    blobUrl = "";
  }
  say(heading.textContent.trim());
  heading.focus({ preventScroll: true });
  scrollTo({ top: 0 });
});
