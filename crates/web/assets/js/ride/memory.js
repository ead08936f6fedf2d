// What the browser keeps: the device's key (which cannot be read out), its entitlement, and the counter of codes.

const STORE = "ride";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("onescan-ride", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// Runs `work` on the store; answers what `work` put into `box.value`, once it is durable.
async function run(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const box = { value: undefined };
      transaction.oncomplete = () => resolve(box.value);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      work(transaction.objectStore(STORE), box);
    });
  } finally {
    database.close();
  }
}

export function recall(name) {
  return run("readonly", (store, box) => {
    store.get(name).onsuccess = (event) => (box.value = event.target.result);
  });
}

export function keep(name, value) {
  return run("readwrite", (store) => store.put(value, name));
}

export function forgetAll() {
  return run("readwrite", (store) => store.clear());
}

// The next number, also where two windows ask at once.
export function nextCounter() {
  return run("readwrite", (store, box) => {
    store.get("counter").onsuccess = (event) => {
      box.value = (event.target.result ?? 0) + 1;
      store.put(box.value, "counter");
    };
  });
}
