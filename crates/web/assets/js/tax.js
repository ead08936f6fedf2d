// The tax set-up: names of countries in the language of the page, and the logo that goes along with the form.

import { nameCountries } from "./countries.js";

for (const select of document.querySelectorAll("[data-countries]")) nameCountries(select);

const BYTES_MAX = 256 * 1024;
const PNG = "data:image/png;base64,";

const form = document.querySelector("[data-tax]");
const says = form.querySelector("[data-logo-says]");

form.querySelector("[data-logo]").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    const fits = file.size <= BYTES_MAX && reader.result.startsWith(PNG);
    says.classList.toggle("problem", !fits);
    says.textContent = fits ? `${file.name}, ${Math.ceil(file.size / 1000)} kB` : says.dataset.wrong;
    if (!fits) return;
    form.elements.logo.value = reader.result.slice(PNG.length);
    const shown = form.querySelector("[data-logo-shown]");
    shown.src = reader.result;
    shown.hidden = false;
  });
  reader.readAsDataURL(file);
});
