// The text of a ride code, made without the server: CBOR, COSE_Sign1 and Base45 as far as a code needs them.
// The layout is that of docs/decisions/0013; crates/gate reads it.

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const PREFIX = "ORC1:";

// Headers {1: algorithm} of COSE: EdDSA is -8, ES256 is -7.
const HEADERS = { ed25519: [0xa1, 0x01, 0x27], p256: [0xa1, 0x01, 0x26] };
const SIGNING = { ed25519: { name: "Ed25519" }, p256: { name: "ECDSA", hash: "SHA-256" } };

// A CBOR head: major type and a whole number below 2^32.
function head(major, number) {
  const type = major << 5;
  if (number < 24) return [type | number];
  if (number < 0x100) return [type | 24, number];
  if (number < 0x10000) return [type | 25, number >> 8, number & 0xff];
  return [type | 26, (number >>> 24) & 0xff, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff];
}

const uint = (number) => head(0, number);
const bytes = (content) => [...head(2, content.length), ...content];
const text = (ascii) => [...head(3, ascii.length), ...[...ascii].map((letter) => letter.charCodeAt(0))];
const array = (...items) => [...head(4, items.length), ...items.flat()];

export function base45(content) {
  let out = "";
  for (let place = 0; place < content.length; place += 2) {
    if (place + 1 < content.length) {
      const number = content[place] * 256 + content[place + 1];
      out += LETTERS[number % 45] + LETTERS[Math.floor(number / 45) % 45] + LETTERS[Math.floor(number / 2025)];
    } else {
      out += LETTERS[content[place] % 45] + LETTERS[Math.floor(content[place] / 45)];
    }
  }
  return out;
}

// `entitlement`: as the issuer signed it. `shownAt`: seconds since 1970.
export async function rideCode(device, entitlement, shownAt, counter) {
  const header = HEADERS[device.algorithm];
  const payload = array([...entitlement], uint(shownAt), uint(counter));
  const signed = array(text("Signature1"), bytes(header), bytes([]), bytes(payload));
  const algorithm = SIGNING[device.algorithm];
  const signature = await crypto.subtle.sign(algorithm, device.keys.privateKey, new Uint8Array(signed));
  const message = [0xd2, ...array(bytes(header), [0xa0], bytes(payload), bytes(new Uint8Array(signature)))];
  return PREFIX + base45(message);
}

// A key that cannot leave the browser: Ed25519, or P-256 where the browser lacks it.
export async function makeKeys() {
  try {
    const keys = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return { algorithm: "ed25519", keys };
  } catch {
    const curve = { name: "ECDSA", namedCurve: "P-256" };
    return { algorithm: "p256", keys: await crypto.subtle.generateKey(curve, false, ["sign", "verify"]) };
  }
}

export async function publicKey(device) {
  return new Uint8Array(await crypto.subtle.exportKey("raw", device.keys.publicKey));
}

export function base64url(content) {
  const plain = btoa(String.fromCharCode(...content));
  return plain.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function fromBase64url(encoded) {
  const plain = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}
