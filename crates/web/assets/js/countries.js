// Names of countries in the language of the page, in its order.

export function nameCountries(select) {
  const names = new Intl.DisplayNames([document.documentElement.lang], { type: "region" });
  const [none, ...countries] = select.options;
  for (const option of countries) option.textContent = `${names.of(option.value)} (${option.value})`;
  const order = new Intl.Collator(document.documentElement.lang);
  countries.sort((one, other) => order.compare(one.textContent, other.textContent));
  const chosen = select.value;
  select.replaceChildren(none, ...countries);
  select.value = chosen;
}
