/** Read a model from this device or from an address, within limits. */

/** Bytes; more is no model for a page, and would fill its memory. */
const MOST = 2 ** 29;

/**
 * @param {File} file
 * @param {string} name for messages
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} one sentence: what is wrong and how to fix it
 */
export async function readFile(file, name) {
  // Before it is read: the size is known.
  checkSize(file.size, name);
  return file.arrayBuffer().catch((error) => {
    throw new Error(`${name} cannot be read: ${error.message}`);
  });
}

/**
 * @param {URL} address
 * @param {string} name for messages
 * @param {AbortSignal} signal
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} one sentence: what is wrong and how to fix it
 */
export async function readAddress(address, name, signal) {
  const failed = () => {
    throw new Error(
      `${address.href} cannot be fetched: the address may be wrong, or its server ` +
        "does not let other pages read (CORS); save the file and open it from there",
    );
  };
  const response = await fetch(address, { signal, credentials: "omit" }).catch(failed);
  if (!response.ok) {
    throw new Error(
      `${address.href} cannot be fetched: the server answers ${response.status} ` +
        `${response.statusText}; check the address`,
    );
  }
  checkSize(Number(response.headers.get("Content-Length")), name);
  const pieces = [];
  let size = 0;
  const reader = (response.body ?? new Blob().stream()).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(failed);
    if (done) return new Blob(pieces).arrayBuffer();
    pieces.push(value);
    size += value.length;
    try {
      // The server may have named another size, or none.
      checkSize(size, name);
    } catch (error) {
      reader.cancel();
      throw error;
    }
  }
}

function checkSize(size, name) {
  if (size > MOST) {
    throw new Error(
      `${name} has more than ${(MOST / 2 ** 20).toLocaleString("en")} MiB, which is ` +
        "too much for a page; open a smaller file",
    );
  }
}

/**
 * The address in a text.
 *
 * @param {string} text
 * @returns {URL}
 * @throws {Error} one sentence without a password: what is wrong and how to fix it
 */
export function readAddressOf(text) {
  let address;
  try {
    address = new URL(text.trim(), document.baseURI);
  } catch {
    address = { protocol: "" };
  }
  // In what is no address, all before an @ may be one.
  const secret = address.username || address.password;
  if (secret || (!/^https?:$/.test(address.protocol) && text.includes("@"))) {
    throw new Error(
      "The address has a user name or a password in it, which the page does not send; " +
        "give it without, or save the file and open it from there",
    );
  }
  if (!text.trim() || !/^https?:$/.test(address.protocol)) {
    throw new Error(
      `“${text}” is no address; give one like https://host/model.tflite`,
    );
  }
  return address;
}

/** The file's name in an address, which may be malformed. */
export function nameOf(address) {
  const name = address.pathname.split("/").at(-1) || address.href;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
