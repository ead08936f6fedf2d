// Reads a code from the camera or from a photo. The reader (WebAssembly) is loaded when it is first wanted.

const LOOK_EVERY_MS = 150;
let reader = null;

function load(folder) {
  reader ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${folder}/vendor/zxing-wasm-3.1.4/zxing_reader.js`;
    script.onload = () => resolve(prepare(folder));
    script.onerror = () => { reader = null; reject(new Error("the reader was not loaded")); };
    document.head.append(script);
  });
  return reader;
}

function prepare(folder) {
  const library = window.ZXingWASM;
  const locateFile = (name) => `${folder}/vendor/zxing-wasm-3.1.4/${name}`;
  library.prepareZXingModule({ overrides: { locateFile } });
  return library;
}

async function find(library, picture, wanted) {
  const found = await library.readBarcodes(picture, { formats: ["QRCode", "Code128"], tryHarder: true });
  return found.map((symbol) => symbol.text).find((text) => wanted.test(text));
}

async function fromPhoto(box, file, taken, wanted) {
  const says = box.querySelector("[data-camera-says]");
  says.textContent = box.dataset.busy;
  const digits = await find(await load(box.dataset.assets), file, wanted).catch(() => undefined);
  says.textContent = digits ? "" : box.dataset.notFound;
  if (digits) taken(digits);
}

function stop(box) {
  const video = box.querySelector("video");
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  video.parentElement.hidden = true;
}

async function live(box, taken, wanted) {
  const video = box.querySelector("video");
  const says = box.querySelector("[data-camera-says]");
  if (video.srcObject) return stop(box);
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    says.textContent = box.dataset.none;
    return;
  }
  video.parentElement.hidden = false;
  says.textContent = box.dataset.busy;
  const [library] = await Promise.all([load(box.dataset.assets), video.play()]);
  const digits = await look(library, video, wanted);
  says.textContent = "";
  if (digits) {
    stop(box);
    taken(digits);
  }
}

// Looks at the picture until a code is in it or the camera is stopped.
async function look(library, video, wanted) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  while (video.srcObject) {
    if (video.videoWidth > 0) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      context.drawImage(video, 0, 0);
      const digits = await find(library, context.getImageData(0, 0, canvas.width, canvas.height), wanted).catch(() => undefined);
      if (digits) return digits;
    }
    await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
  }
  return undefined;
}

// `wanted`: what the text of a symbol must look like.
export function startCamera(box, taken, wanted = /^\d{18}$/) {
  if (!box) return;
  box.querySelector("[data-camera-start]").addEventListener("click", () => live(box, taken, wanted));
  box.querySelector("[data-photo]").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) fromPhoto(box, file, taken, wanted);
    event.target.value = "";
  });
}
