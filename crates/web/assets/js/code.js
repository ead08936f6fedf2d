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

async function renew(current) {
  if (renewing || performance.now() < renewNotBefore) return;
  renewing = true;
  try {
    await window.htmx.ajax("POST", current.dataset.renew, { target: "#panel", swap: "outerHTML" });
  } finally {
    renewing = false;
    renewNotBefore = performance.now() + RETRY_MS;
    const offline = panel()?.querySelector("[data-offline]");
    if (offline && panel() === current) offline.hidden = false;
  }
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
