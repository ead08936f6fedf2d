// The code page: counts down, renews the code before it ends, plays it, and counts down questions.
// The server is asked every second by attributes in the page whether the code was used.

const RENEW_BEFORE_MS = 3000;
const RETRY_MS = 2000;

let endsAt = 0;
let panelSeen = null;
let renewing = false;
let renewNotBefore = 0;

function panel() {
  return document.querySelector("#panel[data-renew]");
}

function begin(current) {
  panelSeen = current;
  endsAt = performance.now() + Number(current.dataset.leftMs);
  draw(current);
}

function draw(current) {
  const leftMs = Math.max(0, endsAt - performance.now());
  const text = current.querySelector("[data-countdown]");
  text.textContent = text.dataset.text.replace("%", Math.ceil(leftMs / 1000));
  const share = leftMs / Number(current.dataset.totalMs);
  current.querySelector("circle.left").style.strokeDashoffset = String(100 * (1 - share));
}

// Without an answer the code stays where it is, with a hint, and the next try follows.
async function renew(current) {
  if (renewing || performance.now() < renewNotBefore) return;
  renewing = true;
  renewNotBefore = performance.now() + RETRY_MS;
  try {
    const answer = await fetch(current.dataset.renew, { method: "POST", headers: { "hx-request": "true" } });
    const elsewhere = answer.headers.get("hx-redirect");
    if (elsewhere) location.assign(elsewhere);
    else if (answer.ok) replace(current, await answer.text());
    else current.querySelector("[data-offline]").hidden = false;
  } catch {
    current.querySelector("[data-offline]").hidden = false;
  } finally {
    renewing = false;
  }
}

// The code may have been used while the answer was on its way: then its place is taken already.
function replace(current, text) {
  if (!current.isConnected) return;
  const parsed = document.createElement("template");
  parsed.innerHTML = text;
  const next = parsed.content.querySelector("#panel");
  current.replaceWith(next);
  window.htmx.process(next);
  tick();
}

function tick() {
  const current = panel();
  if (current) {
    if (current !== panelSeen) begin(current);
    else draw(current);
    if (!document.hidden && endsAt - performance.now() < RENEW_BEFORE_MS) renew(current);
  }
  for (const question of document.querySelectorAll("[data-question]")) countQuestion(question);
}

function countQuestion(question) {
  question.endsAt ??= performance.now() + Number(question.dataset.leftMs);
  const seconds = Math.max(0, Math.ceil((question.endsAt - performance.now()) / 1000));
  question.querySelector("[data-seconds]").textContent = `${seconds} s`;
}

async function play(form) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) return;
  const context = new AudioContext();
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(await answer.arrayBuffer());
  source.connect(context.destination);
  source.onended = () => context.close();
  source.start();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-sound]");
  if (!form) return;
  event.preventDefault();
  play(form);
});

document.addEventListener("click", (event) => {
  const current = panel();
  if (!current || !event.target.closest("[data-renew-now]")) return;
  event.preventDefault();
  renewNotBefore = 0;
  renew(current);
});

// A phone that wakes up shows a code of its own time at once.
document.addEventListener("visibilitychange", tick);
setInterval(tick, 1000);
tick();
