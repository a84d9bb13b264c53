// The ways in for pictures: chosen, dropped anywhere on the page, pasted, taken by a camera. All end in one upload form.
import { refuse, showPreview, words } from "./upload.js";

const form = () => document.getElementById("upload");

function send(files) {
  const upload = form();
  if (!upload || !files.length) return;
  // Not `upload.dataset`: the form has a field of that name.
  const limit = Number(upload.getAttribute("data-max-bytes"));
  const most = Number(upload.getAttribute("data-max-files"));
  if (files.length > most) {
    refuse(words("too-many", { most }));
    return;
  }
  const large = files.find((file) => file.size > limit);
  if (large) {
    const megabytes = (bytes) => (bytes / 1e6).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
    refuse(words("too-large", { size: megabytes(large.size), limit: megabytes(limit) }));
    return;
  }
  showPreview(files[0]);
  upload.requestSubmit();
}

function hand(files) {
  const input = form()?.elements.picture;
  if (!input) return;
  const pictures = [...files].filter((one) => one.type.startsWith("image/"));
  const chosen = pictures.length ? pictures : [...files].slice(0, 1);
  if (!chosen.length) {
    refuse(words("no-file"));
    return;
  }
  const transfer = new DataTransfer();
  for (const one of chosen) transfer.items.add(one);
  input.files = transfer.files;
  send(chosen);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#upload input[name=picture]")) send([...event.target.files]);
  if (event.target.matches("#id_camera")) hand(event.target.files);
});

let depth = 0;
function over(isOver) {
  document.documentElement.classList.toggle("is-dropping", isOver && Boolean(form()));
}
document.addEventListener("dragenter", (event) => {
  event.preventDefault();
  depth += 1;
  over(true);
});
document.addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  over(depth > 0);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  over(false);
  const folder = [...event.dataTransfer.items].find((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folder) {
    refuse(words("folder"));
    return;
  }
  // An image of this site that is dragged from its grid is already in a gallery.
  const link = event.dataTransfer.getData("text/uri-list");
  const id = event.dataTransfer.getData("text/x-imgsim-image") || idIn(link);
  if (id && form()) searchWith(id);
  else if (!event.dataTransfer.files.length && link && byLink(link)) return;
  else hand(event.dataTransfer.files);
});
document.addEventListener("dragstart", (event) => {
  const id = event.target.closest?.("[data-id]")?.dataset.id;
  if (id) event.dataTransfer.setData("text/x-imgsim-image", id);
});

function idIn(link) {
  const found = link && URL.canParse(link) ? new URL(link) : null;
  return found?.origin === location.origin ? found.pathname.match(/^\/images\/(\d+)\//)?.[1] : undefined;
}

function searchWith(id) {
  const address = new URL(form().elements.add?.checked ? location.href : "/", location.href);
  for (const name of ["offset", "after"]) address.searchParams.delete(name);
  address.searchParams.append("image", id);
  location.assign(address);
}

function byLink(text) {
  const field = document.getElementById("id_link");
  if (!field || !/^https?:\/\//i.test(text.trim())) return false;
  field.value = text.trim();
  field.form.requestSubmit();
  return true;
}

document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) {
    event.preventDefault();
    hand(event.clipboardData.files);
  } else if (!event.target.closest?.("input, textarea") && byLink(event.clipboardData?.getData("text/plain") ?? "")) {
    event.preventDefault();
  }
});
