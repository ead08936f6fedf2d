// The till and the invoice terminal: a hand scanner types eighteen digits wherever the cursor stands, keys do the rest.
//
// A scan is known by its shape, not by its speed: no amount has eighteen digits in a row. Fields are watched by their
// `input` events, because an input method hands over text without telling which keys were pressed.

import { startCamera } from "./camera.js";

// Scanners pause at most 100 ms between digits and are through in 1.5 s.
const SCAN_PAUSE_MS = 120;
const TYPED_IN_MS = 2000;

const form = document.querySelector("form[data-till]");
const amount = form?.querySelector("[data-amount]");
const code = form?.querySelector("[data-code]");

// Digits and points of Chinese input methods become plain ones.
function plain(text) {
  return text
    .replace(/[０-９]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0))
    .replace(/[。．]/g, ".")
    .replace(/，/g, ",");
}

function takeScan(digits) {
  code.value = digits;
  go();
}

// Charges when everything is there, else goes to what is missing.
function go() {
  const missing = [amount, code].find((field) => field && field.value.trim() === "");
  if (missing) missing.focus();
  else form.requestSubmit();
}

// Digits that end a field's text, when they are enough for a code: the code, and what stood before it.
function split(field) {
  const text = plain(field.value).replace(/[ -]/g, "");
  const tail = /\d{18}$/.exec(text);
  return tail && { digits: tail[0], rest: text.slice(0, tail.index) };
}

// Takes a scan out of whatever field it was typed into.
function settle(field) {
  const scan = split(field);
  if (!scan) return false;
  if (field !== code) field.value = scan.rest.length < 18 ? scan.rest : "";
  takeScan(scan.digits);
  return true;
}

// A scan has ended when no digit follows for a while: some scanners send neither Enter nor Tab.
function watch(field) {
  let timer = 0;
  let startedAt = 0;
  field.addEventListener("input", () => {
    const text = plain(field.value);
    if (text !== field.value && !field.matches("[type=search]")) field.value = text;
    if (text.length <= 1) startedAt = performance.now();
    clearTimeout(timer);
    const typedByHand = field === code && performance.now() - startedAt > TYPED_IN_MS;
    if (split(field) && !typedByHand) timer = setTimeout(() => settle(field), SCAN_PAUSE_MS);
  });
}

function inField(target) {
  return target.matches?.("input:not([type=radio], [type=checkbox], [type=file]), textarea, select");
}

function clear() {
  if (!form) {
    location.assign("/till");
    return;
  }
  for (const field of [amount, code]) if (field) field.value = "";
  (amount ?? code).focus();
}

function onKey(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) return;
  if (event.key === "F2") {
    event.preventDefault();
    location.assign(document.querySelector("[data-receipt]")?.dataset.receipt ?? "/till/last");
  } else if (event.key === "Escape") {
    event.preventDefault();
    clear();
  } else if (event.key === "?" && !(event.target.value && inField(event.target))) {
    const list = document.getElementById("key-list");
    if (!list) return;
    event.preventDefault();
    list.showModal();
  } else if (event.key === "/" && event.target !== searchField()) {
    event.preventDefault();
    if (searchField()) searchField().focus();
    else location.assign("/till/sales");
  } else if ((event.key === "Enter" || event.key === "Tab") && (event.target === amount || event.target === code)) {
    onFieldEnd(event);
  } else if (form && !inField(event.target)) {
    onLooseKey(event);
  }
}

function searchField() {
  return document.querySelector("[data-search]");
}

// Scanners end with Enter or Tab. A Tab leaves a field as usual unless it ends a scan.
function onFieldEnd(event) {
  const isScan = split(event.target) !== null;
  if (event.key === "Tab" && !isScan) return;
  event.preventDefault();
  if (!settle(event.target)) go();
}

// A digit that reaches no field begins an amount or a scan: the field takes it from here.
function onLooseKey(event) {
  if (/^[0-9]$/.test(event.key)) (amount ?? code).focus();
  else if (event.key === "Enter" && event.target === document.body) {
    event.preventDefault();
    go();
  }
}

// After a verdict the form is ready for the next buyer, under a key of its own. Once per verdict: parts of it go on
// changing while the cashier types the next amount.
let answered = document.getElementById("verdict");

function onVerdict() {
  const verdict = document.getElementById("verdict");
  if (!form || !verdict || verdict === answered || verdict.dataset.nextKey === undefined) return;
  answered = verdict;
  code.value = "";
  if (verdict.dataset.nextKey !== "") {
    form.elements.key.value = verdict.dataset.nextKey;
    form.elements.order_number.value = verdict.dataset.nextOrder;
    form.elements.subject.value = verdict.dataset.nextSubject;
    amount.value = verdict.dataset.nextAmount;
  }
  const next = amount && amount.value === "" ? amount : code;
  if (!verdict.contains(document.activeElement)) next.focus();
}

document.addEventListener("keydown", onKey);
document.addEventListener("htmx:after:swap", onVerdict);

// No answer is not a refusal: the screen keeps its key, and sending it again gets the first answer.
function sayNoAnswer(isMissing) {
  const hint = form?.querySelector("[data-no-answer]");
  if (hint) hint.hidden = !isMissing;
}

form?.addEventListener("htmx:before:request", () => sayNoAnswer(false));
form?.addEventListener("htmx:error", () => sayNoAnswer(true));

// One screen, one request: a second press while the first is on its way is dropped.
form?.addEventListener("submit", (event) => {
  if (form.matches(".htmx-request")) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, { capture: true });

if (form) {
  form.querySelectorAll("input:not([type=hidden], [type=file])").forEach(watch);
  startCamera(form.querySelector("[data-camera]"), takeScan);
}
