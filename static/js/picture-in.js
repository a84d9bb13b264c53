// The ways in for a picture: chosen, dropped anywhere on the page, pasted. Each ends in the same upload form.
import { refuse, showPreview } from "./upload.js";

const form = () => document.getElementById("upload");

function send(file) {
  const upload = form();
  if (!upload || !file) return;
  // Not `upload.dataset`: the form has a field of that name.
  const limit = Number(upload.getAttribute("data-max-bytes"));
  if (file.size > limit) {
    const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
    refuse(`The file has ${megabytes(file.size)} MB; the limit is ${megabytes(limit)} MB.`);
    return;
  }
  showPreview(file);
  upload.requestSubmit();
}

function hand(files) {
  const input = form()?.elements.picture;
  if (!input) return;
  const file = [...files].find((one) => one.type.startsWith("image/")) ?? files[0];
  if (!file) {
    refuse("That was no file. Save the picture first, then drop the file here.");
    return;
  }
  const one = new DataTransfer();
  one.items.add(file);
  input.files = one.files;
  send(file);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#upload input[type=file]")) send(event.target.files[0]);
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
  hand(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) {
    event.preventDefault();
    hand(event.clipboardData.files);
  }
});
