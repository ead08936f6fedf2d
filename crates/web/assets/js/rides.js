// The rides page: shows an outcome as soon as the server tells of it. The first event is the newest there is already.

const outcomes = document.querySelector("#outcomes[data-events]");
let first = true;

async function show() {
  const answer = await fetch("/rides/outcomes", { headers: { "hx-request": "true" } });
  if (answer.ok) outcomes.innerHTML = await answer.text();
}

if (outcomes) {
  const events = new EventSource(outcomes.dataset.events);
  events.addEventListener("ride", () => {
    if (!first) show();
    first = false;
  });
  // After a pause the newest outcome is sent again; then the list may be old.
  events.addEventListener("error", () => {
    first = false;
  });
}
