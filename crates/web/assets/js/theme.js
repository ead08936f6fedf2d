// What every page has: the scheme switch without a reload, sure? questions, copy and print buttons, the browser's time zone.

document.documentElement.classList.add("scripted");

const dark = matchMedia("(prefers-color-scheme: dark)");

function schemeSeen() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

function switchScheme(event) {
  event.preventDefault();
  const next = schemeSeen() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  fetch("/preferences", { method: "POST", body: new URLSearchParams({ theme: next }) });
}

async function copy(button) {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    copyOverHttp(button.dataset.copy);
  }
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = said; }, 1500);
}

// Without TLS a browser gives no clipboard; a selected field can still be copied.
function copyOverHttp(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden-visually";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[data-theme-switch]")) switchScheme(event);
  else if (button.matches("[data-copy]")) copy(button);
  else if (button.matches("[data-print]")) print();
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

const zoneField = document.querySelector("[data-local-zone]");
if (zoneField && zoneField.value === zoneField.defaultValue) {
  zoneField.value = Intl.DateTimeFormat().resolvedOptions().timeZone || zoneField.value;
}
