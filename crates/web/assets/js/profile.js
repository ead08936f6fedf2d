// The form of invoice details: names of countries in the language of the page; filling it from a photographed title code or
// from an invoice file.

import { startCamera } from "./camera.js";
import { nameCountries } from "./countries.js";

for (const select of document.querySelectorAll("[data-countries]")) nameCountries(select);

const titleForm = document.querySelector("[data-title-form]");
if (titleForm) {
  startCamera(titleForm.querySelector("[data-camera]"), (text) => {
    titleForm.elements.text.value = text;
    titleForm.requestSubmit();
  }, /^\$01.*\$$/s);
}

// The answer is the whole page with the form filled, or with the reason why it is not.
document.querySelector("[data-invoice-file]")?.addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const headers = { "Content-Type": "application/octet-stream" };
  const answer = await fetch("/profiles/read-invoice", { method: "POST", headers, body: file });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("main").replaceWith(page.querySelector("main"));
  await import(`${import.meta.url}?again=${Date.now()}`);
  document.querySelector("main").focus();
});
