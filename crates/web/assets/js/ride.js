// The ride code page: makes the device's key, keeps an entitlement, and shows fresh codes, with or without the network.

import { base64url, fromBase64url, makeKeys, publicKey, rideCode } from "./ride/code.js";
import { forgetAll, keep, nextCounter, recall } from "./ride/memory.js";
import { correction, generate } from "../vendor/lean-qr-2.7.4/index.js";

const CODE_MS = 30_000;
const RETRY_MS = 15_000;

const page = document.querySelector("#ride");
const person = page.dataset.person;
let shownAt = 0;
let showing = false;
let renewing = false;
let renewNotBefore = 0;
let trouble = null;
let connected = navigator.onLine;

function part(name) {
  return page.querySelector(`[data-part="${name}"]`);
}

function show(name, visible) {
  part(name).hidden = !visible;
}

// Answers the server's JSON; "signed-out" when it wants a sign-in; throws without a network.
async function ask(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
    redirect: "manual",
  });
  connected = true;
  if (answer.type === "opaqueredirect") return { refused: "signed-out" };
  if (!answer.ok) return { refused: "failed" };
  return answer.json();
}

async function deviceOfThisPerson() {
  const device = await recall("device");
  if (device && device.person === person) return device;
  if (device) await forgetAll();
  return null;
}

async function enrol() {
  const device = { person, ...(await makeKeys()) };
  const answer = await ask("/ride/device", {
    algorithm: device.algorithm,
    public_key: base64url(await publicKey(device)),
    name: navigator.userAgentData?.platform || navigator.platform || "browser",
  });
  if (answer.refused) return answer;
  device.id = answer.device;
  await keep("device", device);
  navigator.storage?.persist?.();
  return device;
}

async function renew() {
  if (renewing || Date.now() < renewNotBefore) return;
  renewing = true;
  renewNotBefore = Date.now() + RETRY_MS;
  try {
    let device = (await deviceOfThisPerson()) ?? (await enrol());
    if (device.refused) return void (trouble = device.refused);
    const answer = await ask(`/ride/entitlement/${device.id}`);
    trouble = answer.refused ?? null;
    // Revoked elsewhere, or unknown to this server: the next try begins anew.
    if (trouble === "unknown" || trouble === "revoked") {
      await forgetAll();
      renewNotBefore = 0;
    }
    // Arrears end what is here at once; gates learn it from their deny list anyway.
    if (trouble === "arrears") await keep("entitlement", null);
    if (trouble) return;
    await keep("entitlement", {
      bytes: fromBase64url(answer.entitlement),
      endsAt: answer.ends_at_ms,
      renewAt: answer.renew_at_ms,
      payer: answer.payer,
      cap: answer.cap,
      why: answer.why,
    });
    shownAt = 0;
  } catch {
    connected = false;
  } finally {
    renewing = false;
  }
}

function draw(text) {
  const canvas = part("qr");
  const code = generate(text, { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M });
  code.toCanvas(canvas, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], padX: 4, padY: 4 });
  canvas.dataset.shownAt = String(shownAt);
}

async function showCode(entitlement) {
  const device = await deviceOfThisPerson();
  if (!device) return;
  const now = Date.now();
  const counter = await nextCounter();
  const text = await rideCode(device, entitlement.bytes, Math.floor(now / 1000), counter);
  shownAt = now;
  draw(text);
}

function clock(at) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(document.documentElement.lang, options).format(at);
}

async function paint() {
  const device = await deviceOfThisPerson();
  const entitlement = device ? await recall("entitlement") : null;
  const good = Boolean(entitlement) && Date.now() < entitlement.endsAt;
  if (good && !document.hidden && Date.now() - shownAt >= CODE_MS) await showCode(entitlement);
  show("code", good);
  show("preparing", !good && !trouble && connected);
  show("ended", !good && Boolean(entitlement) && (!connected || trouble === "signed-out"));
  show("never", !good && !entitlement && !connected);
  for (const name of ["signed-out", "arrears", "too-many", "failed"]) show(name, trouble === name);
  show("offline", !connected);
  show("online", connected);
  if (!good) return;
  part("until").textContent = part("until").dataset.text.replace("%", clock(entitlement.endsAt));
  part("cap").textContent = part("cap").dataset.text.replace("%", entitlement.cap);
  show("payer-person", entitlement.payer === "person");
  show("payer-institution", entitlement.payer === "institution");
  part("why").textContent = entitlement.why ?? "";
  show("why", Boolean(entitlement.why));
  const left = Math.max(0, Math.ceil((shownAt + CODE_MS - Date.now()) / 1000));
  part("countdown").textContent = part("countdown").dataset.text.replace("%", left);
  if (connected && Date.now() >= entitlement.renewAt) renew();
}

async function tick() {
  if (showing) return;
  showing = true;
  try {
    await paint();
    const device = await deviceOfThisPerson();
    const entitlement = device ? await recall("entitlement") : null;
    if (!entitlement || Date.now() >= entitlement.endsAt) renew();
  } finally {
    showing = false;
  }
}

async function begin() {
  if (!crypto.subtle || !("indexedDB" in window)) {
    show("insecure", true);
    show("preparing", false);
    return;
  }
  if ("serviceWorker" in navigator) await navigator.serviceWorker.register("/ride/worker.js", { scope: "/ride" });
  await renew();
  await tick();
  setInterval(tick, 1000);
}

page.addEventListener("click", async (event) => {
  if (event.target.closest("[data-again]")) {
    renewNotBefore = 0;
    shownAt = 0;
    await renew();
    tick();
  }
});
window.addEventListener("online", () => {
  connected = true;
  renewNotBefore = 0;
  tick();
});
window.addEventListener("offline", () => {
  connected = false;
  tick();
});
// A phone that wakes up shows a code of its own time at once.
document.addEventListener("visibilitychange", () => {
  shownAt = 0;
  tick();
});
begin();
