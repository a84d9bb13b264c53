// Pictures and archives for a dataset: dropped or chosen, sent one by one, each with its progress and what came of it.
const AT_ONCE = 3;
const form = document.getElementById("files");
const list = document.getElementById("sending-files");
const queue = [];
let [running, done, refused, all] = [0, 0, 0, 0];
let job = null; // of the pictures that are being sent: a promise of its number

function words(name, values = {}) {
  const text = document.querySelector(`#sending-words > [data-name="${name}"]`).textContent;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

const isArchive = (file) => form.dataset.archives.split(",").some((ending) => file.name.toLowerCase().endsWith(ending));

function take(files) {
  if (!files.length) return;
  document.getElementById("sending").hidden = false;
  for (const file of files) {
    const row = list.appendChild(document.createElement("li"));
    const name = row.appendChild(document.createElement("span"));
    name.className = "sent-name";
    name.textContent = file.name;
    const bar = row.appendChild(document.createElement("progress"));
    Object.assign(bar, { max: 1, value: 0, ariaLabel: file.name });
    const state = row.appendChild(document.createElement("span"));
    state.className = "muted";
    state.textContent = words("waiting");
    queue.push({ file, row, bar, state });
    all += 1;
  }
  count();
  go();
}

function count() {
  document.getElementById("sending-count").textContent = words("count", { n: done, all, refused });
  document.getElementById("sending-progress").value = all ? done / all : 0;
}

function go() {
  while (running < AT_ONCE && queue.length) {
    running += 1;
    send(queue.shift()).then(() => {
      running -= 1;
      done += 1;
      count();
      if (!running && !queue.length) end();
      else go();
    });
  }
}

async function send(one) {
  const limit = Number(isArchive(one.file) ? form.dataset.maxArchiveBytes : form.dataset.maxBytes);
  if (one.file.size > limit) {
    const megabytes = (bytes) => (bytes / 1e6).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
    show(one, "refused", words("too-large", { size: megabytes(one.file.size), limit: megabytes(limit) }));
    return;
  }
  one.state.textContent = words("sending");
  try {
    let answer = await sent(one);
    if (answer.outcome === "ended") { // the page slept for so long that the server gave the job up
      job = null;
      answer = await sent(one);
    }
    show(one, answer.outcome, answer.reason, answer.image ?? answer.job);
  } catch (error) {
    show(one, "refused", words(error.message));
  }
}

async function sent(one) {
  const body = new FormData(form);
  body.delete("files");
  body.append("file", one.file);
  if (!isArchive(one.file)) body.append("job", (await begin()).job);
  return request(form.dataset.file, body, (share) => {
    one.bar.value = share;
  });
}

function begin() {
  job ??= request(form.dataset.begin, token()).then((begun) => {
    const link = document.getElementById("sending-job");
    link.href = begun.url;
    link.hidden = false;
    return begun;
  });
  job.catch(() => {
    job = null;
  });
  return job;
}

async function end() {
  const begun = job;
  job = null;
  if (!begun) return;
  const body = token();
  body.append("job", (await begun).job);
  request(form.dataset.end, body).catch(() => {}); // the sweeper ends it otherwise
}

function token() {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  return body;
}

// As many files a minute as the server takes: those beyond wait for as long as it says, and go on.
async function request(url, body, progress) {
  for (;;) {
    const answer = await requestOnce(url, body, progress);
    if (!answer.wait) return answer;
    progress?.(0);
    await new Promise((resolve) => setTimeout(resolve, 1000 * answer.wait));
  }
}

// Not fetch, which does not tell how much of a body is sent.
function requestOnce(url, body, progress) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    asked.open("POST", url);
    asked.responseType = "json";
    asked.upload.onprogress = (event) => progress?.(event.loaded / (event.total || 1));
    asked.onload = () => {
      const isElsewhere = new URL(asked.responseURL).pathname !== new URL(url, location.href).pathname;
      if (asked.status === 429) resolve({ wait: Number(asked.getResponseHeader("Retry-After")) || 10 });
      else if (isElsewhere || asked.status === 403) reject(new Error("signed-out"));
      else if (asked.status === 507) reject(new Error("full"));
      else if (asked.response) resolve(asked.response);
      else reject(new Error("failed"));
    };
    asked.onerror = () => reject(new Error("unreachable"));
    asked.send(body);
  });
}

function show(one, outcome, reason, url) {
  if (outcome === "refused") refused += 1;
  one.bar.remove();
  one.row.className = `is-${outcome}`;
  one.state.textContent = reason ? `${words(outcome)}: ${reason}` : words(outcome);
  if (!url) return;
  const link = outcome === "archive" ? one.row.appendChild(document.createElement("a")) : document.createElement("a");
  link.href = url;
  if (outcome === "archive") link.textContent = words("watch");
  else {
    link.textContent = one.file.name;
    one.row.querySelector(".sent-name").replaceChildren(link);
  }
}

document.getElementById("id_files").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
form.addEventListener("submit", (event) => event.preventDefault());

let depth = 0;
function over(change) {
  depth = Math.max(0, depth + change);
  document.documentElement.classList.toggle("is-dropping", depth > 0);
}
document.addEventListener("dragenter", (event) => {
  event.preventDefault();
  over(1);
});
document.addEventListener("dragleave", () => over(-1));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  over(-depth);
  const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
  const errors = document.getElementById("form-errors");
  errors.replaceChildren();
  if (items.some((item) => item?.isDirectory)) {
    errors.appendChild(document.createElement("p")).textContent = words("folder");
    return;
  }
  take([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});
