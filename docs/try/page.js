// The page: takes a photo, hands it to the worker, and shows what comes back. Nothing is loaded before a photo is chosen.

const RATIOS = ["16:9", "1:1", "4:5", "9:16"];
const WORDS = {
  attention: () => "Where people look first",
  subjects: n => (n ? `Subjects: ${n} found` : "Subjects: nothing stands out"),
  faces: n => (n ? `Faces: ${n} found` : "Faces: none found"),
};

const root = document.getElementById("try");
const part = name => root.querySelector(`[data-part="${name}"]`);
const make = (tag, text = "", more = {}) => Object.assign(document.createElement(tag), { textContent: text, ...more });
const addresses = [];
let worker = null;

function picture(data, alt) {
  const address = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
  addresses.push(address);
  return Object.assign(new Image(), { src: address, alt });
}

function figure(data, title, lines, className) {
  const made = make("figure", "", { className });
  const caption = make("figcaption");
  caption.append(make("strong", title), ...lines);
  made.append(picture(data, title), caption);
  return made;
}

function show({ size, views, crops, plan, decoder, seconds }) {
  addresses.splice(0).forEach(URL.revokeObjectURL);
  part("views").replaceChildren(...views.map(v => figure(v.picture, WORDS[v.name](v.found), [], "view")));
  part("crops").replaceChildren(...crops.map(c => {
    const warnings = c.warnings.map(w => make("span", w, { className: "warning" }));
    return figure(c.picture, c.ratio, [make("span", c.reason), ...warnings, make("small", `${c.size.join(" x ")} pixels`)], "crop");
  }));
  const lines = [
    `${size.join(" x ")} pixels, planned in ${seconds.all.toFixed(1)} s on this machine; ${seconds.network.toFixed(1)} s of them for the network.`,
  ];
  if (decoder) lines.push(`${decoder} So your browser decoded it.`);
  part("facts").textContent = lines.join(" ");
  part("plan").textContent = JSON.stringify(JSON.parse(plan), null, 1);
  part("result").hidden = false;
  root.dataset.state = "done";
}

function note({ note: words, share }) {
  const bar = part("bar"), total = Number(root.dataset.bytes) / 1e6;
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
  part("words").textContent = share === null ? `${words} …` : `${words}: ${(share * total).toFixed(1)} of ${total.toFixed(1)} MB`;
}

function fail(words) {
  root.dataset.state = "failed";
  part("problem").textContent = words;
}

function start() {
  const made = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  made.onmessage = ({ data }) => {
    if (data.note) note(data);
    else if (data.found) show(data.found);
    else fail(data.problem);
  };
  made.onerror = event => {
    event.preventDefault?.();
    worker = null;
    fail("This browser cannot run the page's parts. Chrome or Edge, Firefox from 114, or Safari from 16.4 can.");
  };
  return made;
}

function take(file) {
  if (!file || root.dataset.state === "working") return;
  root.dataset.state = "working";
  part("problem").textContent = "";
  note({ note: "Starting", share: null });
  worker ??= start();
  worker.postMessage({ file, ratios: RATIOS });
}

if (root && part("file")) {
  if (location.protocol === "file:") fail("This page has to come from a server. In the folder of the site, run: python3 -m http.server");
  part("file").addEventListener("change", ({ target }) => { take(target.files[0]); target.value = ""; });
  part("sample").addEventListener("click", async ({ target }) => take(await (await fetch(target.dataset.address)).blob()));
  root.addEventListener("dragover", event => { event.preventDefault(); root.classList.add("over"); });
  root.addEventListener("dragleave", () => root.classList.remove("over"));
  root.addEventListener("drop", event => {
    event.preventDefault();
    root.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}
